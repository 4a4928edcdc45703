"""Cases about what the author of a weave is told about a failure."""
