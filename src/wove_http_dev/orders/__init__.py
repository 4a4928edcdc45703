"""Lets the runs of a task complete in chosen orders."""
