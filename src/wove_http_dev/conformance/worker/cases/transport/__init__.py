"""Cases about whether the service speaks HTTP."""
