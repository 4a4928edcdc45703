"""A worker's service in a child process of the test's, driven over a socket pair.

``host`` is the parent's side, ``child`` the program of the child process, ``channel`` the messages
between them, ``serialization`` what they contain. The socket pair has no name and no port, so no
other process can connect to it; when it closes, the child ends.
"""
