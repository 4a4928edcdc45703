"""Command and event frames: compared with Wove's own serializer, and malformed ones."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from wove.context import WoveContextManager
from wove.environment import _load_network_executor_events

from tests.protocol.helpers import INITIAL_VALUE_NAME, double, wove_cancel, wove_frame, wove_run
from wove_http_dev.errors import FrameError
from wove_http_dev.options import RESPONSE_SHAPES
from wove_http_dev.protocol import frames
from wove_http_dev.protocol.frames import (
    CancelTask,
    RunTask,
    decode,
    is_initial_value,
)

REASON = "tests"
SOME_PICKLE = base64.b64encode(pickle.dumps(None)).decode()


def frame_without(body: bytes, name: str) -> bytes:
    """``body`` without one field."""
    frame = json.loads(body)
    del frame[name]
    return json.dumps(frame).encode()


def decoded_run(body: bytes) -> RunTask:
    """The run_task command in ``body``."""
    command = decode(body)
    assert isinstance(command, RunTask)
    return command


def decoded_cancel(body: bytes) -> CancelTask:
    """The cancel_task command in ``body``."""
    command = decode(body)
    assert isinstance(command, CancelTask)
    return command


def refusal(body: bytes) -> FrameError:
    """The message with which ``decode`` refuses ``body``."""
    with pytest.raises(FrameError) as caught:
        decode(body)
    return caught.value


class TestRunTask:
    """A ``run_task`` frame as Wove's own serializer writes it."""

    def test_ids(self) -> None:
        """The run's and the task's ids are Wove's."""
        command = decoded_run(wove_run())
        assert (command.run_id, command.task_id) == ("run-1", "double")

    def test_callable(self) -> None:
        """The callable's pickle is the one that Wove wrote."""
        command = decoded_run(wove_run())
        assert frames.loads(command.callable_pickle)(4) == 8

    def test_arguments(self) -> None:
        """The arguments' pickle is the one that Wove wrote."""
        assert frames.loads(decoded_run(wove_run()).args_pickle) == {"x": 4}

    def test_delivery_settings(self) -> None:
        """The delivery settings are kept as sent."""
        assert decoded_run(wove_run()).delivery == {"delivery_timeout": 2.5}

    def test_large_payload(self) -> None:
        """A payload of several megabytes is the one that was sent."""
        args = {"x": bytes(range(256)) * 10_000}
        assert frames.loads(decoded_run(wove_run(args=args)).args_pickle) == args

    def test_null_delivery(self) -> None:
        """A null delivery means no settings."""
        assert decoded_run(wove_run(delivery=None)).delivery == {}

    def test_absent_delivery(self) -> None:
        """An absent delivery means no settings."""
        assert decoded_run(frame_without(wove_run(), "delivery")).delivery == {}

    def test_absent_arguments(self) -> None:
        """Absent arguments are an empty dict, as in Wove's stdio worker."""
        command = decoded_run(frame_without(wove_run(), "args_pickle"))
        assert frames.loads(command.args_pickle) == {}

    def test_ordinary_task_is_not_an_initial_value(self) -> None:
        """A user's task is not an initial value."""
        assert not decoded_run(wove_run()).initial_value

    def test_initial_value(self) -> None:
        """One of Wove's initial values is recognised by its callable."""
        value = WoveContextManager(x=1)._tasks["x"]["func"]
        assert decoded_run(wove_run(callable=value)).initial_value

    def test_repr_has_no_payload(self) -> None:
        """The repr has no payload, so that none reaches a log."""
        assert "pickle" not in repr(decoded_run(wove_run()))


class TestCancelTask:
    """A ``cancel_task`` frame as Wove's own serializer writes it."""

    def test_fields(self) -> None:
        """All fields are those that Wove sent."""
        assert decode(wove_cancel()) == CancelTask(
            run_id="run-1", task_id="double", cancel_mode="require_ack", orphan_policy="detach"
        )

    def test_default_mode(self) -> None:
        """Without a mode the mode is ``best_effort``, Wove's default."""
        body = frame_without(wove_cancel(), "delivery_cancel_mode")
        assert decoded_cancel(body).cancel_mode == "best_effort"

    def test_null_mode(self) -> None:
        """A null mode is best effort: Wove sends null for an unset setting."""
        assert decoded_cancel(wove_cancel(delivery_cancel_mode=None)).cancel_mode == "best_effort"

    def test_default_orphan_policy(self) -> None:
        """Without an orphan policy the policy is ``cancel``, Wove's default."""
        body = frame_without(wove_cancel(), "delivery_orphan_policy")
        assert decoded_cancel(body).orphan_policy == "cancel"

    def test_absent_task_id(self) -> None:
        """A cancel without a task id is accepted."""
        assert decoded_cancel(frame_without(wove_cancel(), "task_id")).task_id is None


MALFORMED = [
    pytest.param(b"\xff{}", "not UTF-8", id="not UTF-8"),
    pytest.param(b"", "not JSON", id="empty"),
    pytest.param(b"{", "not JSON", id="not JSON"),
    pytest.param(b"\xef\xbb\xbf{}", "not JSON", id="byte order mark"),
    pytest.param(b'{"type": ' + b"9" * 5000 + b"}", "frame type|not JSON", id="huge number"),
    pytest.param(b"[" * 200_000, "nested too deeply", id="deep nesting"),
    pytest.param(b"[]", "not list", id="JSON list"),
    pytest.param(b'"run_task"', "not str", id="JSON string"),
    pytest.param(b"null", "not NoneType", id="JSON null"),
    pytest.param(b"{}", "type None", id="no type"),
    pytest.param(b'{"type": "shutdown"}', "'shutdown'", id="unknown type"),
    pytest.param(b'{"type": ["run_task"]}', r"\['run_task'\]", id="type is not text"),
    pytest.param(frame_without(wove_run(), "run_id"), "'run_id' is missing", id="no run_id"),
    pytest.param(wove_run(run_id=5), "'run_id' must be", id="run_id is a number"),
    pytest.param(wove_run(run_id=""), "'run_id' must be", id="run_id is empty"),
    pytest.param(frame_without(wove_run(), "task_id"), "'task_id' is missing", id="no task_id"),
    pytest.param(wove_run(task_id=None), "'task_id' must be", id="task_id is null"),
    pytest.param(
        frame_without(wove_run(), "callable_pickle"), "'callable_pickle' is missing", id="no code"
    ),
    pytest.param(
        wove_frame(type="run_task", run_id="r", task_id="t", callable_pickle=[]),
        "'callable_pickle' must be",
        id="callable_pickle is a list",
    ),
    pytest.param(
        wove_frame(type="run_task", run_id="r", task_id="t", callable_pickle="a!b="),
        "'callable_pickle' is not base64",
        id="bad base64",
    ),
    pytest.param(
        wove_frame(type="run_task", run_id="r", task_id="t", callable_pickle="é"),
        "'callable_pickle' is not base64",
        id="base64 not ASCII",
    ),
    pytest.param(
        wove_frame(
            type="run_task", run_id="r", task_id="t", callable_pickle=SOME_PICKLE, args_pickle="abc"
        ),
        "'args_pickle' is not base64",
        id="bad arguments",
    ),
    pytest.param(wove_run(delivery=[]), "'delivery' must be", id="delivery is a list"),
    pytest.param(frame_without(wove_cancel(), "run_id"), "'run_id' is missing", id="whose cancel"),
    pytest.param(
        wove_cancel(delivery_cancel_mode="kill"),
        "delivery_cancel_mode must be one of best_effort, require_ack, not 'kill'",
        id="bad cancel mode",
    ),
    pytest.param(
        wove_cancel(delivery_cancel_mode=1), "'delivery_cancel_mode' must be", id="mode is a number"
    ),
    pytest.param(
        wove_cancel(delivery_orphan_policy={}),
        "'delivery_orphan_policy' must be",
        id="policy is an object",
    ),
]


class TestMalformed:
    """Bodies that are not command frames."""

    @pytest.mark.parametrize(("body", "message"), MALFORMED)
    def test_message_names_what_is_wrong(self, body: bytes, message: str) -> None:
        """The error names the wrong field or describes the problem."""
        with pytest.raises(FrameError, match=message):
            decode(body)

    @pytest.mark.parametrize("cut", [2**20, 2**20 + 4])
    def test_large_payload_with_padding_inside(self, cut: int) -> None:
        """Padding inside a large payload is refused, wherever it is."""
        text = "A" * (cut - 1) + "=" + "AAAA"
        body = wove_frame(type="run_task", run_id="r", task_id="t", callable_pickle=text)
        assert "not base64" in str(refusal(body))

    @pytest.mark.parametrize(
        "make",
        [
            lambda: wove_frame(type="x" * 10**6),
            lambda: wove_frame(type=[["x" * 10**5]] * 100),
            lambda: wove_frame(type={str(key): key for key in range(10**4)}),
            lambda: wove_cancel(delivery_cancel_mode="x" * 10**6),
        ],
        ids=["type", "list", "object", "mode"],
    )
    def test_message_is_short(self, make: Callable[[], bytes]) -> None:
        """The error shows little of a large value."""
        assert len(str(refusal(make()))) < 2000

    def test_status(self) -> None:
        """The status of a malformed body is 400."""
        assert refusal(b"{}").status == 400


def run_with(members: str) -> bytes:
    """A ``run_task`` with further members, as JSON."""
    required = f'"type": "run_task", "run_id": "r", "task_id": "t", "callable_pickle": "{CODE}"'
    return f"{{{required}, {members}}}".encode()


CODE = "AAAA"
AROUND_ARGUMENTS = {
    "plain": wove_run(),
    "without a space": run_with('"args_pickle":"BBBB"'),
    "padding": run_with('"args_pickle": "BBB="'),
    "empty": run_with('"args_pickle": ""'),
    "first of two": run_with('"args_pickle": "BBBB", "args_pickle": "CCCC"'),
    "another kind": run_with('"args_pickle": ["BBBB"]'),
    "inside an object": run_with('"delivery": {"args_pickle": "BBBB"}, "args_pickle": "CCCC"'),
    "inside a text": run_with('"x": "\\"args_pickle\\": \\"BBBB", "args_pickle": "CCCC"'),
    "escaped slash": run_with('"args_pickle": "BBB\\/"'),
    "not base64": run_with('"args_pickle": "BB!B"'),
    "padding before the end": run_with('"args_pickle": "B=BBBBBB"'),
    "line break": run_with('"args_pickle": "BB\nBB"'),
    "not closed": run_with('"args_pickle": "BBBB')[:-1],
    "not UTF-8": run_with('"args_pickle": "BBBB"').replace(b"BB", b"\xff\xff", 1),
    "in a list": b'[{"args_pickle": "BBBB"}]',
    "in a cancel": wove_cancel(args_pickle="BBBB"),
}


class TestAroundArguments:
    """A large body, which is parsed without its arguments, decodes as any other."""

    @staticmethod
    def outcome(body: bytes) -> object:
        try:
            return decode(body)
        except FrameError as exc:
            return str(exc)

    @pytest.mark.parametrize("body", AROUND_ARGUMENTS.values(), ids=AROUND_ARGUMENTS)
    def test_outcome(self, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        """The command, or the error, is that of the same body if it is parsed whole."""
        whole = self.outcome(body)
        monkeypatch.setattr(frames, "_LARGE", 0)
        assert self.outcome(body) == whole

    def test_text_is_not_parsed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The text of large arguments is not parsed, which takes as long as to decode it."""
        body = run_with(f'"args_pickle": "{"A" * frames._LARGE}"')
        monkeypatch.setattr(frames, "parse", lambda _: pytest.fail("parsed as a whole"))
        assert len(decoded_run(body).args_pickle) == frames._LARGE // 4 * 3


class TestEvents:
    """Event frames, decoded by Wove's own code."""

    @pytest.mark.parametrize("shape", RESPONSE_SHAPES)
    def test_result_in_every_shape(self, shape: str) -> None:
        """Wove finds the result last in every response shape."""
        events = [
            frames.task_started("run-1", "task"),
            frames.task_result("run-1", "task", frames.dumps({"answer": 42})),
        ]
        document = json.dumps(frames.shape_events(events, shape)).encode()
        decoded = _load_network_executor_events(document, reason=REASON)
        assert decoded[-1] == {
            "type": "task_result",
            "run_id": "run-1",
            "task_id": "task",
            "result": {"answer": 42},
        }

    @pytest.mark.parametrize(("shape", "count"), [("events", 2), ("list", 2), ("frame", 1)])
    def test_number_of_events(self, shape: str, count: int) -> None:
        """Wove finds every event, and in the one-frame shape only the last one."""
        events = [frames.task_started("r", "t"), frames.task_cancelled("r", "t")]
        document = json.dumps(frames.shape_events(events, shape)).encode()
        assert len(_load_network_executor_events(document, reason=REASON)) == count

    @pytest.mark.parametrize("shape", RESPONSE_SHAPES)
    def test_no_events(self, shape: str) -> None:
        """No events give a response without events in every shape."""
        document = json.dumps(frames.shape_events([], shape)).encode()
        assert _load_network_executor_events(document, reason=REASON) == ()

    def test_error(self) -> None:
        """Wove decodes the error of a failed run."""
        error = {"kind": "ValueError", "message": "no"}
        (decoded,) = decode_events(frames.task_error("r", "t", error))
        assert decoded["error"] == error

    def test_exception(self) -> None:
        """Wove decodes the exception of a failed run."""
        payload = frames.dumps(ValueError("no"))
        (decoded,) = decode_events(frames.task_error("r", "t", {}, payload))
        assert repr(decoded["exception"]) == repr(ValueError("no"))

    def test_error_without_exception(self) -> None:
        """An exception that cannot be pickled is left out of the frame."""
        (decoded,) = decode_events(frames.task_error("r", "t", {}))
        assert "exception" not in decoded

    @pytest.mark.parametrize(
        ("event", "kind"),
        [
            (frames.task_started("r", "t"), "task_started"),
            (frames.heartbeat("r", "t"), "heartbeat"),
            (frames.task_cancelled("r", "t"), "task_cancelled"),
        ],
    )
    def test_events_without_payload(self, event: frames.Event, kind: str) -> None:
        """The events without payload have a type and both ids."""
        assert decode_events(event) == ({"type": kind, "run_id": "r", "task_id": "t"},)


def decode_events(*events: frames.Event) -> tuple[dict[str, Any], ...]:
    """``events`` as Wove's own code decodes them."""
    document = json.dumps({"events": list(events)}).encode()
    decoded: tuple[dict[str, Any], ...] = _load_network_executor_events(document, reason=REASON)
    return decoded


def mentions_its_name() -> Callable[[], str]:
    """A user's function whose closure contains the name of Wove's lambdas."""
    name = INITIAL_VALUE_NAME
    return lambda: name


def nested_name() -> Callable[[], str]:
    """A user's lambda with the same qualified name as Wove's."""
    function = lambda: "mine"  # noqa: E731
    function.__qualname__ = INITIAL_VALUE_NAME
    return function


class TestInitialValues:
    """Distinguishing Wove's own initial values from a user's tasks."""

    @pytest.mark.parametrize("name", ["data", "x"])
    def test_real_initial_value(self, name: str) -> None:
        """The task that a weave makes for ``weave(x=…)`` is an initial value."""
        value = WoveContextManager(x=[1, "two"])._tasks[name]["func"]
        assert is_initial_value(frames.dumps(value))

    def test_large_initial_value(self) -> None:
        """An initial value of any size is recognised."""
        value = WoveContextManager(x=list(map(str, range(2000))))._tasks["x"]["func"]
        assert is_initial_value(frames.dumps(value))

    @pytest.mark.parametrize(
        "function",
        [
            double,
            lambda: 1,
            lambda v=1: v,
            lambda v=INITIAL_VALUE_NAME: v,
            mentions_its_name(),
            nested_name(),
        ],
        ids=["function", "lambda", "default", "default-names-it", "closure-names-it", "qualname"],
    )
    def test_user_function(self, function: Callable[..., Any]) -> None:
        """A user's function is not an initial value, even if it mentions the name."""
        assert not is_initial_value(frames.dumps(function))
