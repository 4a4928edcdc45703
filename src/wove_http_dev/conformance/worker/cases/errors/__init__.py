"""Cases about how failures of tasks are reported and survived."""
