"""What runs on a worker, what holds it, and what is remembered of it."""
