"""Reading HTTP/1.1 requests from bytes."""

from __future__ import annotations

import tracemalloc

import pytest

from wove_http_dev.protocol.messages import Request
from wove_http_dev.protocol.request_reader import RequestError, RequestReader

MAX_HEAD = 1000
MAX_BODY = 100
POST = b"POST /wove/tasks HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"


def reader(*, secure: bool = False) -> RequestReader:
    """A reader with small limits."""
    return RequestReader(max_head=MAX_HEAD, max_body=MAX_BODY, secure=secure)


def read(data: bytes) -> Request:
    """The request in ``data``, fed at once."""
    fed = reader()
    assert fed.feed(data)
    return fed.request()


def with_target(target: bytes) -> bytes:
    """A GET request for ``target``."""
    return b"GET " + target + b" HTTP/1.1\r\nHost: h\r\n\r\n"


def with_headers(*lines: str, body: bytes = b"") -> bytes:
    """A POST request with these header lines."""
    head = "\r\n".join(["POST / HTTP/1.1", "Host: h", *lines])
    return head.encode("latin-1") + b"\r\n\r\n" + body


def failure(data: bytes, *, secure: bool = False) -> RequestError:
    """The error that reading ``data`` raises."""
    with pytest.raises(RequestError) as caught:
        reader(secure=secure).feed(data)
    return caught.value


class TestWholeRequest:
    """The parts of a complete request."""

    def test_method(self) -> None:
        """The method is read."""
        assert read(POST).method == "POST"

    def test_body(self) -> None:
        """The body is read."""
        assert read(POST).body == b"hello"

    def test_headers(self) -> None:
        """The headers are read in order, in the case in which they were sent."""
        assert list(read(POST).headers) == [("Host", "h"), ("Content-Length", "5")]

    def test_header_is_latin_1(self) -> None:
        """Header values are decoded as latin-1, which never fails."""
        assert read(with_headers("X-Bytes: \xff")).headers.get("x-bytes") == "\xff"

    def test_duplicated_header(self) -> None:
        """A header sent twice has two values."""
        request = read(with_headers("X-A: 1", "x-a: 2"))
        assert request.headers.getlist("X-A") == ["1", "2"]

    @pytest.mark.parametrize("secure", [True, False])
    def test_secure(self, secure: bool) -> None:
        """The request records whether it came over TLS."""
        fed = reader(secure=secure)
        fed.feed(POST)
        assert fed.request().secure is secure

    def test_byte_by_byte(self) -> None:
        """A request that arrives in single bytes is the same request."""
        fed = reader()
        for index in range(len(POST)):
            fed.feed(POST[index : index + 1])
        request = fed.request()
        assert (request.target, request.body) == ("/wove/tasks", b"hello")

    def test_not_whole_before_the_last_byte(self) -> None:
        """A request is incomplete until its last byte."""
        assert not reader().feed(POST[:-1])

    def test_chunked_body(self) -> None:
        """A chunked body is joined."""
        assert read(CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").body == b"abcde"

    def test_trailer_is_not_a_header(self) -> None:
        """A trailer is not among the headers."""
        request = read(CHUNKED + b"0\r\nX-Wove-Key: default\r\n\r\n")
        assert request.headers.get("X-Wove-Key") is None

    @pytest.mark.parametrize(
        ("sent", "target"),
        [
            (b"/wove/tasks", "/wove/tasks"),
            (b"/a%20b?x=%2F&y", "/a%20b?x=%2F&y"),
            (b"//double//slash", "//double//slash"),
            (b"/a?", "/a?"),
            (b"http://h/path?x=1", "/path?x=1"),
            (b"HTTPS://h:1/path", "/path"),
            (b"http://h", "/"),
            (b"http://h?x=1", "/?x=1"),
        ],
    )
    def test_target(self, sent: bytes, target: str) -> None:
        """The target is as sent; an absolute form is cut to path and query."""
        assert read(with_target(sent)).target == target

    @pytest.mark.parametrize(
        ("sent", "host"),
        [
            (b"/path", "h"),
            (b"http://other/path", "other"),
            (b"http://[::1]:80", "[::1]:80"),
            (b"http://user@other?x", "user@other"),
        ],
    )
    def test_host(self, sent: bytes, host: str) -> None:
        """The authority of an absolute form replaces the Host header (RFC 9112, 3.2.2)."""
        assert read(with_target(sent)).headers.getlist("Host") == [host]


OFFER = (
    "Connection: Upgrade, HTTP2-Settings",
    "Upgrade: h2c",
    "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
)


class TestUpgrade:
    """An offer of another protocol, which is ignored (RFC 9110, 7.8)."""

    @pytest.mark.parametrize(
        "data",
        [
            with_headers(*OFFER, "Content-Length: 5", body=b"hello"),
            with_headers("Content-Length: 5", *OFFER, body=b"hello"),
            with_headers(
                *OFFER, "Transfer-Encoding: chunked", body=b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
            ),
            with_headers(*OFFER, "Content-Length: 5", body=b"hello").replace(b"/1.1", b"/1.0", 1),
        ],
        ids=["last", "first", "chunked", "http-1.0"],
    )
    @pytest.mark.parametrize("size", [1, 7, 10_000])
    def test_body(self, data: bytes, size: int) -> None:
        """The body is read, in whatever pieces the request arrives."""
        fed = reader()
        whole = [fed.feed(data[at : at + size]) for at in range(0, len(data), size)]
        assert (whole.index(True), fed.request().body) == (len(whole) - 1, b"hello")

    def test_headers(self) -> None:
        """The other headers are kept in order."""
        request = read(with_headers("X-A: ä", *OFFER, "X-B:"))
        assert list(request.headers) == [
            ("Host", "h"),
            ("X-A", "ä"),
            ("Connection", "Upgrade, HTTP2-Settings"),
            ("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA"),
            ("X-B", ""),
        ]

    def test_keep_alive(self) -> None:
        """The connection is kept."""
        fed = reader()
        fed.feed(with_headers(*OFFER, "Content-Length: 0"))
        assert fed.keep_alive

    @pytest.mark.parametrize("first", [POST, with_headers(*OFFER)], ids=["plain", "offer"])
    def test_pipelined(self, first: bytes) -> None:
        """An offer in a second request is like any second request."""
        fed = reader()
        assert (fed.feed(first + with_headers(*OFFER)), fed.pipelined) == (True, True)

    def test_limits(self) -> None:
        """The limit of a body is kept."""
        assert failure(with_headers(*OFFER, f"Content-Length: {MAX_BODY + 1}")).status == 413

    def test_smuggling(self) -> None:
        """A body with two lengths is refused."""
        data = with_headers(*OFFER, "Content-Length: 5", "Transfer-Encoding: chunked")
        assert failure(data).status == 400

    def test_connect(self) -> None:
        """After CONNECT, which no other method of a request is like, the connection closes."""
        fed = reader()
        whole = fed.feed(b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n\x16\x03")
        assert (whole, fed.request().method, fed.keep_alive) == (True, "CONNECT", False)


class TestProgress:
    """The state of a reader before the request is complete."""

    def test_nothing_yet(self) -> None:
        """A reader without a byte has not started."""
        assert not reader().started

    def test_started(self) -> None:
        """The first byte starts it."""
        fed = reader()
        fed.feed(b"P")
        assert fed.started

    def test_head_not_done(self) -> None:
        """The head is not done before its empty line."""
        fed = reader()
        fed.feed(b"POST / HTTP/1.1\r\nHost: h\r\n")
        assert not fed.head_done

    def test_head_done(self) -> None:
        """The head is done after its empty line, with or without the body."""
        fed = reader()
        fed.feed(POST[:-5])
        assert fed.head_done

    @pytest.mark.parametrize("value", ["100-continue", "100-Continue"])
    def test_expects_continue(self, value: str) -> None:
        """``expects_continue`` is true for a client that waits for 100 Continue."""
        fed = reader()
        fed.feed(with_headers(f"Expect: {value}", "Content-Length: 5"))
        assert fed.expects_continue

    @pytest.mark.parametrize(
        "data",
        [
            POST[:-5],
            with_headers("Expect: 100-continue")[:-2],
            with_headers("Expect: 100-continue", "Content-Length: 5", body=b"he"),
            with_headers("Expect: 100-continue", "Content-Length: 5", body=b"hello"),
            with_headers("Expect: 100-continue", "Content-Length: 5").replace(b"/1.1", b"/1.0"),
        ],
        ids=["no-expect", "head-not-done", "body-begun", "whole", "http-1.0"],
    )
    def test_does_not_expect_continue(self, data: bytes) -> None:
        """``expects_continue`` is false without the header, before the head, and once the body
        comes."""
        fed = reader()
        fed.feed(data)
        assert not fed.expects_continue

    @pytest.mark.parametrize(
        ("data", "kept"),
        [
            (POST, True),
            (with_headers("Connection: close", "Content-Length: 0"), False),
            (POST.replace(b"HTTP/1.1", b"HTTP/1.0"), False),
        ],
        ids=["default", "close", "http-1.0"],
    )
    def test_keep_alive(self, data: bytes, kept: bool) -> None:
        """The connection is kept if the client asks for it."""
        fed = reader()
        fed.feed(data)
        assert fed.keep_alive is kept


def fed(data: bytes) -> RequestReader:
    """A reader that was fed ``data``, which is not a whole request."""
    reading = reader()
    assert not reading.feed(data)
    return reading


class TestPart:
    """A request whose body has not arrived to its end."""

    def test_head(self) -> None:
        """Method, target and headers are known once the head is done."""
        head = fed(POST[:-5]).head()
        assert (head.method, head.target, head.headers["Host"]) == ("POST", "/wove/tasks", "h")

    def test_beginning_of_the_body(self) -> None:
        """The request has as much of its body as has arrived."""
        assert fed(POST[:-1]).request().body == b"hell"

    def test_size(self) -> None:
        """``body_size`` counts the bytes of the body that have arrived."""
        assert fed(POST[:-1]).body_size == 4

    @pytest.mark.parametrize(("data", "whole"), [(POST, True), (POST[:-1], False)])
    def test_complete(self, data: bytes, whole: bool) -> None:
        """``complete`` says whether the whole request has arrived."""
        reading = reader()
        reading.feed(data)
        assert reading.complete is whole

    def test_memory_of_small_chunks(self) -> None:
        """A byte that comes in a chunk of its own takes a few bytes of memory, no object."""
        size = 50_000
        reading = RequestReader(max_head=MAX_HEAD, max_body=size)
        reading.feed(CHUNKED)
        chunks = b"1\r\nx\r\n" * 1000
        tracemalloc.start()
        try:
            for _ in range(size // 1000):
                reading.feed(chunks)
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (reading.body_size, held < 3 * size) == (size, True)


class TestPipelining:
    """Bytes after the first request."""

    @pytest.mark.parametrize("rest", [POST, b"POST / HTTP/1.1\r\n"], ids=["whole", "part"])
    def test_noticed(self, rest: bytes) -> None:
        """``pipelined`` is true after bytes of a second request."""
        fed = reader()
        fed.feed(POST + rest)
        assert fed.pipelined

    def test_first_request_stands(self) -> None:
        """Bytes of the second request do not change the first."""
        request = read(POST + with_target(b"/second"))
        assert (request.method, request.target, request.body) == ("POST", "/wove/tasks", b"hello")

    def test_connection_is_not_kept(self) -> None:
        """After a second request the connection is not kept."""
        fed = reader()
        fed.feed(POST + POST)
        assert not fed.keep_alive

    def test_second_request_is_not_http(self) -> None:
        """A second request that is not HTTP does not change the first."""
        assert read(POST + b"GET nonsense HTTP/9.9\r\n\r\n").body == b"hello"


class TestErrors:
    """Bytes that are not an acceptable request."""

    @pytest.mark.parametrize(
        "data",
        [
            b"nonsense\r\n\r\n",
            b"POST / HTTP/9.9\r\n\r\n",
            b"POST /\r\n\r\n",
            with_headers("No colon here"),
            with_headers("Content-Length: five"),
            with_headers("Content-Length: -1"),
            with_headers("Content-Length: 5", "Content-Length: 6"),
            with_headers("Content-Length: 5", "Transfer-Encoding: chunked"),
            with_headers("Transfer-Encoding: chunked, chunked"),
            with_headers("Transfer-Encoding: chunked, gzip"),
            with_headers("Transfer-Encoding: gzip"),
            CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0"),
            CHUNKED + b"zz\r\n",
            b"POST / HTTP/1.1\r\n\r\n",
            with_headers("host: other"),
        ],
        ids=[
            "no-http",
            "version",
            "http-0.9",
            "header",
            "length-word",
            "length-negative",
            "two-lengths",
            "length-and-chunked",
            "chunked-twice",
            "chunked-not-last",
            "not-chunked",
            "chunked-http-1.0",
            "chunk-size",
            "no-host",
            "two-hosts",
        ],
    )
    def test_not_http(self, data: bytes) -> None:
        """Bytes that are not HTTP/1.1, or that are ambiguous, get a 400."""
        assert failure(data).status == 400

    @pytest.mark.parametrize(
        "lines",
        [
            ["Transfer-Encoding: gzip, chunked"],
            ["transfer-encoding: identity,chunked"],
            ["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"],
        ],
        ids=["list", "identity", "two-headers"],
    )
    def test_unknown_transfer_coding(self, lines: list[str]) -> None:
        """A transfer coding besides ``chunked`` gets a 501 (RFC 9112, 6.1)."""
        assert failure(with_headers(*lines)).status == 501

    @pytest.mark.parametrize("value", ["Chunked", ", chunked", "\tchunked "])
    def test_forms_of_chunked(self, value: str) -> None:
        """The name ignores case, and a list may have empty elements (RFC 9110, 5.6.1)."""
        body = b"5\r\nhello\r\n0\r\n\r\n"
        assert read(with_headers(f"Transfer-Encoding: {value}", body=body)).body == b"hello"

    def test_old_clients_need_no_host(self) -> None:
        """An HTTP/1.0 request needs no Host header (RFC 1945)."""
        assert read(b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello").body == b"hello"

    def test_tls_on_a_plain_port(self) -> None:
        """A TLS handshake on a plain port is named in the message."""
        assert "TLS handshake" in str(failure(b"\x16\x03\x01\x02\x00\x01"))

    def test_handshake_byte_inside_tls(self) -> None:
        """Inside TLS, the first byte of a handshake is not reported as a handshake."""
        assert "TLS handshake" not in str(failure(b"\x16\x03\x01\x02\x00\x01", secure=True))

    def test_head_too_large_at_once(self) -> None:
        """A head above the limit is a 431, even if it arrives whole."""
        assert failure(with_headers("X-Long: " + "x" * MAX_HEAD)).status == 431

    def test_target_too_large(self) -> None:
        """A target above the limit is a 431."""
        assert failure(with_target(b"/" + b"x" * MAX_HEAD)).status == 431

    def test_head_without_end(self) -> None:
        """A header line that never ends is a 431."""
        assert failure(b"POST / HTTP/1.1\r\nX-Long: " + b"x" * MAX_HEAD).status == 431

    def test_head_in_pieces(self) -> None:
        """A head above the limit is a 431, even if it arrives in small lines."""
        fed, line = reader(), b"X-Some: " + b"x" * 90 + b"\r\n"
        fed.feed(b"POST / HTTP/1.1\r\n" + 9 * line)
        with pytest.raises(RequestError) as caught:
            fed.feed(line)
        assert caught.value.status == 431

    def test_trailers_too_large(self) -> None:
        """Trailers above the limit of the head are a 431."""
        trailer = b"X-Long: " + b"x" * MAX_HEAD + b"\r\n\r\n"
        assert failure(CHUNKED + b"0\r\n" + trailer).status == 431

    def test_promised_body_too_large(self) -> None:
        """A declared length above the limit is a 413 before the body arrives."""
        assert failure(with_headers(f"Content-Length: {MAX_BODY + 1}")).status == 413

    def test_chunked_body_too_large(self) -> None:
        """A chunked body above the limit is a 413."""
        chunk = b"3c\r\n" + b"x" * 60 + b"\r\n"
        assert failure(CHUNKED + chunk + chunk).status == 413

    def test_message_has_the_limit(self) -> None:
        """The error's message has the limit."""
        message = str(failure(with_headers(f"Content-Length: {MAX_BODY + 1}")))
        assert message == f"the body is larger than max_body={MAX_BODY} bytes"

    def test_largest_body(self) -> None:
        """A body exactly as large as the limit is read."""
        body = b"x" * MAX_BODY
        assert read(with_headers(f"Content-Length: {MAX_BODY}", body=body)).body == body
