"""Whether an application survives faults: what is observed of one run of a test, the verdict on it,
and the matrix of all verdicts. Nothing here depends on pytest."""
