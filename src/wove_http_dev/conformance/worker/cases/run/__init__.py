"""Cases about what a task is given, how often it runs, and what comes back."""
