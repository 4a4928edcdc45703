"""Starting, stopping and crashing a host on its port, with a fake host that records calls."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from tests.forked import status_in_a_fork
from tests.support import free_port
from wove_http_dev.errors import UsageError
from wove_http_dev.service.lifecycle import Lifecycle
from wove_http_dev.service.port import Port


class FakeHost:
    """A host that serves nothing and records calls."""

    def __init__(self) -> None:
        self.running = False
        self.calls: list[str] = []
        self.error: Exception | None = None

    def start(self, port: Port) -> None:
        self.calls.append(f"start {port.number}")
        if self.error is not None:
            raise self.error
        self.running = True

    def stop(self) -> list[str]:
        self.calls.append("stop")
        self.running = False
        return ["stuck"]

    def crash(self) -> None:
        self.calls.append("crash")
        self.running = False

    def apply_state(self) -> None: ...

    def stack(self, run_id: str) -> str:
        return ""

    def flush_journal(self, *, settle: bool = False) -> None: ...


@pytest.fixture
def host() -> FakeHost:
    """A host that is not started."""
    return FakeHost()


@pytest.fixture
def life(host: FakeHost) -> Iterator[Lifecycle]:
    """The lifecycle of ``host`` on a free port."""
    life = Lifecycle(host, "localhost", 0)
    yield life
    life.stop()


def is_reserved(number: int) -> bool:
    """Whether the port is not free for another program."""
    with socket.socket() as other:
        try:
            other.bind(("127.0.0.1", number))
        except OSError:
            return True
    return False


def test_before_the_start(life: Lifecycle) -> None:
    """Before the first start there is neither a port number nor an address."""
    assert (life.number, life.address) == (None, None)


def test_start(life: Lifecycle, host: FakeHost) -> None:
    """The first start chooses a port and starts the host on it."""
    life.start()
    assert host.calls == [f"start {life.number}"]


def test_start_says_whether_it_started(life: Lifecycle) -> None:
    """A second start does nothing and returns False."""
    assert [life.start(), life.start()] == [True, False]


def test_address(life: Lifecycle) -> None:
    """A started host has an address."""
    life.start()
    assert life.address == "127.0.0.1"


def test_stop_gives_the_port_back(host: FakeHost) -> None:
    """After a stop another process may take the port, and there is no address."""
    life = Lifecycle(host, "localhost", free_port())
    life.start()
    life.stop()
    assert life.number is not None
    assert (is_reserved(life.number), life.address) == (False, None)


def test_stop_names_what_still_runs(life: Lifecycle) -> None:
    """stop() and restart() return what the host's stop() returned."""
    assert (life.restart(), life.stop()) == (["stuck"], ["stuck"])


def test_start_after_stop(life: Lifecycle, host: FakeHost) -> None:
    """A host that was stopped starts again on the same port."""
    life.start()
    life.stop()
    life.start()
    assert host.calls == [f"start {life.number}", "stop", f"start {life.number}"]


def test_crash_keeps_the_port(life: Lifecycle) -> None:
    """After a crash the port is still reserved."""
    life.start()
    life.crash()
    assert life.number is not None
    assert is_reserved(life.number)


def test_crash_with_a_condition(life: Lifecycle, host: FakeHost) -> None:
    """A crash whose condition is false does nothing."""
    life.start()
    life.crash(lambda: False)
    assert host.calls == [f"start {life.number}"]


def test_restart_keeps_the_port(life: Lifecycle, host: FakeHost) -> None:
    """A restart takes the same port."""
    life.start()
    life.restart()
    assert host.calls == [f"start {life.number}", "stop", f"start {life.number}"]


def test_failed_start_gives_the_port_back(life: Lifecycle, host: FakeHost) -> None:
    """A host that cannot start does not keep the port."""
    number = free_port()
    life = Lifecycle(host, "localhost", number)
    host.error = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        life.start()
    assert not is_reserved(number)


def test_failed_start_after_a_crash_keeps_the_port(life: Lifecycle, host: FakeHost) -> None:
    """A port that was kept through a crash stays reserved when the next start fails."""
    life.start()
    life.crash()
    host.error = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        life.start()
    assert life.number is not None
    assert is_reserved(life.number)


def test_a_fork_stops_nothing(life: Lifecycle, host: FakeHost) -> None:
    """In a forked child, stop() and crash() do nothing."""
    life.start()

    def stops() -> bool:
        life.stop()
        life.crash()
        return host.calls == [f"start {life.number}"] and life.forked

    assert status_in_a_fork(stops) == 0


@pytest.mark.parametrize("operation", [Lifecycle.start, Lifecycle.restart])
def test_a_fork_starts_nothing(life: Lifecycle, operation: Callable[[Lifecycle], object]) -> None:
    """In a forked child of the process that started it, a start is refused."""
    life.start()

    def starts() -> bool:
        with pytest.raises(UsageError, match="make a new HttpWorker here"):
            operation(life)
        return True

    assert status_in_a_fork(starts) == 0


def test_start_in_a_fork(life: Lifecycle) -> None:
    """What was not started before the fork is started and stopped in the child."""

    def starts() -> bool:
        return life.start() and life.stop() == ["stuck"]

    assert status_in_a_fork(starts) == 0
