"""Reports of a check: on the terminal, as JSON, as JUnit XML."""
