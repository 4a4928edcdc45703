"""The frames that Wove's executor sends and gets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from wove import weave
from wove.environment import HttpEnvironmentExecutor

from tests.support import answer, weave_one
from wove_http_dev.client.executor_frames import FrameListener, delivers_initial_value, heard
from wove_http_dev.errors import UsageError
from wove_http_dev.worker import HttpWorker

NAMES = ("send", "recv", "stop")


class Notes(FrameListener):
    """Notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def sent(self, executor: Any, frame: Mapping[str, Any]) -> None:
        self.heard.append(f"sent {frame['type']}")

    def received(self, executor: Any, frame: Mapping[str, Any]) -> None:
        self.heard.append(f"received {frame['type']}")

    def stopped(self, executor: Any) -> None:
        self.heard.append("stopped")


def methods() -> list[Any]:
    return [getattr(HttpEnvironmentExecutor, name) for name in NAMES]


@pytest.fixture
def notes() -> Iterator[Notes]:
    notes = Notes()
    with heard(notes):
        yield notes


def test_frames(notes: Notes, wove_http_worker: HttpWorker) -> None:
    """What a weave sends and gets is heard in order, and its end."""
    weave_one(answer)
    assert notes.heard == [
        "sent run_task",
        "received task_started",
        "received task_result",
        "stopped",
    ]


def test_a_transport_error(notes: Notes, wove_http_worker: HttpWorker) -> None:
    """The frame that Wove's executor makes of a transport error is heard."""
    with wove_http_worker.inject("status"), pytest.raises(Exception, match="503"):
        weave_one(answer)
    assert notes.heard == ["sent run_task", "received task_error", "stopped"]


def test_after_the_block(wove_http_worker: HttpWorker) -> None:
    """After the block nothing is heard."""
    notes = Notes()
    with heard(notes):
        pass
    weave_one(answer)
    assert notes.heard == []


def test_restored() -> None:
    """After the block Wove's executor has the methods that it had."""
    before = methods()
    with heard(Notes()):
        pass
    assert methods() == before


def test_two_listeners(notes: Notes, wove_http_worker: HttpWorker) -> None:
    """A listener hears each frame once, beside another one."""
    other = Notes()
    with heard(other):
        weave_one(answer)
    assert other.heard == notes.heard


def test_one_of_two_ends(notes: Notes, wove_http_worker: HttpWorker) -> None:
    """A listener goes on when another ends."""
    with heard(Notes()):
        pass
    weave_one(answer)
    assert "sent run_task" in notes.heard


def test_a_method_of_other_code_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that other code puts in place meanwhile stays, and works."""

    async def theirs(self: Any, frame: Any) -> None: ...

    with heard(Notes()):
        monkeypatch.setattr(HttpEnvironmentExecutor, "send", theirs)
    assert vars(HttpEnvironmentExecutor)["send"] is theirs


def test_another_wove(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Wove whose executor lacks a method is a usage error."""
    monkeypatch.delattr(HttpEnvironmentExecutor, "recv")
    with pytest.raises(UsageError, match=r"no method recv\(\)"), heard(Notes()):
        pass


def test_initial_values(wove_http_worker: HttpWorker) -> None:
    """The commands that deliver initial values differ from those of tasks, lambdas included."""
    commands: dict[str, bool] = {}

    class Commands(FrameListener):
        def sent(self, executor: Any, frame: Mapping[str, Any]) -> None:
            commands[frame["task_id"]] = delivers_initial_value(frame)

    with heard(Commands()), weave(environment="workers", x=5) as w:
        double = lambda x: 2 * x  # noqa: E731
        double.__name__ = "double"
        w.do(double)
    assert (commands, w.result.double) == ({"data": True, "x": True, "double": False}, 10)
