"""Decodes command frames from JSON and builds event frames (Wove's http page, "Executor Protocol").

Only :func:`loads` loads a pickle: a payload stays bytes until the runner needs the object, after
authentication.
"""

from __future__ import annotations

import base64
import io
import json
import pickle
import re
import reprlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from wove_http_dev.errors import FrameError
from wove_http_dev.protocol.pickler import Pickler

Event = dict[str, Any]
_PIECE = 2**20  # characters: a multiple of four
_LARGE = 2**20
"""Bytes from which a body is parsed without the text of its arguments."""
_ARGUMENTS = re.compile(rb'"args_pickle"\s*:\s*"')
_short = reprlib.Repr()
"""A value of a frame, in a message: its ``repr`` could be as large as the frame."""
_short.maxstring = 200
CANCEL_MODES = ("best_effort", "require_ack")
TERMINAL_TYPES = ("task_result", "task_error", "task_cancelled")


@dataclass  # not frozen, whose construction takes three times as long (0.6 µs)
class RunTask:
    """A ``run_task`` command frame. Both payloads, the callable and its arguments, are cloudpickle
    bytes."""

    run_id: str
    task_id: str
    callable_pickle: bytes = field(repr=False)
    args_pickle: bytes = field(repr=False)
    delivery: Mapping[str, Any] = field(default_factory=dict)
    """The executor's ``delivery_*`` settings, as sent; times in seconds."""

    @property
    def initial_value(self) -> bool:
        """Whether the frame only delivers an initial value of the weave (``data``, or ``x`` of
        ``weave(x=…)``), which Wove sends as a task."""
        return is_initial_value(self.callable_pickle)


@dataclass(frozen=True)
class CancelTask:
    """A ``cancel_task`` command frame."""

    run_id: str
    task_id: str | None = None
    cancel_mode: str = "best_effort"
    orphan_policy: str = "cancel"


def decode(body: bytes) -> RunTask | CancelTask:
    """Return the command frame in ``body``, the JSON of a request that was accepted. Raises
    :class:`FrameError` (400) that says what is wrong."""
    frame = _parse_around_arguments(body) if len(body) >= _LARGE else None
    return _command(parse(body) if frame is None else frame)


def _parse_around_arguments(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object in ``body``, with bytes in place of the text of ``args_pickle``;
    ``None`` if that cannot be done, as when ``body`` is malformed. To parse a large text takes
    as long as to decode it."""
    found = _ARGUMENTS.search(body)
    if found is None:
        return None
    begin, end = found.end(), body.find(b'"', found.end())
    # An escaped slash is a character of base64 too.
    if end <= begin or body.find(b"\\", begin, end) >= 0:
        return None
    mark = secrets.token_hex(8)  # not what the client may have put there
    try:
        frame = json.loads((body[:begin] + mark.encode() + body[end:]).decode())
        if not isinstance(frame, dict) or frame.get("args_pickle") != mark:
            return None
        frame["args_pickle"] = _decode_base64(body[begin:end])
    except (ValueError, RecursionError):
        return None
    return frame


def parse(body: bytes) -> dict[str, Any]:
    """Return the JSON object in ``body``. Raises :class:`FrameError` (400)."""
    try:
        document = json.loads(body.decode("utf-8"))
    except UnicodeDecodeError as exc:
        raise FrameError(f"the body is not UTF-8: {exc.reason} at byte {exc.start}") from exc
    except RecursionError as exc:
        raise FrameError("the body is JSON nested too deeply") from exc
    except ValueError as exc:
        raise FrameError(f"the body is not JSON: {exc}") from exc
    if not isinstance(document, dict):
        raise FrameError(f"a command frame is a JSON object, not {type(document).__name__}")
    return document


def _text(frame: Mapping[str, Any], name: str) -> str:
    value = frame.get(name)
    if not isinstance(value, str) or not value:
        missing = "is missing" if name not in frame else "must be a non-empty string"
        raise FrameError(f"{frame.get('type')}: field {name!r} {missing}")
    return value


def _payload(frame: Mapping[str, Any], name: str) -> bytes:
    value = frame.get(name)
    if isinstance(value, bytes):  # decoded already; JSON has no bytes
        return value
    try:
        return _decode_base64(_text(frame, name).encode("ascii"))
    except ValueError as exc:
        raise FrameError(f"{frame.get('type')}: field {name!r} is not base64: {exc}") from exc


def _decode_base64(text: bytes) -> bytes:
    """Decode ``text`` in pieces, between which other threads can run: 64 MiB take long."""
    if len(text) <= _PIECE:
        return base64.b64decode(text, validate=True)
    if text.find(b"=", 0, -2) >= 0:  # it would be accepted at the end of a piece
        raise ValueError("'=' before the end")
    starts = range(0, len(text), _PIECE)
    return b"".join([base64.b64decode(text[at : at + _PIECE], validate=True) for at in starts])


def _choice(frame: Mapping[str, Any], name: str, default: str) -> str:
    value = frame.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise FrameError(f"{frame.get('type')}: field {name!r} must be a string")
    return value


def _command(frame: Mapping[str, Any]) -> RunTask | CancelTask:
    kind = frame.get("type")
    if kind == "cancel_task":
        mode = _choice(frame, "delivery_cancel_mode", "best_effort")
        if mode not in CANCEL_MODES:
            raise FrameError(
                f"cancel_task: delivery_cancel_mode must be one of {', '.join(CANCEL_MODES)}, not"
                f" {_short.repr(mode)}"
            )
        return CancelTask(
            run_id=_text(frame, "run_id"),
            task_id=_choice(frame, "task_id", "") or None,
            cancel_mode=mode,
            orphan_policy=_choice(frame, "delivery_orphan_policy", "cancel"),
        )
    if kind != "run_task":
        raise FrameError(
            f"unknown frame type {_short.repr(kind)}; a command is run_task or cancel_task"
        )
    delivery = frame.get("delivery")
    if delivery is None:
        delivery = {}
    if not isinstance(delivery, dict):
        raise FrameError("run_task: field 'delivery' must be an object")
    return RunTask(
        run_id=_text(frame, "run_id"),
        task_id=_text(frame, "task_id"),
        callable_pickle=_payload(frame, "callable_pickle"),
        # No arguments if it is absent, as in Wove's own stdio worker.
        args_pickle=_payload(frame, "args_pickle") if "args_pickle" in frame else dumps({}),
        delivery=delivery,
    )


# Wove sends `data` and every `weave(x=…)` value as `lambda: kwargs` / `lambda v=value: v`
# (wove/context.py, WoveContextManager.__init__). cloudpickle writes the code object with its name
# first, then the module's names, all within the first few opcodes (measured with 2.2.1 to 3.1.3;
# since 3.1.3 the code object's own file name is "<dynamic-code>").
_INITIAL_VALUE_QUALNAME = "WoveContextManager.__init__.<locals>.<lambda>"
_INITIAL_VALUE_OPCODES = 80
_INITIAL_VALUE_BYTES = 16384  # all of these names are before the value, which may be large


def is_initial_value(callable_pickle: bytes) -> bool:
    """Whether the pickle is of one of the lambdas with which Wove delivers the initial values of a
    weave. The pickle is not loaded; its first 16 KiB are enough."""
    beginning = callable_pickle[:_INITIAL_VALUE_BYTES]
    if _INITIAL_VALUE_QUALNAME.encode() not in beginning:
        return False
    import pickletools  # few weaves have initial values

    previous, is_lambda = "", False
    try:
        for _, argument, _ in islice(pickletools.genops(beginning), _INITIAL_VALUE_OPCODES):
            if not isinstance(argument, str):
                continue
            if previous == "__file__":
                return is_lambda and argument.replace("\\", "/").endswith("wove/context.py")
            is_lambda = is_lambda or argument == "<lambda>"
            previous = argument
    except Exception:  # genops raises many types of errors on hostile bytes
        return False
    return False


def dumps(value: Any) -> bytes:
    """Return ``value`` as cloudpickle bytes, the format that Wove's own dispatch writes."""
    file = io.BytesIO()
    Pickler(file).dump(value)
    return file.getvalue()


def loads(payload: bytes) -> Any:
    """Return the object in ``payload``. **Runs code that the sender chose**: use it only for bytes
    that were authenticated, or that this process wrote."""
    return pickle.loads(payload)


def encode_payload(payload: bytes) -> str:
    """Return pickle bytes as base64 text for a ``*_pickle`` field."""
    return base64.b64encode(payload).decode("ascii")


def _event(kind: str, run_id: str, task_id: str, **fields: Any) -> Event:
    return {"type": kind, "run_id": run_id, "task_id": task_id, **fields}


def task_started(run_id: str, task_id: str) -> Event:
    """Return the event of a run that starts."""
    return _event("task_started", run_id, task_id)


def heartbeat(run_id: str, task_id: str) -> Event:
    """Return the event of a run that is still running."""
    return _event("heartbeat", run_id, task_id)


def task_result(run_id: str, task_id: str, result_pickle: bytes) -> Event:
    """Return the terminal event of a run that returned."""
    return _event("task_result", run_id, task_id, result_pickle=encode_payload(result_pickle))


def task_error(
    run_id: str, task_id: str, error: Mapping[str, Any], exception_pickle: bytes | None = None
) -> Event:
    """Return the terminal event of a run that failed.

    ``error`` has ``kind``, ``message``, ``traceback``, ``retryable`` and ``source``.
    """
    event = _event("task_error", run_id, task_id, error_pickle=encode_payload(dumps(dict(error))))
    if exception_pickle is not None:
        event["exception_pickle"] = encode_payload(exception_pickle)
    return event


def task_cancelled(run_id: str, task_id: str) -> Event:
    """Return the terminal event of a run that was cancelled."""
    return _event("task_cancelled", run_id, task_id)


def shape_events(events: Sequence[Event], shape: str) -> Any:
    """Return ``events`` in ``shape``, one of the three of Wove's http page: a ``list``, a ``frame``
    (the last event alone), or else an object whose ``events`` is the list."""
    if shape == "list":
        return list(events)
    if shape == "frame" and events:
        return events[-1]
    return {"events": list(events)}
