"""Workers in a process of their own, for the benchmarks and soak tests.

:class:`WorkerProcess` starts the process and asks it for figures: memory, descriptors, threads, and
what it has seen. The process counts which classes and functions its unpickling looked up.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import secrets
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from wove_http_dev.client import urllib_opener, wove_config
from wove_http_dev.runs.journal import COUNT_LIMIT
from wove_http_dev.runs.observer import JournalObserver
from wove_http_dev.runs.records import Exchange
from wove_http_dev.runs.retention import Retention
from wove_http_dev.service.host import InProcessHost
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.worker import HttpWorker

ROOT = Path(__file__).parents[1]
EXIT_TIMEOUT = 30.0


def process_figures() -> dict[str, int]:
    """The resident memory (bytes), open descriptors, threads, and memory blocks in use of this
    process."""
    gc.collect()
    with suppress(AttributeError, OSError):  # glibc: give back what was freed
        ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * resource.getpagesize()
    return {
        "resident": resident,
        "descriptors": len(os.listdir("/proc/self/fd")) - 1,  # without the one that lists them
        "threads": threading.active_count(),
        "blocks": sys.getallocatedblocks(),
    }


class WorkerProcess:
    """A process that runs workers; ``start(options)`` starts one, on a free port."""

    def __init__(self, stderr: IO[bytes] | int | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.worker_process"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(EXIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._process.stdout.close()

    def ask(self, command: str, argument: Any = None) -> Any:
        """Send a command and wait for its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([command, argument]).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker's process ended with {self._process.wait()}")
        return json.loads(line)

    def start(self, **options: Any) -> RemoteAddress:
        """Start a worker in the process; return where it is and what a client needs."""
        secret = secrets.token_urlsafe(32)
        answer = self.ask("start", {**options, "secret": secret})
        return RemoteAddress(answer, secret, options.get("security", "signed"))

    def figures(self) -> dict[str, Any]:
        """``process_figures`` and the counts of :class:`_Watcher`, of the process."""
        answer: dict[str, Any] = self.ask("figures")
        return answer


class RemoteAddress:
    """Where a worker of a :class:`WorkerProcess` is, and its credentials."""

    def __init__(self, answer: Mapping[str, Any], secret: str, security: str) -> None:
        self.url: str = answer["url"]
        self.port: int = answer["port"]
        self.ca_file: str | None = answer["ca_file"]
        self.secret = secret
        self.security = security

    @property
    def tls(self) -> bool:
        """Whether it serves https."""
        return self.ca_file is not None

    def context(self) -> ssl.SSLContext | None:
        """The TLS context of a client; ``None`` for http."""
        return ssl.create_default_context(cafile=self.ca_file) if self.tls else None

    @contextmanager
    def configured(self, timeout: float = 30.0) -> Iterator[str]:
        """Configure a Wove environment that sends to the worker; yield its name."""
        name = f"worker-{self.port}"
        field = "token" if self.security == "bearer" else "secret"
        definition = {
            "executor": "http",
            "executor_config": {
                "url": self.url,
                "timeout": timeout,
                "security": {"type": self.security, field: self.secret},
            },
            "delivery_timeout": timeout,
        }
        with ExitStack() as stack:
            context = self.context()
            if context is not None:
                stack.enter_context(urllib_opener.route_requests(self.url, context))
            stack.enter_context(wove_config.configured(name, definition, timeout))
            yield name


# In the process


class _Watcher(JournalObserver):
    """Counts what the workers of this process received, and what unpickling looked up."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.failures: list[str] = []
        self.foreign: Counter[str] = Counter()
        self._known: set[str] = set()
        self._learning = True
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "pickle.find_class":
            return
        module, attribute = arguments
        if module == "builtins" and attribute.endswith("Error"):  # what an accepted task raised
            return
        name = f"{module}.{attribute}"
        if self._learning:
            self._known.add(name)
        elif name not in self._known:
            self.foreign[name] += 1

    def stop_learning(self) -> None:
        """From now on, count each lookup by unpickling that was never made before."""
        self._learning = False

    def exchange_closed(self, exchange: Exchange) -> None:
        self.statuses[str(exchange.status)] += 1
        self.codes[exchange.code] += 1
        if exchange.internal_error and len(self.failures) < 100:
            self.failures.append(exchange.line())

    def counts(self) -> dict[str, Any]:
        return {
            "statuses": self.statuses,
            "codes": self.codes,
            "failures": self.failures,
            "foreign": self.foreign,
        }


class _Commands:
    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._watcher = _Watcher()
        self._workers: list[HttpWorker] = []

    def start(self, options: dict[str, Any]) -> dict[str, Any]:
        journal_bytes = options.pop("journal_bytes", None)
        ca = self._stack.enter_context(CertificateAuthority())
        worker = self._stack.enter_context(HttpWorker(ca=ca, **options))
        if journal_bytes is not None:
            worker.journal._kept = Retention(count=COUNT_LIMIT, byte_limit=journal_bytes)
        worker.journal.observe(self._watcher)
        self._workers.append(worker)
        return {
            "url": worker.url,
            "port": worker.port,
            "ca_file": worker.ca_file if worker.options.tls else None,
        }

    def figures(self, _: None) -> dict[str, Any]:
        hosts = [worker._host for worker in self._workers]
        nonces = sum(
            len(host.pipeline.authenticator._nonces)
            for host in hosts
            if isinstance(host, InProcessHost)
        )
        journals = sum(worker.journal._kept.size for worker in self._workers)
        return {
            **process_figures(),
            **self._watcher.counts(),
            "nonces": nonces,
            "journals": journals,
        }

    def stop_learning(self, _: None) -> None:
        self._watcher.stop_learning()

    def reset(self, _: None) -> None:
        for worker in self._workers:
            worker.reset()

    def stop(self, _: None) -> None:
        self._stack.close()


def main() -> None:
    with ExitStack() as stack:
        commands = _Commands(stack)
        for line in sys.stdin:
            command, argument = json.loads(line)
            print(json.dumps(getattr(commands, command)(argument)), flush=True)


if __name__ == "__main__":
    main()
