"""Cases about which run an answer belongs to."""
