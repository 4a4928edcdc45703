"""How a port stays reserved on each platform, both rules tried on Linux."""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.macos import emulate
from tests.support import free_port
from wove_http_dev.service.reservation import (
    BsdReservation,
    LinuxReservation,
    Reservation,
    reserve,
)

WHERE = (socket.AF_INET, "127.0.0.1")


@pytest.fixture
def macos(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules of macOS."""
    emulate(monkeypatch)


@pytest.fixture(params=[LinuxReservation, BsdReservation], ids=["linux", "macos"])
def reservation(request: pytest.FixtureRequest) -> Iterator[Reservation]:
    """A free port, reserved, under each platform's rules."""
    if request.param is BsdReservation:
        request.getfixturevalue("macos")
    elif sys.platform != "linux":
        pytest.skip("needs Linux")
    with contextlib.closing(request.param(WHERE, 0)) as reservation:
        yield reservation


def take(number: int, *options: int) -> socket.socket:
    """A socket of another program, bound to that port."""
    sock = socket.socket()
    try:
        for option in options:
            sock.setsockopt(socket.SOL_SOCKET, option, 1)
        sock.bind(("127.0.0.1", number))
    except OSError:
        sock.close()
        raise
    return sock


@pytest.mark.parametrize(
    ("platform", "rule"),
    [("linux", LinuxReservation), ("darwin", BsdReservation), ("freebsd14", BsdReservation)],
)
def test_rule(monkeypatch: pytest.MonkeyPatch, platform: str, rule: type) -> None:
    """Each platform has its rule."""
    monkeypatch.setattr(sys, "platform", platform)
    with contextlib.closing(reserve(WHERE, 0)) as reservation:
        assert type(reservation) is rule


def test_refuses(reservation: Reservation) -> None:
    """A connection to a port on which nothing listens is refused, not dropped."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", reservation.number), 10.0)


def test_listens_again(reservation: Reservation) -> None:
    """After one listener another one accepts connections on the same port."""
    reservation.listen().close()
    with (
        reservation.listen() as listener,
        socket.create_connection(("127.0.0.1", reservation.number), 10.0),
    ):
        listener.accept()[0].close()


def test_refuses_in_between(reservation: Reservation) -> None:
    """After a listener was closed, connections are refused."""
    reservation.listen().close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", reservation.number), 10.0)


def test_is_not_taken_by_accident(reservation: Reservation) -> None:
    """Another program that sets no option does not get the port while nothing listens."""
    with pytest.raises(OSError, match="in use"):
        take(reservation.number)


@pytest.mark.parametrize(
    "options",
    [
        (),
        (socket.SO_REUSEADDR,),
        (socket.SO_REUSEPORT,),
        (socket.SO_REUSEADDR, socket.SO_REUSEPORT),
    ],
    ids=["none", "address", "port", "both"],
)
def test_listener_is_alone(reservation: Reservation, options: tuple[int, ...]) -> None:
    """Another program gets no connections of the listener, whatever options it sets."""
    with reservation.listen(), pytest.raises(OSError, match="in use"):
        take(reservation.number, *options)


def test_shared(reservation: Reservation) -> None:
    """A port that is shared can be reserved again, as by a child process, which listens on it."""
    reservation.share()
    with contextlib.closing(type(reservation)(WHERE, reservation.number)) as other:  # type: ignore[call-arg]
        other.listen().close()


def test_close_gives_it_back(reservation: Reservation) -> None:
    """After ``close`` another program can bind the port."""
    reservation.listen().close()
    reservation.close()
    take(reservation.number).close()


def test_close_twice(reservation: Reservation) -> None:
    """A second ``close`` does nothing."""
    reservation.close()
    reservation.close()


@pytest.mark.parametrize("rule", [LinuxReservation, BsdReservation])
@pytest.mark.parametrize(("theirs", "ours"), [("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "0.0.0.0")])
def test_wildcard_of_another_server(
    request: pytest.FixtureRequest, rule: type, theirs: str, ours: str
) -> None:
    """A port is in use if another server has it on the wildcard address, or on loopback alone."""
    if rule is BsdReservation:
        request.getfixturevalue("macos")
    with socket.create_server((theirs, 0)) as other, pytest.raises(OSError, match="in use"):
        rule((socket.AF_INET, ours), other.getsockname()[1])


def linger(address: str) -> int:
    """A free port at which a connection of an earlier server lingers (TIME_WAIT)."""
    number = free_port()
    with (
        socket.create_server((address, number)) as other,
        socket.create_connection(("127.0.0.1", number), 10.0),
    ):
        other.accept()[0].close()
    return number


@pytest.mark.parametrize("rule", [LinuxReservation, BsdReservation])
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_lingering_connection(request: pytest.FixtureRequest, rule: type, address: str) -> None:
    """A port at which connections linger (TIME_WAIT) can be reserved."""
    if rule is BsdReservation:
        request.getfixturevalue("macos")
    number = linger(address)
    with contextlib.closing(rule((socket.AF_INET, address), number)) as reservation:
        assert reservation.number == number


@pytest.mark.skipif(sys.platform != "linux", reason="macOS lets SO_REUSEADDR take the port")
def test_second_server_at_a_lingering_connection() -> None:
    """Of two servers that start where connections linger, only one reserves the port."""
    number = linger("127.0.0.1")
    with (
        contextlib.closing(LinuxReservation(WHERE, number)),
        pytest.raises(OSError, match="in use"),
    ):
        LinuxReservation(WHERE, number)


@pytest.mark.usefixtures("macos")
def test_stranger_at_the_time_of_the_reservation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that comes while a port of macOS is being reserved is not taken for its own."""
    real = socket.socket.listen
    strangers: list[socket.socket] = []

    def listen(sock: socket.socket, backlog: int) -> None:
        real(sock, 5)
        strangers.append(socket.create_connection(sock.getsockname(), 10.0))

    monkeypatch.setattr(socket.socket, "listen", listen)
    with contextlib.closing(reserve(WHERE, 0)) as reservation:
        strangers[0].close()
        with pytest.raises(OSError, match="in use"):
            take(reservation.number)


@pytest.mark.usefixtures("macos")
def test_no_connection_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a port of macOS cannot be reserved, its sockets are closed."""
    made: list[socket.socket] = []

    def connect(sock: socket.socket, address: object) -> None:
        made.append(sock)
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(PermissionError):
        reserve(WHERE, 0)
    assert made[0].fileno() == -1


def test_default_timeout(
    reservation: Reservation, default_timeout: Callable[[float], None]
) -> None:
    """``socket.setdefaulttimeout()`` does not apply to the listening socket."""
    default_timeout(1.0)
    with reservation.listen() as listener:
        assert listener.gettimeout() is None
