"""Records what a case does: the workers it starts, their faults, stubs (prepared answers) and holds
(runs that wait), the weaves, and the workers' answers. Reports show this as ``sent``."""

from __future__ import annotations

import reprlib
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from wove_http_dev.cut_text import cut_end
from wove_http_dev.faults import Fault
from wove_http_dev.faults.injections import Injection
from wove_http_dev.runs.holds import Gate
from wove_http_dev.runs.records import Exchange
from wove_http_dev.runs.stubs import Stub
from wove_http_dev.secret import replace_secrets
from wove_http_dev.worker import HttpWorker

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

STEPS_LIMIT = 12
"""The most steps, and the most answers, that are shown; equal ones count once."""
STEP_LIMIT = 160
"""The most characters that are shown of one step."""
VALUE_LIMIT = 80
"""The most characters that are shown of one value."""


class SentLog:
    """The steps of one case in order, and the workers that it started. Equal steps are counted
    instead of repeated."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steps: Counter[str] = Counter()
        self._workers: list[HttpWorker] = []

    def add(self, step: str, words: Mapping[str, Any] | None = None) -> None:
        """Record ``step``; its text is followed by ``words`` as ``name=value``."""
        with self._lock:
            values = _HidingRepr(_secrets(self._workers))
            pairs = [f"{name}={values.text(value)}" for name, value in (words or {}).items()]
            self._steps[" ".join([step, *pairs])] += 1

    def add_worker(self, worker: HttpWorker) -> None:
        """Include the answers of ``worker`` in the text, and hide the worker's secret there."""
        with self._lock:
            self._workers.append(worker)

    def text(self) -> str:
        """Return the steps and the answers on one line of limited length, without secrets."""
        with self._lock:
            steps, workers = Counter(self._steps), list(self._workers)
        answers = Counter(
            _answer(exchange) for worker in workers for exchange in worker.journal.exchanges
        )
        secrets = _secrets(workers)
        parts = _counted(steps, secrets)
        if answers:
            parts.append(f"answered: {', '.join(_counted(answers, secrets))}")
        return "; ".join(parts)


def _secrets(workers: Iterable[HttpWorker]) -> list[str]:
    return [str(worker.secret) for worker in workers if worker.secret]


class _HidingRepr(reprlib.Repr):
    """Formats values as short text without secrets. They are hidden before the text is shortened,
    so that no part of a secret remains."""

    def __init__(self, secrets: list[str]) -> None:
        super().__init__()
        self.maxstring = self.maxother = VALUE_LIMIT
        self._secrets = secrets

    def text(self, value: Any) -> str:
        """Return ``value`` itself if it is a single word, otherwise its shortened ``repr``."""
        is_word = isinstance(value, str) and value.isidentifier() and len(value) <= VALUE_LIMIT
        return str(value) if is_word else self.repr(value)

    def repr_str(self, x: str, level: int) -> str:
        return super().repr_str(replace_secrets(x, self._secrets), level)

    def repr_float(self, x: float, level: int) -> str:
        return repr(float(f"{x:.6g}"))  # not 4.199999999999999

    def repr_instance(self, x: Any, level: int) -> str:
        try:
            text = replace_secrets(repr(x), self._secrets)
        except Exception as exc:  # the value is another program's
            return f"<{type(x).__name__}, whose repr raises {type(exc).__name__}>"
        return cut_end(text, self.maxother)


def _answer(exchange: Exchange) -> str:
    """Return one request and its answer as text, e.g. ``run_task -> 200
    task_started+task_result``."""
    status = str(exchange.status) if exchange.status is not None else "no status"
    events = "+".join(exchange.events[:5])
    request = exchange.frame_type or exchange.method or exchange.kind
    return f"{request} -> {status} {events}".strip()


def _counted(texts: Counter[str], secrets: list[str]) -> list[str]:
    shown = []
    for text, count in list(texts.items())[:STEPS_LIMIT]:
        text = cut_end(replace_secrets(text, secrets), STEP_LIMIT)
        shown.append(f"{count} x {text}" if count > 1 else text)
    if len(texts) > STEPS_LIMIT:
        shown.append(f"{len(texts) - STEPS_LIMIT} more")
    return shown


class RecordedWorker(HttpWorker):
    """A worker that also notes, in ``log``, each fault, stub and hold that a case sets."""

    log: SentLog | None = None

    def _record(self, step: str, words: Mapping[str, Any] | None = None) -> None:
        if self.log is not None:
            self.log.add(step, words)

    def inject(self, *faults: Fault | str, **selection: Any) -> Injection:
        """Note the faults in the log; then do and return what :meth:`HttpWorker.inject` does."""
        self._record(f"fault {', '.join(map(str, faults))}", selection)
        return super().inject(*faults, **selection)

    def stub(self, task: str, **source: Any) -> Stub:
        """Note the stub (a prepared answer) in the log; then do and return what
        :meth:`HttpWorker.stub` does."""
        self._record(f"stub {task}", source)
        return super().stub(task, **source)

    def hold(self, task: str | None = None, *rest: Any, **words: Any) -> Gate:
        """Note in the log that runs are held (made to wait); then do and return what
        :meth:`HttpWorker.hold` does."""
        self._record(f"hold {task or 'every task'}")
        return super().hold(task, *rest, **words)


class RecordedWeave:
    """Stands for ``weave`` while a case defines tasks, and notes the options of each task."""

    def __init__(self, weave: Weave, log: SentLog) -> None:
        self._weave = weave
        self._log = log

    def do(self, *arguments: Any, **options: Any) -> Callable[[Any], Any]:
        """Like Wove's ``w.do``, return a decorator that adds a task to the weave; it also records
        the task and its options in the log. The environment's name is left out, because the
        checker chose it."""
        decorate = self._weave.do(*arguments, **options)

        def register(function: Callable[..., Any]) -> Any:
            shown = {name: value for name, value in options.items() if name != "environment"}
            self._log.add(f"task {function.__name__}", shown)
            return decorate(function)

        return register
