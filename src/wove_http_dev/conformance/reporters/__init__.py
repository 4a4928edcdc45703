"""A finished check, shown or written."""
