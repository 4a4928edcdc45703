"""The Wove side of a test: what must hold in this process so that Wove's executor reaches a worker.

Each room here changes one thing of the process and puts it back, only where it is still ours.
"""
