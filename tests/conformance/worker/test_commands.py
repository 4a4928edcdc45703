"""The command frames that the worker cases send."""

from __future__ import annotations

import base64
import json
import pickle

import pytest

from wove_http_dev.conformance.worker import commands, tasks


def loaded(field: str) -> object:
    """Return the value in a ``*_pickle`` field."""
    return pickle.loads(base64.b64decode(field))


def test_fields_of_a_run() -> None:
    """A run_task frame has the fields that Wove's executor sends."""
    assert set(commands.run_frame(tasks.echo)) == {
        "type",
        "run_id",
        "task_id",
        "delivery",
        "callable_pickle",
        "args_pickle",
    }


def test_arguments_are_pickled() -> None:
    """Arguments that are not bytes are pickled."""
    frame = commands.run_frame(tasks.echo, {"value": [1, 2]})
    assert loaded(frame["args_pickle"]) == {"value": [1, 2]}


def test_no_arguments() -> None:
    """Without arguments the frame has an empty dict."""
    assert loaded(commands.run_frame(tasks.echo)["args_pickle"]) == {}


def test_bytes_are_sent_unchanged() -> None:
    """A callable or arguments given as bytes are sent unchanged."""
    frame = commands.run_frame(b"junk", b"more junk")
    fields = (frame["callable_pickle"], frame["args_pickle"])
    assert tuple(map(base64.b64decode, fields)) == (b"junk", b"more junk")


def test_run_ids_differ() -> None:
    """Each frame has a different run id."""
    assert commands.run_frame(tasks.echo)["run_id"] != commands.run_frame(tasks.echo)["run_id"]


@pytest.mark.parametrize("mode", ["best_effort", "require_ack"])
def test_cancel(mode: str) -> None:
    """A cancel_task frame has its run and its mode."""
    frame = commands.cancel_frame("r-1", mode)
    assert (frame["run_id"], frame["delivery_cancel_mode"]) == ("r-1", mode)


def test_encode() -> None:
    """A frame is sent as JSON."""
    assert json.loads(commands.encode({"type": "run_task"})) == {"type": "run_task"}


def long_body(**fields: object) -> bytes:
    """Return the body of a run with an argument of 2 MiB, and with ``fields``."""
    frame = commands.run_frame(tasks.echo, {"value": bytes(2 * 2**20)})
    return commands.encode({**frame, **fields})


def test_an_outline_has_the_beginning_of_long_arguments() -> None:
    """Only the arguments are shorter in the outline of a long body."""
    body = long_body()
    whole, outline = json.loads(body), json.loads(commands.outline(body))
    assert outline == {**whole, "args_pickle": whole["args_pickle"][: commands.SEEN]}


def test_an_outline_has_no_blanks_before_the_last_brace() -> None:
    """The blanks that make a body long are left out of its outline."""
    body = commands.encode(commands.run_frame(tasks.echo))
    assert commands.outline(body[:-1].ljust(2**21) + b"}") == body


@pytest.mark.parametrize(
    "body",
    [
        commands.encode(commands.run_frame(tasks.echo)),
        commands.encode(commands.run_frame(tasks.echo)).ljust(2**21),
        long_body(args_pickle="short", more="x" * 2**21),
        long_body(args_pickle=None, more="x" * 2**21),
        b"[" * 2**21,
        long_body()[:-100],
    ],
    ids=["short", "blanks", "short-arguments", "no-arguments", "no-frame", "cut-off"],
)
def test_another_body_is_its_own_outline(body: bytes) -> None:
    """Nothing is left out of a body without long arguments, or with arguments that do not end."""
    assert commands.outline(body) == body
