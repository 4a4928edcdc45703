"""Configurations as source text, and what ``doctor`` printed about one."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from wove_http_dev.explain.remote_environment import RemoteEnvironment

SECRET = "correct horse"
TASK = """
from wove import weave
def tasks():
    with weave({weave}) as w:
        @w.do({task})
        def render(): ...
"""
"""The source of a weave with one task."""
_LINE = re.compile(r"^(ok|problem|skipped) +(\S+) +(.+)$", re.MULTILINE)


class Source:
    """A value that is written into the module as this source text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


LEFT_OUT = Source("...")
"""In place of a value: the key is left out."""


@dataclass
class Settings:
    """A right configuration for the worker at ``url``, and changes to it."""

    url: str
    config: dict[str, Any] = field(default_factory=dict)
    """Changes to ``executor_config``."""
    own: dict[str, Any] = field(default_factory=dict)
    """Changes to the environment's definition."""
    shared: dict[str, Any] = field(default_factory=dict)
    """Changes to the other arguments of ``wove.config``."""
    rest: str = ""
    """Source text that follows."""

    def source(self) -> str:
        """Return the text of the module."""
        config = _changed(
            {"url": self.url, "security": "env:WORKER_SECRET", "timeout": 5.0}, self.config
        )
        own = _changed({"executor": "http", "executor_config": config}, self.own)
        shared = _changed({"delivery_timeout": 10.0}, self.shared)
        words = ", ".join(f"{name}={value!r}" for name, value in shared.items())
        return (
            f"import wove\nwove.config(environments={{'workers': {own!r}}}, {words})\n{self.rest}"
        )


def _changed(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = {**values, **changes}
    return {name: value for name, value in merged.items() if value is not LEFT_OUT}


@dataclass(frozen=True)
class Diagnosis:
    """What ``doctor`` printed."""

    status: int
    out: str
    err: str

    @property
    def findings(self) -> dict[str, tuple[str, str]]:
        """For each check its verdict and its text."""
        return {check: (verdict, text) for verdict, check, text in _LINE.findall(self.out)}

    @property
    def problems(self) -> dict[str, str]:
        """For each check that found a problem its text."""
        return {
            check: text for check, (verdict, text) in self.findings.items() if verdict == "problem"
        }


def environment(url: str = "https://localhost:1/wove/tasks", **config: Any) -> RemoteEnvironment:
    """An environment that sends to ``url``."""
    executor = url.partition(":")[0]
    definition = {"executor": executor, "executor_config": {"url": url, **config}}
    return RemoteEnvironment("workers", definition)


class OtherService:
    """A service with plain http that answers every request in the same way."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b""
        self.received: list[tuple[str, str, dict[str, str], bytes]] = []
        """Method, target, headers and body of each request."""
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                owner.received.append((self.command, self.path, dict(self.headers), body))
                self.send_response_only(owner.status)
                for name, value in {
                    "Content-Length": str(len(owner.body)),
                    **owner.headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(owner.body)

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("localhost", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        """The URL of the service."""
        return f"http://localhost:{self._server.server_address[1]}/wove/tasks?queue=a"

    def __enter__(self) -> OtherService:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
