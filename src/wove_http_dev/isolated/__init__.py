"""A worker's service in a child process, driven over a socket pair.

``parent`` stands in the test's process, ``child`` is the other one's main, ``channel`` is what they
speak through and ``records`` what they say of the journal. The socket pair has no name and no port,
so nobody else can speak; when it drops, the child opens its gates and ends.
"""
