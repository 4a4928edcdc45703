"""What an exception that ended a test means, where its own message does not say what to do."""

from __future__ import annotations

import re
from asyncio import CancelledError
from collections.abc import Mapping, Sequence
from functools import partial
from urllib.parse import urlsplit

from wove_http_dev.call_site import at
from wove_http_dev.client_side import ClientSide
from wove_http_dev.exception_text import message_of
from wove_http_dev.printable import printable
from wove_http_dev.spelling import nearest
from wove_http_dev.worker_side import WorkerSide

NAME_LIMIT = 200
"""Characters of a name that a text shows."""
_ENDING = (
    *("TimeoutError", "CancelledError", "StopIteration", "StopAsyncIteration"),
    *("GeneratorExit", "KeyboardInterrupt", "SystemExit"),
)
"""Exceptions that Wove, or asyncio below it, takes for a signal of its own."""


def hint(
    exc: BaseException,
    workers: Sequence[ClientSide],
    requested: str = "",
    *,
    replaced: bool = False,
) -> str:
    """Return what to do about ``exc``, which ended a test with ``workers``; empty if its own
    message says it, or if it is no mistake that is known. ``requested`` is a fixture for a worker
    that the test requests; ``replaced`` says that it is one of the project's own. Never raises."""
    # _no_result before _refused, which would say of a KeyError that nothing was sent.
    known = (
        partial(_not_configured, requested=requested, replaced=replaced),
        *(_not_sent, _no_result, _unresolved, _refused, _unauthorized),
        *(_wrong_path, _held, _heartbeat, _described_only),
    )
    try:
        return printable(next(filter(None, (text(exc, workers) for text in known)), ""))
    except (Exception, SystemExit):  # of a user's own __getattr__ or __str__
        return ""


def _not_configured(
    exc: BaseException, workers: Sequence[ClientSide], *, requested: str, replaced: bool
) -> str:
    name = _unconfigured_environment(exc)
    if name is None:
        return ""
    known = [worker.environment for worker in workers]
    if not known:
        if replaced:
            why = (
                f"the project's own fixture {requested} does not configure it; use `with"
                " worker.configured():` there"
            )
        elif requested:
            why = (
                f"the fixture {requested}, which configures one, has not begun; request it in the"
                " fixture that sends the task as well"
            )
        else:
            why = (
                "the fixture wove_http_worker configures 'workers', so add it to the test's"
                " arguments"
            )
        return f"Wove has no environment {name!r} in this test: {why}"
    if name in known:
        if not any(_is_configured(worker) for worker in workers if worker.environment == name):
            return (
                f"Wove's configuration does not have the environment {name!r} of this worker: use"
                " `with worker.configured():`, which puts it there for the block"
            )
        return (
            f"Wove had the environment {name!r} when the fixture configured it, and has lost it:"
            " the test emptied Wove's configuration, or imported Wove a second time"
        )
    meant = nearest(name, known) or known[0]
    return (
        f"Wove has no environment {name!r} in this test, which has a worker for"
        f" {', '.join(map(repr, known))}: write @w.do(environment={meant!r}), or"
        f" @pytest.mark.wove_http(environment={name!r}) on the test"
    )


def _is_configured(worker: ClientSide) -> bool:
    """Whether Wove's environment was pointed at ``worker``, and that has not been undone."""
    return not isinstance(worker, WorkerSide) or worker._configured > 0


def _unconfigured_environment(exc: BaseException) -> str | None:
    """Return the name of the environment that Wove did not find; ``None`` for another exception."""
    if type(exc) is not NameError:
        return None
    # The only sign: Wove raises NameError for nothing else, and gives it no attribute.
    found = re.fullmatch(r"Environment '(.*)' is not configured\.", str(exc))
    return found[1][:NAME_LIMIT] if found else None


def _arrived(worker: ClientSide) -> bool:
    """Whether ``worker`` received anything."""
    return isinstance(worker, WorkerSide) and bool(worker.journal.exchanges)


def _raised_in(exc: BaseException) -> tuple[str, Mapping[str, object]]:
    """Return the name of the module that raised ``exc``, and the variables there."""
    entry = exc.__traceback__
    while entry is not None and entry.tb_next is not None:
        entry = entry.tb_next
    if entry is None:
        return "", {}
    return str(entry.tb_frame.f_globals.get("__name__", "")), entry.tb_frame.f_locals


def _no_result(exc: BaseException, workers: Sequence[ClientSide]) -> str:
    # Wove ends the other tasks of a weave when one fails, and then has no result of them.
    module, variables = _raised_in(exc)
    if type(exc) not in (AttributeError, KeyError) or module != "wove.result":
        return ""
    errors = getattr(variables["self"], "_errors", None)
    if not errors:
        return ""
    task, error = next(iter(errors.items()))
    return (
        f"the weave has no such result: its task {str(task)[:NAME_LIMIT]!r} failed"
        f" ({type(error).__name__}: {message_of(error, NAME_LIMIT)}), which ends the others;"
        " read its result first, which raises that error"
    )


def _unresolved(exc: BaseException, workers: Sequence[ClientSide]) -> str:
    from wove.errors import UnresolvedSignatureError

    if not workers or not isinstance(exc, UnresolvedSignatureError):
        return ""
    return (
        "Wove found no value for a parameter of a task, for which a default does not count, and"
        " began no task: pass it as weave(NAME=…), or name it like the task that returns it"
    )


def _refused(exc: BaseException, workers: Sequence[ClientSide]) -> str:
    raised_in, _ = _raised_in(exc)
    if not workers or raised_in.partition(".")[0] != "wove" or any(map(_arrived, workers)):
        return ""
    if not isinstance(exc, (ValueError, TypeError, LookupError, RuntimeError)):
        return ""
    return (
        "Wove itself refused the weave or its configuration before it sent a task;"
        " wove-http-dev doctor MODULE checks the module that calls wove.config()"
    )


def _not_sent(exc: BaseException, workers: Sequence[ClientSide]) -> str:
    payload = getattr(exc, "payload", None)
    if not workers or not isinstance(payload, dict) or payload.get("source") != "transport":
        return ""
    if payload.get("kind") not in ("TypeError", "PicklingError"):
        return ""
    if any(map(_arrived, workers)):
        return ""
    return (
        "the task was not sent, because what it uses cannot be pickled: make locks, files and"
        " connections inside the task, and use fixtures in the test, outside the task"
    )


def _unauthorized(exc: BaseException, workers: Sequence[ClientSide]) -> str:
    """What to do where another process refused the credentials; a worker's report has it."""
    remote = [worker for worker in workers if not isinstance(worker, WorkerSide)]
    # Wove keeps the text of urllib's HTTPError, and nothing else of it.
    if not remote or not str(exc).startswith("HTTP Error 401:"):
        return ""
    if remote[0].credentials.mode == "none":
        return (
            "the worker service requires credentials, and these tests have none: add"
            " --wove-http-secret-env NAME, where NAME is the environment variable that holds its"
            " secret, or --wove-http-bearer-env NAME"
        )
    return (
        "the worker service refused the credentials of these tests: give it and --wove-http-… the"
        " same secret or token, and check both clocks"
    )


def _wrong_path(exc: BaseException, workers: Sequence[ClientSide]) -> str:
    remote = [worker for worker in workers if not isinstance(worker, WorkerSide)]
    if not remote or not str(exc).startswith("HTTP Error 404:"):
        return ""
    path = urlsplit(remote[0].url).path or "/"
    return f"the worker service takes no tasks at {path}: correct the path of --wove-http-url"


def _gave_up(exc: BaseException) -> bool:
    """Whether Wove gave up a task because it took too long."""
    from wove.environment import DeliveryTimeoutError

    payload = getattr(exc, "payload", None)
    kind = payload.get("kind") if isinstance(payload, dict) else None
    return isinstance(exc, (DeliveryTimeoutError, CancelledError)) or kind == "TimeoutError"


def _held(exc: BaseException, workers: Sequence[ClientSide]) -> str:
    if not _gave_up(exc):
        return ""
    gates = [gate for worker in workers if isinstance(worker, WorkerSide) for gate in worker.gates]
    held = [(gate, run) for gate in gates for run in gate.runs]
    if not held:
        return ""
    gate, run = held[0]
    task = run.task_id[:NAME_LIMIT]
    return (
        f"the task {task!r} was held by {at(gate.call, gate.place)} until Wove gave it up: a weave"
        " that is not async blocks the thread that would release it. Release it from another"
        f" thread, use an async weave, or hold({task!r}, release_when=1), which releases by itself"
    )


def _heartbeat(exc: BaseException, workers: Sequence[ClientSide]) -> str:
    from wove.environment import DeliveryTimeoutError

    # The only sign: Wove raises the same error for a delivery_timeout, and gives it no attribute.
    missed = isinstance(exc, DeliveryTimeoutError) and str(exc).startswith("Delivery heartbeat")
    if not workers or not missed:
        return ""
    return (
        "over http a task's heartbeats come with its result, so every task that takes longer than"
        " its delivery_heartbeat_seconds fails: leave that setting out"
    )


def _described_only(exc: BaseException, workers: Sequence[ClientSide]) -> str:
    """Why Wove raised an error of its own in place of the exception that the task raised."""
    payload = getattr(exc, "payload", None)
    # A task's process that has ended has no traceback: nothing was raised there.
    if not workers or not isinstance(payload, dict) or not payload.get("traceback"):
        return ""
    if payload.get("source") != "task":
        return ""
    kind = str(payload.get("kind"))[:NAME_LIMIT]
    if kind in _ENDING:
        why = f"because Wove would take a {kind} for its own, and cancel the weave"
    else:
        why = (
            "because it does not survive pickling unchanged, or is not an Exception: an exception"
            " is made again from what super().__init__() got, so let its __init__ take just that,"
            " or give it a __reduce__"
        )
    return (
        f"the task raised {kind}, which arrives as {type(exc).__name__} with its kind and message"
        f" in .payload, {why}"
    )
