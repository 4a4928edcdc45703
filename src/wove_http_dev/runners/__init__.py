"""Places other than the service's threads in which task bodies run."""
