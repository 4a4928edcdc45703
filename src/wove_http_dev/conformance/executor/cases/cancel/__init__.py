"""Cases about cancelling runs that were given up."""
