"""Cases about size, load, and what a run leaves behind."""
