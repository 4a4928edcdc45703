"""`CaseContext`, the object through which each case starts workers and weaves and waits for them.
It ends them all when the case ends."""

from __future__ import annotations

import itertools
import ssl
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from wove_http_dev.client import urllib_opener
from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.executor.background_weave import (
    BackgroundWeave,
    Define,
    Script,
    ScriptedWeave,
)
from wove_http_dev.conformance.executor.executor_under_test import ExecutorUnderTest
from wove_http_dev.conformance.executor.own_process import environment, process_settings
from wove_http_dev.conformance.executor.plain_http import PlainHttp
from wove_http_dev.conformance.executor.sent_log import RecordedWeave, RecordedWorker, SentLog
from wove_http_dev.conformance.executor.shared_block import Shared
from wove_http_dev.conformance.executor.thread_exceptions import record_uncaught
from wove_http_dev.conformance.executor.time_limits import watch_time_limits
from wove_http_dev.conformance.worker.machine import Machine
from wove_http_dev.errors import StuckRunWarning
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.weave_outcome import WeaveOutcome
from wove_http_dev.worker import HttpWorker

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

TIMEOUT = 10.0
"""The executor's timeout, in seconds on an idle machine, in cases that do not check timeouts: more
than such a case waits for anything, or the timeout would end what the case sees."""
DELIVERY_TIMEOUT = 2.0
"""Wove's delivery_timeout, in seconds, in cases that do not check timeouts. It turns a lost run
into an error."""
MARGIN = 1.5
"""Seconds by which a weave may exceed its timeouts on an idle machine."""
PATIENCE = 5.0
"""Seconds to wait for something that a correct executor does at once, on an idle machine."""
CLEANUP = 2.0
"""Seconds within which a weave must end after it was cancelled and its worker has stopped."""
POOL_OVERFLOW = 40
"""More simultaneous runs than Python's default thread pool has threads (at most 32)."""


class Session:
    """What all cases of a check share: the executor under test, and the certificate authority (CA)
    of the workers.

    ``slowdown`` returns the factor by which each case multiplies its time limits, and ``silence``
    is the factor for the times that every check goes through in full, such as waits for what should
    not happen.
    """

    def __init__(
        self,
        subject: ExecutorUnderTest,
        ca: CertificateAuthority,
        *,
        slowdown: Callable[[], float] | None = None,
        silence: float = 1.0,
    ) -> None:
        self.subject = subject
        self.ca = ca
        self._machine = Machine()
        self.slowdown = slowdown or self._machine.slowdown
        self.silence = silence
        self._numbers = itertools.count(1)
        self.stuck = 0
        """The number of weaves that had still not ended :data:`CLEANUP` seconds after their worker
        stopped."""
        self.uncaught: list[str] = []
        """The uncaught exceptions that ended threads during the cases, as text."""
        self._process = Shared(self._process_wide)
        self.plain_http = PlainHttp(self)
        self.process_settings = {**process_settings(), "os.environ": environment()}
        """The results of :func:`process_settings` and :func:`environment` before the first case."""

    @contextmanager
    def case(self) -> Iterator[CaseContext]:
        """Yield the context of one case, and end its workers and weaves after the block."""
        with self._machine.used(), self._process.entered():
            check = CaseContext(self)
            try:
                yield check
            finally:
                check.close()

    @contextmanager
    def _process_wide(self) -> Iterator[None]:
        """Record uncaught exceptions, and ignore the warning about a run that never ends: the
        case that sees it reports it."""
        with record_uncaught(self.uncaught), warnings.catch_warnings():
            warnings.simplefilter("ignore", StuckRunWarning)
            yield

    def next_name(self) -> str:
        """Return a new name for a Wove environment, which no other case of the check uses."""
        return f"conformance-{next(self._numbers)}"


class CaseContext:
    """Starts workers and weaves for one case; :meth:`close` ends them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._slowdown = session.slowdown()
        self._limits = watch_time_limits()
        self._uncaught_before = len(session.uncaught)
        self._exit = ExitStack()
        self._log = SentLog()
        self._workers: list[HttpWorker] = []
        self._weaves: list[BackgroundWeave] = []

    def close(self) -> None:
        """End every worker and weave. Answers that a worker delays are released first, so that the
        executor's threads can end."""
        for worker in self._workers:
            worker.reset()
        for weave in self._weaves:
            weave.wait(0.2)
        self._exit.close()
        for weave in self._weaves:
            if not weave.cancel(self.seconds(CLEANUP)):
                self._session.stuck += 1

    @property
    def late(self) -> bool:
        """Whether a time limit has passed in this case: one of its own, or of a run."""
        return self._limits.passed

    @property
    def sent(self) -> str:
        """What the case has done so far, on one line of limited length, for the report."""
        return self._log.text()

    # Workers

    def worker(self, **options: Any) -> HttpWorker:
        """Start a worker and return it. By default it uses https and signatures, and sets the
        executor's ``timeout`` to 10 s (more on a busy machine); ``options`` can change that."""
        timeout = self.seconds(TIMEOUT)
        words: dict[str, Any] = {"timeout": timeout, "delivery_timeout": None, **options}
        worker = RecordedWorker(ca=self._session.ca, **words)
        self._log.add_worker(worker)
        self._log.add("worker", options)
        self._exit.enter_context(worker)
        worker.log = self._log
        self._exit.enter_context(urllib_opener.route_requests(worker.url, self.client_context()))
        self._workers.append(worker)
        return worker

    def quick_worker(self, **options: Any) -> HttpWorker:
        """Start a worker as :meth:`worker` does, but for http, which is quicker, unless the
        executor takes https URLs only."""
        return self.worker(tls=not self.takes_plain_http, **options)

    @property
    def takes_plain_http(self) -> bool:
        """Whether the executor sends to an http:// URL."""
        return self._session.plain_http.taken

    def client_context(self) -> ssl.SSLContext:
        """Return a TLS context that trusts the workers' certificates."""
        return self._session.ca.client_context()

    def seconds(self, idle: float) -> float:
        """Convert a time limit: return how many seconds to allow now for what takes up to ``idle``
        seconds on an idle machine."""
        return idle * self._slowdown

    def silence(self, idle: float) -> float:
        """Return how many seconds to wait for something that should not happen, and that would take
        up to ``idle`` seconds on an idle machine. Every check waits that long (``waits.watch``)."""
        return self.seconds(idle) * self._session.silence

    def enter(self, context: Any) -> Any:
        """Enter the context manager ``context`` and return what it yields; it is left when the case
        ends."""
        return self._exit.enter_context(context)

    # Weaves

    def security_of(self, worker: HttpWorker) -> Mapping[str, Any]:
        """Return the ``executor_config["security"]`` that ``worker`` accepts. The worker must
        require a secret or a token."""
        found: Mapping[str, Any] = worker.environment_definition["executor_config"]["security"]
        return found

    def definition(self, worker: HttpWorker, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the definition of an environment that sends tasks to ``worker`` through a new
        executor. ``settings`` replace entries of its ``executor_config``."""
        if settings:
            self._log.add("executor_config", settings)
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
    ) -> BackgroundWeave:
        """Start a weave with the tasks that ``define`` adds, and return it while it runs.

        ``options`` are for the weave, ``settings`` for the executor. If ``definition`` is given,
        the weave uses the executor in it instead of a new one.
        """
        definition = definition or self.definition(worker, settings or {})

        def define_recorded(w: Weave, environment: str) -> None:
            define(RecordedWeave(w, self._log), environment)  # type: ignore[arg-type]  # do() is all

        weave = BackgroundWeave(self._session.next_name(), definition, define_recorded, **options)
        self._weaves.append(weave)
        return weave

    def run_one_weave(
        self,
        worker: HttpWorker,
        value: Any = "the result",
        *,
        settings: Mapping[str, Any] | None = None,
        within: float = PATIENCE,
        planned: float = 0.0,
        what: str = "a weave of one task",
        definition: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> WeaveOutcome:
        """Run a weave whose only task, called ``task``, returns ``value``; wait for the weave to
        end and return the task's outcome.

        ``options`` are for the task; its ``delivery_timeout`` is 2 s by default (more on a busy
        machine). ``settings`` and ``definition`` are those of :meth:`weave`, the other arguments
        those of :meth:`expect_end`.
        """
        options.setdefault("delivery_timeout", self.seconds(DELIVERY_TIMEOUT))

        def define(w: Weave, environment: str) -> None:
            @w.do(environment=environment, **options)
            def task() -> Any:
                return value

        weave = self.weave(worker, define, settings, definition=definition)
        self.expect_end(weave, within, what, planned=planned)
        return weave.outcome()

    def run_script(
        self,
        worker: HttpWorker,
        script: Script,
        *,
        settings: Mapping[str, Any] | None = None,
        within: float = PATIENCE,
        planned: float = 0.0,
    ) -> Any:
        """Run the coroutine function ``script`` in the event loop of a weave; return what it
        returns, or raise what it raises. Raises :class:`CaseFailed` if it has not ended in time;
        ``within`` and ``planned`` are those of :meth:`expect_end`."""
        scripted = ScriptedWeave(
            self._session.next_name(),
            self.definition(worker, settings or {}),
            script,
            lambda name, options: self._log.add(f"run {name}", options),
        )
        self._weaves.append(scripted.weave)
        within = planned + self.seconds(within)
        if not scripted.wait(within):
            self.fail(
                f"the case's runs had not ended after {within:.1f} s: the weave hangs", late=True
            )
        error = scripted.error or scripted.weave.raised
        if isinstance(error, Exception):
            raise error
        if error is not None:
            self.fail(f"{type(error).__name__} ended the whole weave: {error}")
        return scripted.value

    @property
    def last_weave(self) -> BackgroundWeave:
        """The weave that this case started last."""
        return self._weaves[-1]

    # The process

    @property
    def process_before(self) -> Mapping[str, Any]:
        """The results of :func:`process_settings` and :func:`environment` before the first case."""
        return self._session.process_settings

    @property
    def uncaught(self) -> list[str]:
        """The uncaught exceptions that ended threads during this case, as text."""
        return self._session.uncaught[self._uncaught_before :]

    # Verdicts

    def fail(self, actual: str, expected: str | None = None, *, late: bool = False) -> NoReturn:
        """Raise :class:`CaseFailed`. ``actual`` says what was seen, ``expected`` what was expected
        instead of the case's own text; ``late`` is true if a time limit has passed."""
        raise CaseFailed(actual, expected=expected, late=late)

    def expect_end(
        self, weave: BackgroundWeave, within: float, what: str, *, planned: float = 0.0
    ) -> None:
        """Wait for ``weave`` to end. Raises :class:`CaseFailed` if it has not ended after
        ``planned`` seconds, for which the case itself makes it wait, and ``within`` seconds (more
        on a busy machine); the message calls the weave ``what``."""
        within = planned + self.seconds(within)
        if not weave.wait(within):
            self.fail(f"{what} had not ended {within:.1f} s after it began", late=True)

    def expect_error(self, outcome: WeaveOutcome, what: str) -> WeaveOutcome:
        """Return ``outcome`` if it is an error of the task. Otherwise raise :class:`CaseFailed`;
        ``what`` describes the situation in the message."""
        if outcome.kind == "result":
            self.fail(f"{what}: the failure was swallowed, the weave has {outcome}")
        if outcome.kind == "nothing":
            self.fail(f"{what}: the failure was swallowed, the task has no result and no error")
        if outcome.kind == "raised":
            self.fail(f"{what}: {outcome}, and the task itself has no error")
        return outcome
