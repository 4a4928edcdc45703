"""Cases about what a cancel_task does and when it is acknowledged."""
