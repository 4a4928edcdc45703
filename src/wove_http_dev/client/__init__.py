"""What is changed in the process of a client so that Wove's executor reaches a worker.

Each module changes one thing and restores it at the end; what another party has replaced meanwhile
is left as it is.
"""
