"""The cases for a worker service: one folder for each family."""
