"""A reserved port, and the listening sockets on it."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Callable, Iterator

import pytest

from wove_http_dev.errors import PortInUseError, UsageError
from wove_http_dev.service.port import Port

LOOPBACK = "127.0.0.1"
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="what SO_REUSEADDR means differs")


@pytest.fixture
def port() -> Iterator[Port]:
    """A free port, reserved."""
    with contextlib.closing(Port("localhost", 0)) as port:
        yield port


def bind(number: int, *, reuse: bool = False) -> socket.socket:
    """A socket of another program, bound to that port."""
    sock = socket.socket()
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(reuse))
        sock.bind((LOOPBACK, number))
    except OSError:
        sock.close()
        raise
    return sock


def connect(number: int) -> socket.socket:
    """A connection to that port."""
    return socket.create_connection((LOOPBACK, number), timeout=10.0)


def test_replaced_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process whose sockets gevent has replaced, the error says what to do instead."""
    monkeypatch.setattr(socket, "socket", type("socket", (), {"__module__": "gevent._socket3"}))
    with pytest.raises(UsageError, match=r"use gevent\._socket3\.socket.* exec -- CMD"):
        Port("127.0.0.1", 0)


class TestReserved:
    """A reserved port."""

    def test_free_port(self, port: Port) -> None:
        """Port 0 reserves a free port and has its number."""
        assert port.number > 0

    def test_refuses_connections(self, port: Port) -> None:
        """A reserved port refuses connections."""
        with pytest.raises(ConnectionRefusedError):
            connect(port.number)

    @on_linux
    @pytest.mark.parametrize("reuse", [False, True])
    def test_is_exclusive(self, port: Port, reuse: bool) -> None:
        """Another program cannot bind a reserved port, not even with SO_REUSEADDR."""
        with pytest.raises(OSError, match="in use"):
            bind(port.number, reuse=reuse)

    @on_linux
    def test_second_port_of_the_same_number(self, port: Port) -> None:
        """A second reservation of the same number is an error that says in use."""
        with pytest.raises(PortInUseError, match=f"port {port.number} on localhost is in use"):
            Port("localhost", port.number)

    def test_close_gives_it_back(self) -> None:
        """After ``close`` another program can bind the port."""
        port = Port("localhost", 0)
        port.close()
        with bind(port.number) as taken:
            assert taken.getsockname()[1] == port.number


class TestListening:
    """Listening sockets on a reserved port."""

    def test_accepts(self, port: Port) -> None:
        """A listener accepts connections on the port."""
        with port.listen() as listener, connect(port.number) as client:
            accepted, address = listener.accept()
            with accepted:
                assert address == client.getsockname()

    def test_again(self, port: Port) -> None:
        """After the first listener is closed, a second one listens on the same port."""
        port.listen().close()
        with port.listen() as listener:
            assert listener.getsockname()[1] == port.number

    def test_again_after_connections(self, port: Port) -> None:
        """Lingering connections of the first listener do not prevent the second one."""
        with port.listen() as listener, connect(port.number):
            listener.accept()[0].close()
        with port.listen() as listener:
            assert listener.getsockname()[1] == port.number

    def test_same_number_after_connections(self) -> None:
        """Lingering connections do not prevent a new reservation."""
        first = Port("localhost", 0)
        with contextlib.closing(first), first.listen() as listener, connect(first.number):
            listener.accept()[0].close()
        with contextlib.closing(Port("localhost", first.number)) as second:
            assert second.number == first.number

    def test_refuses_in_between(self, port: Port) -> None:
        """Between two listeners connections are refused."""
        port.listen().close()
        with pytest.raises(ConnectionRefusedError):
            connect(port.number)

    @on_linux
    @pytest.mark.parametrize("reuse", [False, True])
    def test_is_exclusive_in_between(self, port: Port, reuse: bool) -> None:
        """Between two listeners another program cannot bind the port."""
        port.listen().close()
        with pytest.raises(OSError, match="in use"):
            bind(port.number, reuse=reuse)

    def test_two_listeners(self, port: Port) -> None:
        """A second listener at the same time is refused."""
        with port.listen(), pytest.raises(PortInUseError):
            port.listen()


class TestRefused:
    """Ports and hosts that a worker cannot bind."""

    @pytest.mark.parametrize("number", [-1, 65536])
    def test_no_port(self, number: int) -> None:
        """A number outside the range of ports is a usage error."""
        with pytest.raises(UsageError, match="not between 0 and 65535"):
            Port("localhost", number)

    def test_busy(self) -> None:
        """A port in use is a usage error with advice."""
        with bind(0) as busy:
            busy.listen()
            number = busy.getsockname()[1]
            with pytest.raises(PortInUseError, match=rf"port {number} on localhost .* port=0"):
                Port("localhost", number)

    def test_host_of_another_machine(self) -> None:
        """An address of another machine is a usage error."""
        with pytest.raises(UsageError, match="not an address of this machine"):
            Port("192.0.2.1", 0)  # RFC 5737: for documentation only

    @pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 70, "a..b"])
    def test_host_that_does_not_resolve(self, host: str) -> None:
        """A host name that does not resolve is a usage error."""
        with pytest.raises(UsageError, match="does not resolve"):
            Port(host, 0)


class TestAddress:
    """The address to which a host name is bound."""

    @pytest.mark.parametrize("host", ["localhost", "LocalHost", LOOPBACK])
    def test_ipv4(self, host: str) -> None:
        """``localhost`` is bound as IPv4, regardless of the order in the hosts file."""
        with contextlib.closing(Port(host, 0)) as port:
            assert port.address == LOOPBACK

    @pytest.mark.parametrize("host", ["::1", "[::1]"])
    def test_ipv6(self, host: str) -> None:
        """An IPv6 address is bound, with or without brackets."""
        try:
            port = Port(host, 0)
        except UsageError as exc:
            pytest.skip(f"no IPv6 here: {exc}")
        with contextlib.closing(port):
            assert port.family == socket.AF_INET6


def test_listener_under_a_default_timeout(default_timeout: Callable[[float], None]) -> None:
    """``socket.setdefaulttimeout()`` does not limit how long accept() waits."""
    default_timeout(1.0)
    with contextlib.closing(Port("localhost", 0)) as port, port.listen() as listener:
        assert listener.gettimeout() is None
