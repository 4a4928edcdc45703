"""A worker's service in a child process of the test's, driven over a socket pair.

``host`` is the parent's side and ``process`` one child process as it sees it; ``child`` is the
program of that process; ``channel`` carries the messages between them, and ``serialization`` says
what they contain. The socket pair has no name and no port, so no other process can connect to it;
when it closes, the child ends.
"""
