"""A repeated idempotency key is answered with its first outcome."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support import TIMEOUT, MakeWorker, cancel_frame, run_frame, signed_request
from wove_http_dev.protocol.frames import RunTask
from wove_http_dev.runs import once
from wove_http_dev.runs.once import FirstOutcomes
from wove_http_dev.runs.outcome import CANCELLED, Outcome


def command(key: Any = "key", task: str = "task") -> RunTask:
    """A ``run_task`` with this idempotency key."""
    return RunTask("run", task, b"", b"", {"delivery_idempotency_key": key})


def number(value: int, kind: str = "result") -> Outcome:
    """An outcome that can be told from others."""
    return Outcome(kind, str(value).encode())


@pytest.fixture
def counted() -> Callable[[], Outcome]:
    """A body whose outcomes are 1, 2, …"""
    outcomes = iter(number(each) for each in range(1, once.KEY_LIMIT + 10))
    return lambda: next(outcomes)


def test_repeated_key(counted: Callable[[], Outcome]) -> None:
    """A repeated key does not run the body again."""
    firsts = FirstOutcomes()
    assert [firsts.of(command(), counted) for _ in range(3)] == [number(1)] * 3


def test_error() -> None:
    """The first outcome may be an error."""
    firsts = FirstOutcomes()
    outcomes = iter([number(1, "error"), number(2)])
    assert [firsts.of(command(), lambda: next(outcomes)).kind for _ in range(2)] == ["error"] * 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (command("a"), command("b")),
        (command(task="a"), command(task="b")),
        (command(None), command(None)),
        (command(""), command("")),
        (command(["key"]), command(["key"])),
    ],
    ids=["key", "task", "none", "empty", "no-text"],
)
def test_other_run(counted: Callable[[], Outcome], first: RunTask, second: RunTask) -> None:
    """Another key, another task, or no key is another run."""
    firsts = FirstOutcomes()
    assert [firsts.of(each, counted) for each in (first, second)] == [number(1), number(2)]


def test_cancelled_run() -> None:
    """A run that was cancelled is not remembered."""
    firsts = FirstOutcomes()
    outcomes = iter([CANCELLED, number(2)])
    assert [firsts.of(command(), lambda: next(outcomes)).kind for _ in range(2)] == [
        "cancelled",
        "result",
    ]


def test_body_that_raises(counted: Callable[[], Outcome]) -> None:
    """Nor is one whose body could not be run."""
    firsts = FirstOutcomes()
    with pytest.raises(ZeroDivisionError):
        firsts.of(command(), lambda: number(1 // 0))
    assert firsts.of(command(), counted) == number(1)


def test_clear(counted: Callable[[], Outcome]) -> None:
    """Forgotten keys run again."""
    firsts = FirstOutcomes()
    firsts.of(command(), counted)
    firsts.clear()
    assert firsts.of(command(), counted) == number(2)


def test_limit(counted: Callable[[], Outcome]) -> None:
    """Of too many keys the oldest is forgotten."""
    firsts = FirstOutcomes()
    for each in range(once.KEY_LIMIT + 1):
        firsts.of(command(str(each)), counted)
    assert firsts.of(command("1"), counted) == number(2)
    assert firsts.of(command("0"), counted) == number(once.KEY_LIMIT + 2)


@pytest.mark.parametrize("large", ["outcome", "key"])
def test_limit_in_bytes(monkeypatch: pytest.MonkeyPatch, large: str) -> None:
    """Of too many bytes the oldest are forgotten, and the newest outcome is remembered."""
    monkeypatch.setattr(once, "BYTE_LIMIT", 1000)
    firsts = FirstOutcomes()
    calls: list[str] = []

    def run(name: str) -> None:
        def body() -> Outcome:
            calls.append(name)
            return Outcome("result", b"x" * 2000 if large == "outcome" else b"")

        firsts.of(command(name * 2000 if large == "key" else name), body)

    for name in ("a", "b", "b", "a"):
        run(name)
    assert calls == ["a", "b", "a"]


def test_clear_gives_the_bytes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was forgotten takes no bytes from what comes later."""
    monkeypatch.setattr(once, "BYTE_LIMIT", 5000)
    firsts = FirstOutcomes()
    outcomes = iter([Outcome("result", b"x" * 4000), number(1), number(2), number(3)])
    firsts.of(command("a"), lambda: next(outcomes))
    firsts.clear()
    for key in ("b", "c", "b"):
        firsts.of(command(key), lambda: next(outcomes))
    assert next(outcomes) == number(3)


@pytest.mark.parametrize("first", [number(1), CANCELLED], ids=["result", "cancelled"])
def test_key_of_an_unfinished_run(pool: ThreadPoolExecutor, first: Outcome) -> None:
    """A key whose run has not ended waits for it; if that is cancelled, it runs itself."""
    firsts, begun, released = FirstOutcomes(), threading.Event(), threading.Event()

    def body() -> Outcome:
        begun.set()
        assert released.wait(TIMEOUT)
        return first

    one = pool.submit(firsts.of, command(), body)
    assert begun.wait(TIMEOUT)
    other = pool.submit(firsts.of, command(), lambda: number(2))
    released.set()
    assert one.result(TIMEOUT) == first
    assert other.result(TIMEOUT) == (number(2) if first is CANCELLED else first)


# In a worker


def keyed(run_id: str) -> bytes:
    """A frame with an idempotency key, whose task returns another text each time."""
    frame = json.loads(run_frame(secrets.token_hex, run_id=run_id))
    return json.dumps({**frame, "delivery": {"delivery_idempotency_key": "key"}}).encode()


@pytest.mark.parametrize("isolated", [False, True], ids=["in-process", "isolated"])
def test_worker(make_worker: MakeWorker, isolated: bool) -> None:
    """The repeated run has the first result, and no execution of its own; a reset, and a restart,
    forget it."""
    worker = make_worker(idempotency=True, isolated=isolated)

    def ask(run_id: str) -> Any:
        return signed_request(worker, keyed(run_id)).result

    first = ask("1")
    worker.stub("other", result=1)  # what else changes the state forgets nothing
    assert ask("2") == first
    assert [run.executions for run in worker.runs] == [1, 0]
    worker.reset()
    second = ask("3")
    assert second != first
    worker.restart()
    assert ask("4") != second


def test_option_off(make_worker: MakeWorker) -> None:
    """Without the option the key is only recorded."""
    worker = make_worker()
    results = {signed_request(worker, keyed(run_id)).result for run_id in ("1", "2")}
    assert len(results) == 2


def test_run_that_is_over_does_not_start_after_the_wait(pool: ThreadPoolExecutor) -> None:
    """A repeated key whose run was cancelled while it waited never calls its body, even if the
    first run was cancelled too."""
    firsts, begun, released = FirstOutcomes(), threading.Event(), threading.Event()
    called: list[None] = []

    def first() -> Outcome:
        begun.set()
        released.wait(TIMEOUT)
        return CANCELLED

    def second() -> Outcome:
        called.append(None)
        return number(2)

    running = pool.submit(firsts.of, command(), first)
    begun.wait(TIMEOUT)
    repeated = pool.submit(firsts.of, command(), second, lambda: True)
    released.set()
    running.result(TIMEOUT)
    assert (repeated.result(TIMEOUT), called) == (CANCELLED, [])


release = threading.Event()


def waits() -> None:
    assert release.wait(TIMEOUT)


def test_cancel_of_a_run_that_waits(make_worker: MakeWorker, pool: ThreadPoolExecutor) -> None:
    """A repeated run that is cancelled while it waits has ended, although the first one runs."""
    release.clear()
    worker = make_worker(idempotency=True)
    frames = [
        json.dumps({**json.loads(run_frame(waits, run_id=run_id)), "delivery": command().delivery})
        for run_id in ("1", "2")
    ]
    replies = []
    for count, frame in enumerate(frames, 1):
        replies.append(pool.submit(signed_request, worker, frame.encode()))
        worker.wait_for(state="running", count=count)
    acknowledged = signed_request(worker, cancel_frame("2", mode="require_ack"))
    release.set()
    assert acknowledged.terminal == "task_cancelled"
    assert [each.result(TIMEOUT).terminal for each in replies] == ["task_result", "task_cancelled"]


def test_limit_keeps_a_key_whose_run_has_not_ended(
    pool: ThreadPoolExecutor, counted: Callable[[], Outcome]
) -> None:
    """However many keys come later, a running task is not run a second time beside itself."""
    firsts, begun, released = FirstOutcomes(), threading.Event(), threading.Event()

    def body() -> Outcome:
        begun.set()
        released.wait(TIMEOUT)
        return number(-1)

    running = pool.submit(firsts.of, command("slow"), body)
    begun.wait(TIMEOUT)
    for each in range(once.KEY_LIMIT + 1):
        firsts.of(command(str(each)), counted)
    repeated = pool.submit(firsts.of, command("slow"), counted)
    released.set()
    running.result(TIMEOUT)
    assert repeated.result(TIMEOUT) == number(-1)
