"""A running ``serve`` of another process as the worker of tests, through its control API."""
