"""Writes the results of a check: on the terminal, as JSON, as JUnit XML."""
