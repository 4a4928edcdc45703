"""The command line ``wove-http-dev``."""
