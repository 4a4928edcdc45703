"""Cases about one case for each fault of the catalogue."""
