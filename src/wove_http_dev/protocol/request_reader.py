"""Parses an HTTP/1.1 request: feed the bytes as they arrive, get a :class:`Request` or one error.

The parser is llhttp (``httptools``): it takes 5 µs for a request (``email.parser`` 43 µs, h11 about
90 µs) and is strict about request smuggling. This module adds size limits and converts the target
to origin form.
"""

from __future__ import annotations

import io
from typing import NoReturn

import httptools

from wove_http_dev.protocol.headers import Headers
from wove_http_dev.protocol.messages import Request


class RequestError(Exception):
    """The received bytes are not a request that can be served. The reply has the HTTP status
    ``status``; ``code`` is for the journal's exchange (``runs.records.CODES``)."""

    def __init__(self, status: int, reason: str, code: str = "malformed-request") -> None:
        super().__init__(reason)
        self.status = status
        self.code = code


_NO_HEADERS = Headers()


class RequestReader:
    """Parses the bytes of one request.

    ``max_head`` and ``max_body`` limit its head and its body, in bytes; ``secure`` is copied into
    the request.
    """

    def __init__(self, *, max_head: int, max_body: int, secure: bool = False) -> None:
        self._max_head = max_head
        self._max_body = max_body
        self._secure = secure
        self._parser = httptools.HttpRequestParser(self)
        self.method = ""
        """The request's method; empty before its first line was read."""
        self._target: list[bytes] = []
        self._fields: list[tuple[bytes, bytes]] = []
        self._headers = _NO_HEADERS  # until all fields have arrived
        # Not a list: a chunk may be one byte, and a bytes object takes more than 30.
        self._body = io.BytesIO()
        self.body_size = 0
        """Bytes of the body that have arrived."""
        self.started = False
        """Whether any bytes were fed."""
        self._fed = 0
        self._head_size = 0
        self.complete = False
        """Whether the whole request has arrived."""
        self._keep_alive = False
        self._failure: RequestError | None = None
        self.head_done = False
        self.pipelined = False
        """Whether bytes of a further request arrived. The connection must then be closed."""

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for ``100 Continue`` before its body (RFC 9110, 10.1.1)."""
        if not self.head_done or self.body_size or self.complete:
            return False
        if self._parser.get_http_version() == "1.0":  # it does not know interim responses
            return False
        return "100-continue" in map(str.lower, self._headers.getlist("Expect"))

    def feed(self, data: bytes) -> bool:
        """Parse ``data``. Returns true once the request is complete. Raises
        :class:`RequestError`."""
        self.started = True
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as exc:
            return self._feed_without_upgrade(data[exc.args[0] :])
        except httptools.HttpParserError as exc:
            if self._failure is not None:
                raise self._failure from None
            if data[:1] == b"\x16" and not self._secure:
                raise RequestError(
                    400, "a TLS handshake on a plain http port", "tls-on-plain-http-port"
                ) from None
            if not self.complete:
                raise RequestError(400, f"not HTTP/1.1: {exc}") from None
            self.pipelined = True
        if not self.head_done and self._fed > self._max_head:
            raise self._head_too_large()
        return self.complete

    def _feed_without_upgrade(self, rest: bytes) -> bool:
        """Parse a head that offers another protocol again without the offer, followed by ``rest``,
        and return whether the request is complete.

        A server may ignore the offer (RFC 9110, 7.8), which Java's HTTP client and ``curl --http2``
        make with their first request. But the parser stops after such a head and takes the request
        for complete.
        """
        if self.pipelined:
            return self.complete
        if self.method == "CONNECT":  # never served; what follows it is not HTTP
            self.pipelined = True
            return self.complete
        version = self._parser.get_http_version().encode("ascii")
        target = b"".join(self._target)
        lines = [b"%s %s HTTP/%s" % (self.method.encode("ascii"), target, version)]
        for name, value in self._headers.without("Upgrade"):
            lines.append(f"{name}: {value}".encode("latin-1"))
        self._target, self._fields, self._head_size = [], [], 0
        self.complete = self.head_done = False
        self._parser = httptools.HttpRequestParser(self)
        return self.feed(b"\r\n".join([*lines, b"", rest]))

    @property
    def keep_alive(self) -> bool:
        """Whether the client keeps the connection open for another request."""
        return self._keep_alive and not self.pipelined

    def head(self) -> Request:
        """Return the request without its body. Call it only once ``head_done`` is true."""
        return self._request(b"")

    def _request(self, body: bytes) -> Request:
        authority, target = _origin_form(b"".join(self._target))
        headers = self._headers
        if authority is not None:  # it replaces the Host header (RFC 9112, 3.2.2)
            headers = Headers([("Host", authority), *headers.without("Host")])
        return Request(self.method, target, headers, body, self._secure)

    def request(self) -> Request:
        """Return the request, with as much of its body as has arrived, which the reader then no
        longer keeps. Call it only once ``head_done`` is true."""
        request = self._request(self._body.getvalue())  # CPython does not copy it
        self.drop_body()
        return request

    def drop_body(self) -> None:
        """Free the memory of the body that has arrived."""
        self._body = io.BytesIO()

    def close(self) -> None:
        """Parse no more. Parser and reader refer to each other: without this, what was read would
        stay in memory until the next garbage collection."""
        del self._parser
        self._failure = None

    # llhttp's callbacks. An exception in one surfaces as HttpParserCallbackError, so it is stored.

    def on_message_begin(self) -> None:
        """Note that a second message in the same bytes is pipelined."""
        if self.complete:
            self.pipelined = True

    def on_url(self, url: bytes) -> None:
        """Store a piece of the target."""
        if not self.complete:
            self.method = self._parser.get_method().decode("ascii")
            self._target.append(url)
            self._head_size += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header. A trailer only counts towards the size limit."""
        if self.complete:
            return
        self._head_size += len(name) + len(value)
        if not self.head_done:
            self._fields.append((name, value))
        else:  # a trailer is not a header (RFC 9110, 6.5.1), but counts like one
            self._limit_head()

    def on_headers_complete(self) -> None:
        """Check the complete head, and the size of the body that it announces."""
        if self.complete:
            return
        self.head_done = True
        self._limit_head()
        version = self._parser.get_http_version()
        if version not in ("1.0", "1.1"):
            self._fail(RequestError(400, "not HTTP/1.1: another version, or none"))
        self._headers = headers = Headers(
            [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._fields]
        )
        for length in headers.getlist("Content-Length"):
            if length.isdigit():
                self._limit_body(int(length))
        hosts = len(headers.getlist("Host"))  # exactly one, in HTTP/1.1 (RFC 9112, 3.2)
        if hosts != 1 and (hosts or version == "1.1"):
            self._fail(RequestError(400, f"{hosts} Host headers, where one is required"))
        failure = _transfer_failure(headers.getlist("Transfer-Encoding"), version)
        if failure is not None:
            self._fail(failure)

    def on_body(self, data: bytes) -> None:
        """Store a piece of the body."""
        if self.complete:
            return
        self.body_size += len(data)
        self._limit_body(self.body_size)
        self._body.write(data)

    def on_message_complete(self) -> None:
        """Mark the request as complete, and store its method and keep-alive setting before the
        parser begins the next message."""
        if self.complete:
            return
        self.complete = True
        self._keep_alive = bool(self._parser.should_keep_alive())

    def _limit_head(self) -> None:
        if self._head_size > self._max_head:
            self._fail(self._head_too_large())

    def _fail(self, failure: RequestError) -> NoReturn:
        self._failure = failure
        raise failure

    def _head_too_large(self) -> RequestError:
        return RequestError(
            431, f"the head is larger than {self._max_head} bytes", "head-too-large"
        )

    def _limit_body(self, size: int) -> None:
        if size > self._max_body:
            text = f"the body is larger than max_body={self._max_body} bytes"
            self._fail(RequestError(413, text, "request-too-large"))


def _transfer_failure(fields: list[str], version: str) -> RequestError | None:
    """Return why a request with the Transfer-Encoding ``fields`` is not served; ``None`` if it
    is."""
    if not fields:
        return None
    if version == "1.0":  # a proxy may have passed it on without knowing it (RFC 9112, 6.1)
        return RequestError(400, "Transfer-Encoding in HTTP/1.0, which has none; use HTTP/1.1")
    codings = [each.strip(" \t").lower() for each in ",".join(fields).split(",")]
    if codings[-1] != "chunked":  # so the body's end is not known (RFC 9112, 6.3)
        return RequestError(400, "the last Transfer-Encoding is not chunked")
    if set(codings) <= {"", "chunked"}:
        return None
    return RequestError(  # RFC 9112, 6.1
        501, "the only Transfer-Encoding that is served is chunked", "unknown-transfer-coding"
    )


def _origin_form(target: bytes) -> tuple[str | None, str]:
    """Return the two parts of ``target``: its authority, which is ``None`` unless the target is in
    absolute form, and its path with the query."""
    # A server must accept the absolute form too (RFC 9112, 3.2.2); the executor signs path?query.
    text = target.decode("latin-1")
    if text.startswith("/") or not text.lower().startswith(("http://", "https://")):
        return None, text
    rest = text.partition("://")[2]
    slash = min((i for i in (rest.find("/"), rest.find("?")) if i >= 0), default=len(rest))
    path = rest[slash:]
    return rest[:slash], path if path.startswith("/") else "/" + path
