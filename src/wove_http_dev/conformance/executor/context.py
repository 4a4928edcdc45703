"""What a case works with: workers with a fault, weaves through the executor under check, patience.

It knows how to bring the two together and how to clean up after them; what must come of it is the
cases' business.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from werkzeug.datastructures import Headers

from wove_http_dev.client import environ, urllib_opener
from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.executor import uncaught
from wove_http_dev.conformance.executor.subject import Subject
from wove_http_dev.conformance.executor.weaving import Define, Script, Scripted, Told, Weaving
from wove_http_dev.errors import StuckRunWarning
from wove_http_dev.runs.records import Exchange
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.worker import HttpWorker

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

TIMEOUT = 10.0
"""Seconds: the executor's own timeout, where a case is not about it."""
DELIVERY_TIMEOUT = 2.0
"""Seconds: Wove's own, likewise, so that a run that is lost is an error and no hang."""
MARGIN = 1.5
"""Seconds that a weave may take beyond its timeouts: a busy machine is no shortfall."""
PATIENCE = 5.0
"""Seconds for what an executor without a defect does at once."""
CLEANUP = 2.0
POLL = 0.005


class Session:
    """The executor under check and the certificates of its workers; shared by all cases."""

    def __init__(self, subject: Subject, ca: CertificateAuthority) -> None:
        self.subject = subject
        self.ca = ca
        self.stuck = 0
        """Weaves that never ended, even with their worker gone."""
        self.uncaught: list[str] = []
        """The exceptions that ended threads during cases, in words."""
        self.process = process_settings()
        """Settings of the whole process before the first case."""

    @contextmanager
    def case(self) -> Iterator[CaseContext]:
        """The context of one case; its workers and weaves are ended with it."""
        with uncaught.recorded(self.uncaught):
            check = CaseContext(self)
            try:
                yield check
            finally:
                check.close()


@contextmanager
def surroundings() -> Iterator[CertificateAuthority]:
    """A CA that an executor trusts however it makes its TLS context, and no proxy in between.

    To be entered before the executor is imported: some clients look once, at import.
    """
    with CertificateAuthority() as ca, ExitStack() as stack:
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
            stack.enter_context(environ.variable(name, ca.bundle_file))
        proxyless = dict(os.environ)
        for host in ("localhost", "127.0.0.1", ".conformance.internal"):
            proxyless.update(environ.without_proxy(host, proxyless))
        for name in ("no_proxy", "NO_PROXY"):
            stack.enter_context(environ.variable(name, proxyless[name]))
        yield ca


class CaseContext:
    """The context of one case."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._uncaught_before = len(session.uncaught)
        self._workers = ExitStack()
        self._names = (f"conformance-{number}" for number in itertools.count(1))
        self._started: list[HttpWorker] = []
        self._weavings: list[Weaving] = []

    def close(self) -> None:
        """End everything: stalls are released first, so that the executor's threads can end."""
        for worker in self._started:
            worker.reset()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", StuckRunWarning)
            for weaving in self._weavings:
                weaving.wait(0.2)
            self._workers.close()
        for weaving in self._weavings:
            if not weaving.abandon(CLEANUP):
                self._session.stuck += 1

    # The worker's side

    def worker(self, **options: Any) -> HttpWorker:
        """A running worker of ours: https, signed, the executor's ``timeout`` 10 s, unless
        ``options`` say otherwise."""
        words: dict[str, Any] = {"timeout": TIMEOUT, "delivery_timeout": None, **options}
        worker = self._workers.enter_context(HttpWorker(ca=self._session.ca, **words))
        self._workers.enter_context(urllib_opener.routed(worker.url, self.client_context()))
        self._started.append(worker)
        return worker

    def client_context(self) -> Any:
        """A TLS context that trusts our CA."""
        return self._session.ca.client_context()

    def holding(self, context: Any) -> Any:
        """Enter a context manager that is left with the case."""
        return self._workers.enter_context(context)

    # The executor's side

    def security_of(self, worker: HttpWorker) -> Mapping[str, Any]:
        """What ``executor_config["security"]`` is for ``worker``, a signing or a bearer one."""
        found: Mapping[str, Any] = worker.environment_definition["executor_config"]["security"]
        return found

    def definition(self, worker: HttpWorker, settings: Mapping[str, Any]) -> dict[str, Any]:
        """An environment of a fresh executor for ``worker``; ``settings`` go over its config."""
        config = {**worker.environment_definition["executor_config"], **settings}
        try:
            executor = self._session.subject.make()
        except SystemExit as exc:
            self.fail(f"the factory ended the program: SystemExit: {exc}")
        return {"executor": executor, "executor_config": config}

    def weave(
        self,
        worker: HttpWorker,
        define: Define,
        settings: Mapping[str, Any] | None = None,
        *,
        definition: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Weaving:
        """Start a weave; ``options`` are its own, ``settings`` the executor's. With a
        ``definition`` it takes the executor there, not a fresh one."""
        definition = definition or self.definition(worker, settings or {})
        weaving = Weaving(next(self._names), definition, define, **options)
        self._weavings.append(weaving)
        return weaving

    def one(
        self,
        worker: HttpWorker,
        value: Any = "the result",
        *,
        settings: Mapping[str, Any] | None = None,
        within: float = PATIENCE,
        what: str = "a weave of one task",
        definition: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Told:
        """What comes of a weave of one task, called ``task``, which returns ``value``.

        ``options`` are the task's; a ``delivery_timeout`` of 2 s unless they say otherwise.
        """
        options.setdefault("delivery_timeout", DELIVERY_TIMEOUT)

        def define(w: Weave, environment: str) -> None:
            @w.do(environment=environment, **options)
            def task() -> Any:
                return value

        weaving = self.weave(worker, define, settings, definition=definition)
        self.ends(weaving, within, what)
        return weaving.told()

    @property
    def process_before(self) -> Mapping[str, Any]:
        """The :func:`process_settings` before the first case."""
        return self._session.process

    @property
    def uncaught(self) -> list[str]:
        """The exceptions that have ended threads during this case, in words."""
        return self._session.uncaught[self._uncaught_before :]

    @property
    def last_weave(self) -> Weaving:
        """The weave that was started last."""
        return self._weavings[-1]

    def ends(self, weaving: Weaving, within: float, what: str) -> None:
        """The weave must end within so many seconds."""
        if not weaving.wait(within):
            self.fail(f"{what} had not ended {within:.1f} s after it began")

    def script(
        self,
        worker: HttpWorker,
        script: Script,
        *,
        settings: Mapping[str, Any] | None = None,
        within: float = PATIENCE,
    ) -> Any:
        """What ``script`` returns, run in the event loop of a weave. What it raises is raised."""
        scripted = Scripted(next(self._names), self.definition(worker, settings or {}), script)
        self._weavings.append(scripted.weaving)
        if not scripted.wait(within):
            self.fail(f"the runs of the case had not ended after {within:.1f} s: the weave hangs")
        error = scripted.error or scripted.weaving.raised
        if isinstance(error, Exception):
            raise error
        if error is not None:
            self.fail(f"{type(error).__name__} ended the whole weave: {error}")
        return scripted.value

    def fail(self, actual: str, expected: str | None = None) -> NoReturn:
        """The case falls short."""
        raise CaseFailed(actual, expected=expected)


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for ``condition``; whether it held within ``seconds``."""
    ends, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        if time.monotonic() > ends:
            return False
        pause.wait(POLL)
    return True


async def until_in_loop(condition: Callable[[], bool], seconds: float) -> bool:
    """The same for a script, whose event loop goes on meanwhile."""
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            return False
        await asyncio.sleep(POLL)
    return True


async def attempt(run: Any) -> Told:
    """What comes of one run of a script."""
    try:
        return Told("result", await run)
    except Exception as exc:
        return Told("error", error=exc)
    except asyncio.CancelledError as exc:
        # Wove's word for a run that was cancelled; a script that is itself cancelled ends anyhow.
        return Told("raised", error=exc)


def process_settings() -> dict[str, Any]:
    """What belongs to the whole process, in words, and what it is now."""
    return {
        "the working directory": os.getcwd(),
        "socket.getdefaulttimeout()": socket.getdefaulttimeout(),
        "urllib's and http.client's verification of certificates": (
            ssl._create_default_https_context
        ),
    }


def frames_of(worker: HttpWorker, kind: str, task: str = "") -> list[Exchange]:
    """The command frames of one type that ``worker`` has received, refused ones included."""
    return [
        exchange
        for exchange in worker.journal.exchanges
        if exchange.frame_type == kind and task in (exchange.task_id or "")
    ]


def headers_of(exchange: Exchange) -> Headers:
    """Its headers, found whatever the case of their names."""
    return Headers(exchange.headers)


def requests_of(worker: HttpWorker) -> list[Exchange]:
    """Every whole HTTP request that ``worker`` has received."""
    return [exchange for exchange in worker.exchanges if exchange.kind == "request"]
