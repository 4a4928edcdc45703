"""A Wove worker service on the standard library's HTTP server (the core is worker_core.py).

WOVE_WORKER_SECRET=… python examples/worker_stdlib.py --port 8080 [--cert FILE --key FILE]
"""

import argparse
import json
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

try:
    from worker_core import MAX_BODY, handle, verify
except RuntimeError as exc:  # WOVE_WORKER_SECRET is not set
    raise SystemExit(str(exc)) from None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body are sent together
    timeout = 60  # seconds that a client may be silent

    def handle_expect_100(self):
        proceed = super().handle_expect_100()
        self.wfile.flush()  # or "100 Continue" would wait in the buffer, and the client for it
        return proceed

    def do_POST(self):
        sizes = set(self.headers.get_all("Content-Length", ()))
        size = sizes.pop() if len(sizes) == 1 else ""
        if "Transfer-Encoding" in self.headers:
            size = ""  # where it ends would be uncertain
        if not size.isdecimal() or int(size) > MAX_BODY:
            self.close_connection = True  # the body is not read
            return self.answer(413 if size.isdecimal() else 411, {"error": "Content-Length"})
        body = self.rfile.read(int(size))
        target = self.requestline.split()[1]  # byte for byte, as it was signed
        try:
            verify(self.headers.items(), target, body)
        except PermissionError as exc:
            return self.answer(401, {"error": str(exc)})
        if target.partition("?")[0] != "/wove/tasks":
            return self.answer(404, {"error": "tasks are at /wove/tasks"})
        return self.answer(*handle(body))

    def answer(self, status, document):
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # with 5, clients that connect together wait a second


def main():
    parser = argparse.ArgumentParser(description="a Wove worker service at /wove/tasks")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--cert", help="certificate, PEM; without it the service speaks http")
    parser.add_argument("--key", help="its private key, PEM")
    options = parser.parse_args()
    server = Server(("127.0.0.1", options.port), Handler)
    if options.cert:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.cert, options.key)
        server.socket = context.wrap_socket(  # each handshake in its connection's own thread,
            server.socket, server_side=True, do_handshake_on_connect=False
        )  # or one silent client would block all others
    server.serve_forever()


if __name__ == "__main__":
    main()
