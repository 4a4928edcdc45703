"""Cases about who is let in, in which order, and how often."""
