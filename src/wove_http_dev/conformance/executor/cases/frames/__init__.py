"""Cases about the frames that the executor sends and understands."""
