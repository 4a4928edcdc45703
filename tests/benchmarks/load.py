"""How ``serve`` fares under load: ``python -m tests.benchmarks load``.

One client with 32 requests in flight, each on a connection of its own, as Wove's executor sends
them, against ``serve``, two reference workers of ``examples/`` and the honest loop, in one thread
and in as many as there are requests, each in a process of its own.
The requests of a round are signed before it begins, so that little of the client's time counts.
The services are asked in turn; those that are not asked are idle.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import socket
import ssl
import statistics
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from wove import NetworkExecutorSecurity

from tests.benchmarks.figures import Figure, Samples, Table, in_turn
from tests.benchmarks.served import serving
from tests.conformance.worker import references
from tests.support import TARGET, encode, free_port, request_bytes
from wove_http_dev.conformance.service_process import ServiceCommand
from wove_http_dev.tls import CertificateAuthority

IN_FLIGHT = 32
REQUESTS = 1_000
"""Requests of one round."""
ROUNDS = 7
LARGE = 20 * 2**20
"""Bytes of the argument of a large task."""
SERVE, FASTAPI, STDLIB = "serve", "worker_fastapi.py", "worker_stdlib.py"
HONEST, HONEST_THREADS = "honest loop", f"honest loop, {IN_FLIGHT} threads"
TICKS = os.sysconf("SC_CLK_TCK")
GOALS = {
    "rate": f"serve >= 1.8 x {FASTAPI}",
    "processor": "serve <= 0.6 ms",
    "p50": "",
    "p99": f"serve < {STDLIB}",
    "large": "serve >= 0.9 x the faster one",
}
WHAT = {
    "rate": ("requests", "1/s"),
    "processor": ("processor time of the service", "ms a request"),
    "p50": ("p50 of a request", "ms"),
    "p99": ("p99 of a request", "ms"),
    "large": ("a task with an argument of 20 MiB", "MiB/s"),
}


class Service(NamedTuple):
    """A running service: where it is, its process, and the client's TLS context (``None`` for
    http)."""

    port: int
    pid: int
    context: ssl.SSLContext | None
    security: NetworkExecutorSecurity

    def request(self, number: int, argument: Any) -> bytes:
        """Return a signed ``run_task`` that closes its connection, as bytes."""
        frame = {
            "type": "run_task",
            "run_id": f"run:{number}:{secrets.token_hex(4)}",
            "task_id": "task",
            "callable_pickle": FUNCTION,
            "args_pickle": encode({"value": argument}),
            "delivery": {},
        }
        body = json.dumps(frame).encode()
        headers = self.security.headers_for(transport="http", target=TARGET, body=body)
        return request_bytes({**headers, "Connection": "close"}, body)

    def ask(self, request: bytes) -> float:
        """Send ``request`` on a connection of its own, read the answer to its end, and return the
        milliseconds that it took."""
        begun = time.perf_counter()
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context is not None:
            sock = self.context.wrap_socket(sock, server_hostname="localhost")
        with sock:
            sock.sendall(request)
            answer = b""
            while part := sock.recv(65536):
                answer += part
        assert b'"task_result"' in answer, answer[:500]
        return (time.perf_counter() - begun) * 1000

    def used(self) -> float:
        """Return the milliseconds of processor time that the service's process has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / TICKS


def measure_load(table: Table, share: float = 1.0) -> None:
    """Add how the services fare under load to ``table``. ``share`` multiplies the number of
    rounds."""
    rounds = max(3, round(ROUNDS * share))
    for tls in (False, True):
        with _services(tls=tls) as services:
            found = in_turn({k: partial(_under_load, s) for k, s in services.items()}, rounds)
            found |= in_turn({k: partial(_large, s) for k, s in services.items()}, rounds)
        for name, samples in found.items():
            what, unit = WHAT[name]
            scheme = "https" if tls else "http"
            table.add(Figure(f"{scheme}: {what}", unit, samples, _base(name, samples), GOALS[name]))


def _base(name: str, samples: Samples) -> str:
    """Return the peer that ``serve`` is compared with."""
    if name == "large":
        return max((STDLIB, FASTAPI), key=lambda peer: statistics.median(samples[peer]))
    return STDLIB if name == "p99" else FASTAPI


def _under_load(service: Service) -> Mapping[str, float]:
    requests = [service.request(number, number) for number in range(REQUESTS)]
    with ThreadPoolExecutor(IN_FLIGHT) as client:
        used, begun = service.used(), time.perf_counter()
        times = list(client.map(service.ask, requests))
        seconds = time.perf_counter() - begun
    return {
        "rate": REQUESTS / seconds,
        "processor": (service.used() - used) / REQUESTS,
        "p50": statistics.median(times),
        "p99": statistics.quantiles(times, n=100)[-1],
    }


def _large(service: Service) -> Mapping[str, float]:
    request = service.request(0, secrets.token_bytes(LARGE))
    return {"large": LARGE / 2**20 / (service.ask(request) / 1000)}


def _honest(port: int, *flags: object) -> str:
    words = [sys.executable, "-m", "tests.benchmarks.honest_process", "--port", port, *flags]
    return shlex.join(map(str, words))


def _function() -> Callable[[Any], int]:
    return lambda value: 42  # of no module, and so sent by value


FUNCTION = encode(_function())


@contextmanager
def _services(*, tls: bool) -> Iterator[dict[str, Service]]:
    """Start ``serve`` and the reference workers; yield them by label."""
    with ExitStack() as stack:
        served = stack.enter_context(serving(*([] if tls else ["--no-tls"])))
        context = ssl.create_default_context(cafile=served["ca_file"]) if tls else None
        port = urllib.parse.urlsplit(served["url"]).port
        assert port is not None
        secret = Path(served["secret_file"]).read_text()
        security = NetworkExecutorSecurity(mode="signed", secret=secret)
        services = {SERVE: Service(port, served["pid"], context, security)}
        ca = stack.enter_context(CertificateAuthority())
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        certificate, key = references.certificate(ca, directory)
        context = ca.client_context() if tls else None
        stack.enter_context(mock.patch.dict(os.environ, WOVE_WORKER_SECRET=secret))
        flags = ("--cert", certificate, "--key", key) if tls else ()
        commands: dict[str, Callable[[int], str]] = {
            FASTAPI: lambda port: references.command("fastapi", port, *flags),
            STDLIB: lambda port: references.command("stdlib", port, *flags),
            HONEST: lambda port: _honest(port, *flags),
            HONEST_THREADS: lambda port: _honest(port, "--threads", IN_FLIGHT, *flags),
        }
        for label, words in commands.items():
            port = free_port()
            command = ServiceCommand(words(port), "127.0.0.1", port)
            stack.enter_context(command)
            assert command._process is not None
            services[label] = Service(port, command._process.pid, context, security)
        yield services
