"""Runs a worker's service in a child process, controlled over a socket pair.

``host`` is the parent's side and ``process`` represents one child process in it; ``child`` is what
that process does; ``channel`` carries the messages between them, and ``serialization`` converts
their contents. The socket pair has no name and no port, so no other process can connect to it; when
it closes, the child ends.
"""
