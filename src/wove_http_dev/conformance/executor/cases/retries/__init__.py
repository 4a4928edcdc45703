"""Cases about retries and repeated requests."""
