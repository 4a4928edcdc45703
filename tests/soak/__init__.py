"""Soak tests, which pytest does not collect: ``python -m tests.soak --help``."""
