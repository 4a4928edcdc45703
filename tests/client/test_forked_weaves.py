"""Weaves that Wove runs in a child process are noticed."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from typing import Any

import pytest
import wove.context
from wove import weave
from wove.context import WoveContextManager

from wove_http_dev.client.forked_weaves import noticed
from wove_http_dev.client.wove_config import preserved
from wove_http_dev.worker import HttpWorker


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands of the child processes, which are not started."""
    commands: list[list[str]] = []

    def start(command: list[str]) -> None:
        commands.append(command)
        os.remove(command[-1])  # the file with the weave, which the child would remove

    monkeypatch.setattr(wove.context, "subprocess", _Subprocess(start))
    return commands


class _Subprocess:
    def __init__(self, start: Any) -> None:
        self.Popen = start
        self.PIPE = subprocess.PIPE


def fork_one(**options: Any) -> None:
    """Leave a weave of one task that Wove forks."""
    with weave(fork=True, background=True) as w:

        @w.do(**options)
        def render() -> int:
            return 1


def test_noticed(worker: HttpWorker, forked: list[list[str]]) -> None:
    """The names of the worker's tasks are told, and the weave is forked all the same."""
    with worker.configured():
        fork_one(environment="workers")
    assert (worker.forked_tasks, len(forked)) == (["render"], 1)


def test_other_environment(worker: HttpWorker, forked: list[list[str]]) -> None:
    """A forked weave without a task for the worker is not noticed."""
    with worker.configured():
        fork_one()
    assert (worker.forked_tasks, len(forked)) == ([], 1)


def test_default_environment(worker: HttpWorker, forked: list[list[str]]) -> None:
    """A task that names no environment is the default one's; an initial value is no task."""
    names: list[str] = []
    with preserved(), worker.configured(), noticed("workers", names.extend):
        wove.config(default_environment="workers")
        fork_one()
    assert names == ["render"]


def test_several(forked: list[list[str]]) -> None:
    """Each of several is told of its own tasks, whichever ends first."""
    first: list[str] = []
    second: list[str] = []
    with preserved(), ExitStack() as stack:
        wove.config(environments={"a": {}, "b": {}})
        one = stack.enter_context(ExitStack())
        one.enter_context(noticed("a", first.extend))
        stack.enter_context(noticed("b", second.extend))
        fork_one(environment="a")
        one.close()
        fork_one(environment="a")
        fork_one(environment="b")
    assert (first, second, len(forked)) == (["render"], ["render"], 3)


def test_restored() -> None:
    """Wove's method is put back."""
    before = WoveContextManager._start_forked_process
    with noticed("workers", print):
        assert WoveContextManager._start_forked_process is not before
    assert WoveContextManager._start_forked_process is before


def test_replaced_by_other_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that other code has put there meanwhile is kept."""
    with noticed("workers", print):
        monkeypatch.setattr(WoveContextManager, "_start_forked_process", print)
    assert WoveContextManager._start_forked_process is print


def test_wove_without_the_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version of Wove that has no such method is left alone."""
    monkeypatch.delattr(WoveContextManager, "_start_forked_process")
    with noticed("workers", print):
        assert not hasattr(WoveContextManager, "_start_forked_process")
