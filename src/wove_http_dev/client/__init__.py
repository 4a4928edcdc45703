"""Changes to the client's process that let Wove's executor reach a worker.

Each module changes one process-wide setting and restores it at the end. A value that other code has
set in between is kept.
"""
