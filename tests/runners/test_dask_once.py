"""The scheduler plugin that lets a body begin once."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import cloudpickle
import pytest

from wove_http_dev.runners.dask_once import once_call, once_plugin

pytest.importorskip("distributed", reason="Dask is not installed: tox -e dask")

NAME, CLIENT = "wove_http_dev_1", "Client-1"


class FakeScheduler:
    """What the plugin needs of a scheduler, which knows the task ``key``."""

    def __init__(self) -> None:
        self.handlers: dict[str, Any] = {}
        self.tasks = {"key": SimpleNamespace(state="processing")}
        self.events: list[tuple[str, ...]] = []
        self.removed: list[str] = []

    def log_event(self, topic: str, event: tuple[str, ...]) -> None:
        assert topic == NAME
        self.events.append(event)

    def remove_plugin(self, name: str) -> None:
        self.removed.append(name)


@pytest.fixture
def scheduler() -> FakeScheduler:
    return FakeScheduler()


@pytest.fixture
def plugin(scheduler: FakeScheduler) -> Any:
    """The plugin, on the fake scheduler."""
    made = once_plugin(NAME, CLIENT)
    asyncio.run(made.start(scheduler))
    return made


def begins(scheduler: FakeScheduler, worker: str, key: str = "key") -> bool:
    """Ask as a worker does; as the client, if ``worker`` is empty."""
    return bool(scheduler.handlers[NAME]("begin", key, worker))


@pytest.mark.usefixtures("plugin")
class TestBegin:
    """Which bodies may begin."""

    def test_first(self, scheduler: FakeScheduler) -> None:
        """The first worker may run the body."""
        assert begins(scheduler, "tcp://one")

    def test_second(self, scheduler: FakeScheduler) -> None:
        """A second worker may not."""
        begins(scheduler, "tcp://one")
        assert not begins(scheduler, "tcp://two")

    def test_same_worker_again(self, scheduler: FakeScheduler) -> None:
        """The same worker may not run it again."""
        begins(scheduler, "tcp://one")
        assert not begins(scheduler, "tcp://one")

    def test_taken_back(self, scheduler: FakeScheduler) -> None:
        """A body that the client has taken back may not begin."""
        assert begins(scheduler, "")
        assert not begins(scheduler, "tcp://one")

    def test_too_late(self, scheduler: FakeScheduler) -> None:
        """The client cannot take back a body that has begun."""
        begins(scheduler, "tcp://one")
        assert not begins(scheduler, "")

    def test_released(self, scheduler: FakeScheduler, plugin: Any) -> None:
        """The body of a task that was released, and so forgotten, may not begin."""
        begins(scheduler, "")
        del scheduler.tasks["key"]
        plugin.transition("key", "processing", "forgotten", stimulus_id="x")
        assert not begins(scheduler, "tcp://one")

    def test_begun(self, scheduler: FakeScheduler) -> None:
        """The client is told where a body begins."""
        begins(scheduler, "tcp://one")
        assert scheduler.events == [("begun", "key", "tcp://one")]


class TestLost:
    """What the client is told when a worker is lost."""

    def test_its_body(self, scheduler: FakeScheduler, plugin: Any) -> None:
        """The body that had begun there."""
        begins(scheduler, "tcp://one")
        plugin.remove_worker(scheduler, "tcp://one")
        assert scheduler.events[1:] == [("lost", "key", "tcp://one")]

    def test_another_worker(self, scheduler: FakeScheduler, plugin: Any) -> None:
        """Nothing of a body on another worker."""
        begins(scheduler, "tcp://one")
        plugin.remove_worker(scheduler, "tcp://two")
        assert scheduler.events[1:] == []

    def test_result_elsewhere(self, scheduler: FakeScheduler, plugin: Any) -> None:
        """Nothing of a body whose result another worker has."""
        begins(scheduler, "tcp://one")
        scheduler.tasks["key"].state = "memory"
        plugin.remove_worker(scheduler, "tcp://one")
        assert scheduler.events[1:] == []


class TestEnd:
    """Nothing stays on the scheduler."""

    def test_end(self, scheduler: FakeScheduler, plugin: Any) -> None:
        """The operation ``end`` removes the plugin, with its operation."""
        assert plugin.answer("end")
        assert (scheduler.handlers, scheduler.removed) == ({}, [NAME])

    def test_client_gone(self, scheduler: FakeScheduler, plugin: Any) -> None:
        """The plugin goes with its client."""
        plugin.remove_client(scheduler, CLIENT)
        assert scheduler.removed == [NAME]

    def test_another_client(self, scheduler: FakeScheduler, plugin: Any) -> None:
        """The plugin stays when another client goes."""
        plugin.remove_client(scheduler, "Client-2")
        assert scheduler.removed == []

    def test_twice(self, scheduler: FakeScheduler, plugin: Any) -> None:
        """The plugin is removed once."""
        plugin.end()
        plugin.remove_client(scheduler, CLIENT)
        assert scheduler.removed == [NAME]


@pytest.mark.parametrize("make", [lambda: once_plugin(NAME, CLIENT), once_call])
def test_by_value(make: Any) -> None:
    """A scheduler without this package can load what it gets."""
    payload = cloudpickle.dumps(make())
    assert b"cloudpickle" in payload  # by value
    # As names the package appears only in what is imported where the task runs.
    loaded = cloudpickle.loads(payload)
    assert type(loaded).__qualname__.startswith(("once_plugin.<locals>", "function"))
