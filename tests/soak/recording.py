"""Requests as Wove's own executor sends them, recorded from the wire."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from wove import weave
from wove.environment import HttpEnvironmentExecutor

from tests.benchmarks.peers import canned
from tests.support import cancel_frame
from wove_http_dev.client import wove_config


@dataclass(frozen=True)
class Recorded:
    """The headers and the command frame of one request, without credentials."""

    headers: list[tuple[str, str]]
    frame: dict[str, Any]


def record_requests() -> list[Recorded]:
    """A weave's initial values, its task, and a cancellation."""
    recorded: list[Recorded] = []
    with _recorder(recorded) as url:
        configuration = {"url": url, "timeout": 10.0}
        definition = {"executor": "http", "executor_config": configuration}
        with (
            wove_config.configured("recorded", definition, 10.0),
            weave(environment="recorded", n=7) as w,
        ):

            @w.do
            def task(n: Any) -> Any:
                return n

        asyncio.run(_cancel(configuration))
    return recorded


async def _cancel(configuration: dict[str, Any]) -> None:
    executor = HttpEnvironmentExecutor()
    await executor.start(
        environment_name="recorded", environment_config=configuration, run_config={}
    )
    frame = json.loads(cancel_frame("task:0"))
    await executor.send(frame)
    await asyncio.gather(*executor._requests.values())
    await executor.stop()


@contextmanager
def _recorder(recorded: list[Recorded]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            recorded.append(Recorded(self.headers.items(), json.loads(body)))
            answer = canned(body)
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/wove/tasks"
        finally:
            server.shutdown()
            thread.join()
