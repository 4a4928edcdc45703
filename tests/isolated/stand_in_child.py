"""A child process that answers each request of its parent with an empty list, and serves nothing.

It starts in a tenth of the time of the real one, because it imports nothing.
"""

from __future__ import annotations

import os
import sys


def main(descriptor: int) -> None:
    """Answer until the parent closes its end of the socket ``descriptor``."""
    unread = b""
    while data := os.read(descriptor, 65536):
        *lines, unread = (unread + data).split(b"\n")
        for line in lines:
            number = line.rpartition(b'"request":')[2].rstrip(b"}")
            os.write(descriptor, b'{"response_to":%s,"data":[]}\n' % number)


if __name__ == "__main__":
    main(int(sys.argv[1]))
