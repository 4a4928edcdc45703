"""Cases about timeouts, the event loop, and what is left behind."""
