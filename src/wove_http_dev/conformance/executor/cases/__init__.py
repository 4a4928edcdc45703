"""The cases for an executor, one folder for each family."""
