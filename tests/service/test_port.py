"""A reserved port, and the listening sockets on it."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import TIMEOUT, free_port, with_ipv6
from wove_http_dev.errors import PortInUseError, UsageError
from wove_http_dev.service.port import Port

LOOPBACK = "127.0.0.1"
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="what SO_REUSEADDR means differs")


@pytest.fixture
def port() -> Iterator[Port]:
    """A free port, reserved."""
    with contextlib.closing(Port("localhost", 0)) as port:
        yield port


def bind(number: int, *, reuse: bool = False, address: str = LOOPBACK) -> socket.socket:
    """A socket of another program, bound to that port."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(reuse))
        sock.bind((address, number))
    except OSError:
        sock.close()
        raise
    return sock


def connect(number: int) -> socket.socket:
    """A connection to that port."""
    return socket.create_connection((LOOPBACK, number), timeout=TIMEOUT)


def linger(port: Port) -> None:
    """Leave a connection of a listener on the port that lingers (TIME_WAIT)."""
    with port.listen() as listener, connect(port.number):
        accepted = listener.accept()
        assert accepted is not None
        accepted.close()


def resolve(monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> None:
    """Let every host name have these addresses."""
    infos = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 0)) for each in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: infos)


def refuse_ipv6(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let no IPv6 address be bound: the error has that number."""
    real = socket.socket.bind

    def bind_ipv4(sock: socket.socket, address: Any) -> None:
        if sock.family == socket.AF_INET6:
            raise OSError(number, os.strerror(number))
        real(sock, address)

    monkeypatch.setattr(socket.socket, "bind", bind_ipv4)


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
        port = Port("localhost", free_port())
        port.close()
        with bind(port.number) as taken:
            assert taken.getsockname()[1] == port.number


class TestListening:
    """Listeners on a reserved port."""

    def test_accepts(self, port: Port) -> None:
        """A listener accepts connections on the port."""
        with port.listen() as listener, connect(port.number) as client:
            accepted = listener.accept()
            assert accepted is not None
            with accepted:
                assert accepted.getpeername() == client.getsockname()

    def test_again(self, port: Port) -> None:
        """After the first listener is closed, a second one listens on the same port."""
        port.listen().close()
        with port.listen(), connect(port.number) as client:
            assert client.getpeername()[1] == port.number

    def test_again_after_connections(self, port: Port) -> None:
        """Lingering connections of the first listener do not prevent the second one."""
        linger(port)
        with port.listen(), connect(port.number) as client:
            assert client.getpeername()[1] == port.number

    def test_same_number_after_connections(self) -> None:
        """Lingering connections do not prevent a new reservation."""
        first = Port("localhost", free_port())
        with contextlib.closing(first):
            linger(first)
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

    def test_host_that_is_a_url(self) -> None:
        """A URL that is given as the host is repeated without its password and its query."""
        with pytest.raises(UsageError) as caught:
            Port("https://me:hunter2@worker/wove?key=hunter3", 0)
        assert "host 'https://…@worker/wove' does not resolve" in str(caught.value)
        assert "hunter" not in str(caught.value)


class TestAddresses:
    """The addresses to which a host name is bound."""

    @pytest.mark.parametrize("host", [LOOPBACK, "0.0.0.0"])
    def test_ipv4(self, host: str) -> None:
        """An IPv4 address is bound alone."""
        with contextlib.closing(Port(host, 0)) as port:
            assert port.addresses == [host]

    @with_ipv6
    @pytest.mark.parametrize("host", ["::1", "[::1]"])
    def test_ipv6(self, host: str) -> None:
        """An IPv6 address is bound, with or without brackets."""
        with contextlib.closing(Port(host, 0)) as port:
            assert port.addresses == ["::1"]

    @with_ipv6
    @pytest.mark.parametrize("host", ["localhost", "LocalHost"])
    def test_localhost(self, host: str) -> None:
        """``localhost`` is loopback's address of both families, whatever the hosts file says."""
        with contextlib.closing(Port(host, 0)) as port:
            assert port.addresses == [LOOPBACK, "::1"]

    @with_ipv6
    @pytest.mark.parametrize("address", [LOOPBACK, "::1"])
    def test_localhost_accepts(self, port: Port, address: str) -> None:
        """A listener on ``localhost`` accepts connections of both families."""
        with port.listen() as listener, socket.create_connection((address, port.number), 10.0):
            accepted = listener.accept()
            assert accepted is not None
            with accepted:
                assert accepted.getsockname()[0] == address

    @with_ipv6
    def test_wildcard(self) -> None:
        """``::`` takes connections of both families."""
        with contextlib.closing(Port("::", 0)) as port, port.listen(), connect(port.number) as sock:
            assert sock.getpeername()[0] == LOOPBACK

    def test_every_address_of_a_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A name that has two addresses is bound to both."""
        resolve(monkeypatch, [LOOPBACK, "127.0.0.2"])
        with contextlib.closing(Port("two.example", 0)) as port:
            assert port.addresses == [LOOPBACK, "127.0.0.2"]

    def test_a_name_with_an_address_of_another_machine(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A name of which one address is another machine's is refused."""
        resolve(monkeypatch, [LOOPBACK, "192.0.2.1"])
        with pytest.raises(UsageError, match=r"two\.example \(192\.0\.2\.1\) is not an address"):
            Port("two.example", 0)


class TestOtherFamily:
    """A port of ``localhost`` that the other family has not."""

    @with_ipv6
    def test_taken(self) -> None:
        """A port that is in use on ``::1`` alone is refused."""
        number = free_port()
        with (
            bind(number, address="::1"),
            pytest.raises(PortInUseError, match=f"port {number} on localhost is in use at ::1"),
        ):
            Port("localhost", number)

    @with_ipv6
    def test_refused_leaves_nothing(self) -> None:
        """A port that was refused is free on ``127.0.0.1``."""
        number = free_port()
        with bind(number, address="::1"):
            with contextlib.suppress(PortInUseError):
                Port("localhost", number)
            Port("127.0.0.1", number).close()

    @with_ipv6
    def test_free_port(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A free port of IPv4 that is in use on ``::1`` is not chosen."""
        taken: list[int] = []
        real = socket.socket.bind

        def refuse_once(sock: socket.socket, address: Any) -> None:
            if address[0] == "::1" and not taken:
                taken.append(address[1])
            if address[0] == "::1" and address[1] in taken:
                raise OSError(errno.EADDRINUSE, "in use")
            real(sock, address)

        monkeypatch.setattr(socket.socket, "bind", refuse_once)
        with contextlib.closing(Port("localhost", 0)) as port:
            assert port.number not in taken

    @with_ipv6
    def test_no_free_port(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """If no port is free on ``::1``, the choice ends with an error."""
        refuse_ipv6(monkeypatch, errno.EADDRINUSE)
        with pytest.raises(PortInUseError, match="localhost is in use at ::1"):
            Port("localhost", 0)

    @pytest.mark.parametrize("number", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
    def test_no_ipv6(self, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        """Where there is no IPv6, ``localhost`` is IPv4 alone."""
        refuse_ipv6(monkeypatch, number)
        with contextlib.closing(Port("localhost", 0)) as port:
            assert port.addresses == [LOOPBACK]

    def test_python_without_ipv6(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where Python was built without IPv6, ``localhost`` is IPv4 alone."""
        monkeypatch.setattr(socket, "has_ipv6", False)
        with contextlib.closing(Port("localhost", 0)) as port:
            assert port.addresses == [LOOPBACK]


def test_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows the error says what to use instead."""
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UsageError, match="a worker service needs Linux or macOS; on Windows, use"):
        Port("localhost", 0)
