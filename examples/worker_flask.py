"""A Wove worker service on Flask and werkzeug's threaded server (the core is worker_core.py).

WOVE_WORKER_SECRET=… python examples/worker_flask.py --port 8080 [--cert FILE --key FILE]
"""

import argparse
import ssl

from flask import Flask, request
from werkzeug.serving import WSGIRequestHandler, make_server

try:
    from worker_core import MAX_BODY, handle, verify
except RuntimeError as exc:  # WOVE_WORKER_SECRET is not set
    raise SystemExit(str(exc)) from None

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = MAX_BODY


@app.post("/wove/tasks")
def wove_tasks():
    body = request.get_data()
    target = request.environ["RAW_URI"]  # as it was signed; request.path is decoded, no query
    try:
        verify(request.headers.items(), target, body)
    except PermissionError as exc:
        return {"error": str(exc)}, 401
    status, document = handle(body)
    return document, status


class Handler(WSGIRequestHandler):
    """Refuses a request of which it is uncertain where it ends. werkzeug would take the last of two
    lengths, ignore a transfer coding that it does not know, and read a chunk's length as Python
    does."""

    def parse_request(self):
        if not super().parse_request():
            return False
        lengths = set(self.headers.get_all("Content-Length", ()))
        if len(lengths) > 1 or "Transfer-Encoding" in self.headers:
            self.send_error(400, "the length is not certain")
            return False
        return True


class Context(ssl.SSLContext):
    """Does the TLS handshake in the connection's own thread. werkzeug would do it while it accepts,
    and one silent client would block all others."""

    def wrap_socket(self, sock, **options):
        return super().wrap_socket(sock, **{**options, "do_handshake_on_connect": False})


def main():
    parser = argparse.ArgumentParser(description="a Wove worker service at /wove/tasks")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--cert", help="certificate, PEM; without it the service speaks http")
    parser.add_argument("--key", help="its private key, PEM")
    options = parser.parse_args()
    context = None
    if options.cert:
        context = Context(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
    serving = {"threaded": True, "request_handler": Handler, "ssl_context": context}
    make_server("127.0.0.1", options.port, app, **serving).serve_forever()


if __name__ == "__main__":
    main()
