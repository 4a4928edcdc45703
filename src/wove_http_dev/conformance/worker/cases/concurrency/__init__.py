"""Cases about runs side by side."""
