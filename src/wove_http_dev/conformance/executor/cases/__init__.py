"""The cases, one folder for each family."""
