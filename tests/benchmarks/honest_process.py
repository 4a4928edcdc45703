"""The honest loop as a service of its own: ``python -m tests.benchmarks.honest_process --port PORT
[--threads N] [--cert FILE --key FILE]``. The secret is in ``WOVE_WORKER_SECRET``.

Each of the threads serves one connection after the other: what any threaded worker in Python has to
do, and nothing else. There is no journal, no limit, no timeout and no cancel.
"""

from __future__ import annotations

import argparse
import os
import socket
import ssl
import threading

from tests.benchmarks import peers


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    arguments = parser.parse_args()
    context = None
    if arguments.cert is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.num_tickets = 0
        context.load_cert_chain(arguments.cert, arguments.key)
    listener = socket.create_server(("127.0.0.1", arguments.port), backlog=512)
    answer = peers.honest(os.environ["WOVE_WORKER_SECRET"])
    threads = [
        threading.Thread(target=peers.serve_loop, args=(listener, context, answer))
        for _ in range(arguments.threads)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
