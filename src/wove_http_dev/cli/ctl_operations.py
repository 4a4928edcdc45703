"""The operations of ``ctl``: each asks the control API, and prints the answer."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from wove_http_dev.cli.ctl_text import CtlText, Tail
from wove_http_dev.cli.streams import complain
from wove_http_dev.errors import ConflictError, NotFoundError, UsageError
from wove_http_dev.inspector.client import ControlClient, Json
from wove_http_dev.printable import shortened
from wove_http_dev.runs.task_names import short_id

_NO_RUN = (
    "no run has arrived since serve started or was reset; wove-http-dev doctor MODULE says what"
    " keeps an application's tasks away"
)
_NO_MATCH = "no run matches; without --task, --state and --after, all are listed"
_NAME_LIMIT = 100
"""Characters of a name in a message."""


def perform(what: str, client: ControlClient, namespace: argparse.Namespace) -> int:
    """Do ``what``, a word of the command line, with the arguments ``namespace``; return the exit
    status, 1 if the worker cannot do it now.

    Raises :class:`UsageError` for everything else that fails.
    """
    try:
        return _OPERATIONS[what](client, namespace, CtlText.for_stream(sys.stdout))
    except ConflictError as exc:
        complain(exc)
        return 1
    except (LookupError, TypeError, AttributeError):  # JSON without what this version expects
        raise client.other_version() from None


def _print(namespace: argparse.Namespace, value: Any, lines: Callable[[], Iterable[str]]) -> int:
    """Print ``value``, which the API answered, with ``--json``, and else the ``lines`` that show
    it. Returns exit status 0."""
    print(json.dumps(value) if namespace.json else "\n".join(lines()))
    return 0


# To see


def _runs(client: ControlClient, namespace: argparse.Namespace, text: CtlText) -> int:
    after = namespace.after
    if after is not None and not _is_number(after):
        after = _find_run(client, after)["run_id"]
    found = client.runs(
        namespace.task,
        namespace.state,
        after,
        initial_values=namespace.initial_values,
        limit=None if namespace.all else namespace.limit,
    )
    filtered = namespace.task or namespace.state or namespace.after
    nothing = _NO_MATCH if filtered else _NO_RUN
    return _print(namespace, {"runs": found}, lambda: text.table(found) if found else [nothing])


def _is_number(text: str) -> bool:
    # An id of digits and e, such as 12345678 or 1e234567, is that of a run if there is one; a time
    # has ten digits before its point.
    try:
        return math.isfinite(float(text)) and len(text.partition(".")[0]) >= 10
    except ValueError:
        return False


def _find_run(client: ControlClient, word: str) -> Json:
    """Return the run with the id ``word``, or the only one whose shown id begins with it. Raises
    :class:`UsageError` if there is none, or more than one."""
    runs = client.runs(initial_values=True)
    whole = [run for run in runs if run["run_id"] == word]
    found = whole or [run for run in runs if _last_part(run).startswith(word)]
    if len(found) == 1:
        return found[0]
    if found:
        choices = ", ".join(shortened(_last_part(run), _NAME_LIMIT) for run in found[-3:])
        raise UsageError(
            f"{len(found)} runs begin with {word!r}, such as {choices}; give more of it"
        )
    raise NotFoundError(f"no run {shortened(word, _NAME_LIMIT)!r}; {_advice(runs, word)}")


def _advice(runs: Sequence[Json], word: str) -> str:
    """Say which run the unknown id ``word`` may mean: a person may give the name of a task."""
    if not runs:
        return "none has arrived yet"
    of_task = [run for run in runs if run["task_id"] == word]
    if of_task:
        return f"the newest of that task is {short_id(of_task[-1]['run_id'])}"
    newest = ", ".join(short_id(run["run_id"]) for run in runs[-3:])
    return f"the newest are {newest}; list them: wove-http-dev ctl runs"


def _last_part(run: Json) -> str:
    return str(run["run_id"]).rpartition(":")[2]


def _show(client: ControlClient, namespace: argparse.Namespace, text: CtlText) -> int:
    run = client.run(_find_run(client, namespace.run_id)["run_id"])
    return _print(namespace, run, lambda: text.run(run))


def _tail(client: ControlClient, namespace: argparse.Namespace, text: CtlText) -> int:
    following = Tail(text)
    waiting = f"the serve at {client.url} has ended; waiting for it (Ctrl-C ends this)"
    for event in client.events(lost=lambda _: complain(waiting)):
        if namespace.json:
            print(json.dumps({"event": event.name, "data": event.data}), flush=True)
            continue
        for line in following.lines(event.name, event.data):
            print(line, flush=True)
    return 0


def _status(client: ControlClient, namespace: argparse.Namespace, text: CtlText) -> int:
    lists = {
        "injections": client.injections(),
        "holds": client.holds(),
        "stubs": client.stubs(),
    }
    worker = client.worker()
    return _print(namespace, {"worker": worker, **lists}, lambda: text.status(worker, **lists))


# To steer


def _inject(client: ControlClient, namespace: argparse.Namespace, text: CtlText) -> int:
    made = client.inject(namespace.fault)
    return _print(
        namespace,
        made,
        lambda: [text.injection(made), f"  remove it: wove-http-dev ctl remove {made['id']}"],
    )


def _remove(client: ControlClient, namespace: argparse.Namespace, text: CtlText) -> int:
    if namespace.stub:
        client.remove_stub(namespace.id)
    else:
        client.remove_injection(namespace.id)
    if not namespace.json:  # the API answers nothing
        print(text.shown(f"{'stub' if namespace.stub else 'injection'} {namespace.id} removed"))
    return 0


def _hold(client: ControlClient, namespace: argparse.Namespace, text: CtlText) -> int:
    made = client.hold(namespace.task, namespace.release_when)
    return _print(
        namespace,
        made,
        lambda: [text.hold(made), f"  release them: wove-http-dev ctl release {made['id']}"],
    )


def _release(client: ControlClient, namespace: argparse.Namespace, text: CtlText) -> int:
    released = client.release(namespace.id)
    return _print(namespace, released, lambda: [text.hold(released)])


def _stub(client: ControlClient, namespace: argparse.Namespace, text: CtlText) -> int:
    made = client.stub(namespace.task, **_stub_answer(namespace))
    return _print(
        namespace,
        made,
        lambda: [text.stub(made), f"  remove it: wove-http-dev ctl remove --stub {made['id']}"],
    )


def _stub_answer(namespace: argparse.Namespace) -> dict[str, Any]:
    if namespace.error is not None:
        kind, _, message = namespace.error.partition(":")
        return {"error": {"type": kind.strip(), "message": message.strip()}}
    try:
        return {"result": json.loads(namespace.result)}
    except (ValueError, RecursionError) as exc:
        raise UsageError(
            f"--result takes JSON, such as 6, '\"text\"' or '[1, 2]', not {namespace.result!r}:"
            f" {exc}"
        ) from None


def _replay(client: ControlClient, namespace: argparse.Namespace, text: CtlText) -> int:
    old = _find_run(client, namespace.run_id)
    made = client.replay(old["run_id"])
    if made.get("run") is None and not namespace.json:
        print(
            text.shown(f"sent again as {made['id']}, and not accepted: see ctl tail, or the page")
        )
        return 1

    def lines() -> list[str]:
        new = text.shown(short_id(made["run"]["run_id"]))
        return [*text.table([made["run"]]), f"  see it: wove-http-dev ctl show {new}"]

    return _print(namespace, made, lines)


def _reset(client: ControlClient, namespace: argparse.Namespace, text: CtlText) -> int:
    client.reset()
    done = (
        "the journal is empty; faults, holds and stubs are removed; what ran in processes is killed"
    )
    return _print(namespace, {"reset": True}, lambda: [done])


_OPERATIONS: dict[str, Callable[[ControlClient, argparse.Namespace, CtlText], int]] = {
    "runs": _runs,
    "show": _show,
    "tail": _tail,
    "status": _status,
    "inject": _inject,
    "remove": _remove,
    "hold": _hold,
    "release": _release,
    "stub": _stub,
    "replay": _replay,
    "reset": _reset,
}
