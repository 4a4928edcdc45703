"""Faults of the HTTP response: status, headers and body."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from wove_http_dev.faults.distributions import Duration, drawn
from wove_http_dev.faults.fault import Fault, ResponseStage
from wove_http_dev.fields import field
from wove_http_dev.protocol.messages import REASONS, Reply, json_reply

__all__ = [
    "ByteOrderMark",
    "EmptyBody",
    "GzipBody",
    "HtmlPage",
    "InterimResponse",
    "InvalidJson",
    "InvalidUtf8",
    "OversizedBody",
    "OversizedHeader",
    "Redirect",
    "Status",
    "WrongContentType",
]

_TRANSPORT = "a transport error, kind "


@dataclass(frozen=True)
class _ResponseFault(Fault):
    stage: ClassVar[str] = "response"


@dataclass(frozen=True)
class Status(_ResponseFault):
    """The response has an HTTP error status."""

    effect: ClassVar[str] = (
        _TRANSPORT + "HTTPError; the body is thrown away, the reason phrase is shown"
    )
    code: int = field(503, "HTTP status", least=200, most=599)
    retry_after: Duration | None = field(
        None, "seconds in a Retry-After header (none: no such header)", "seconds"
    )
    reason: str | None = field(None, "reason phrase (none: the usual one of the status)")

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        answer = json_reply(self.code, {"error": "by a fault"})
        answer.reason = self.reason
        if self.retry_after is not None:
            answer.headers.append(("Retry-After", f"{drawn(self.retry_after):g}"))
        return answer


@dataclass(frozen=True)
class Redirect(_ResponseFault):
    """The client is redirected, by default to a second server of the worker.

    ``Injection.redirected`` has the requests that follow.
    """

    effect: ClassVar[str] = (
        "301, 302, 303: a GET with every header, credentials included, to the other origin, whose"
        " answer is unpickled and accepted; 307, 308: a transport error, kind HTTPError"
    )
    uncontained: ClassVar[Mapping[str, str]] = {
        "2.0": "it follows a redirect, and takes the other server's answer for the worker's"
    }
    code: int = field(302, "HTTP status", least=300, most=399)
    target: str | None = field(
        None, "URL in the Location header (none: a second origin of this worker)"
    )

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        target = self.target if self.target is not None else stage.second_origin()
        return Reply(status=self.code, headers=[("Location", target)])


@dataclass(frozen=True)
class EmptyBody(_ResponseFault):
    """The response is a 200 with an empty body."""

    effect: ClassVar[str] = _TRANSPORT + "RuntimeError: returned an empty response"

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        return Reply(headers=[("Content-Type", "application/json")])


@dataclass(frozen=True)
class InvalidJson(_ResponseFault):
    """The body stops being JSON in the middle."""

    effect: ClassVar[str] = _TRANSPORT + "JSONDecodeError"

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        return replace(reply, body=reply.body[: len(reply.body) // 2] + b"}{")


@dataclass(frozen=True)
class InvalidUtf8(_ResponseFault):
    """The body is not UTF-8."""

    effect: ClassVar[str] = _TRANSPORT + "UnicodeDecodeError"

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        return replace(reply, body=b"\xff\xfe" + reply.body)


@dataclass(frozen=True)
class ByteOrderMark(_ResponseFault):
    """The body begins with a UTF-8 byte order mark."""

    effect: ClassVar[str] = _TRANSPORT + "JSONDecodeError: Unexpected UTF-8 BOM"

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        return replace(reply, body=b"\xef\xbb\xbf" + reply.body)


@dataclass(frozen=True)
class HtmlPage(_ResponseFault):
    """The response is an HTML page, like that of a proxy or a login."""

    effect: ClassVar[str] = _TRANSPORT + "JSONDecodeError (HTTPError for an error status)"
    status: int = field(200, "HTTP status", least=200, most=599)

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        return Reply(
            status=self.status,
            body=b"<!doctype html><title>Sign in</title><p>Please sign in.",
            headers=[("Content-Type", "text/html; charset=utf-8")],
        )


@dataclass(frozen=True)
class GzipBody(_ResponseFault):
    """The body is compressed, although the executor asked for identity."""

    effect: ClassVar[str] = _TRANSPORT + "UnicodeDecodeError: Content-Encoding is ignored"

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        headers = [*reply.headers, ("Content-Encoding", "gzip")]
        return replace(reply, body=gzip.compress(reply.body), headers=headers)


@dataclass(frozen=True)
class WrongContentType(_ResponseFault):
    """The response has the wrong Content-Type."""

    effect: ClassVar[str] = "the result: the executor does not check it"
    content_type: str = field("text/html", "value of the Content-Type header")

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        kept = [(k, v) for k, v in reply.headers if k.lower() != "content-type"]
        return replace(reply, headers=[*kept, ("Content-Type", self.content_type)])


@dataclass(frozen=True)
class InterimResponse(_ResponseFault):
    """An interim response (1xx) comes before the final one."""

    effect: ClassVar[str] = (
        "100 is skipped; 102 and 103 are taken for the final one: a transport error, kind HTTPError"
    )
    code: int = field(103, "HTTP status of the interim response", least=100, most=199)

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        reason = REASONS.get(self.code, "Interim")
        return replace(reply, interim=f"HTTP/1.1 {self.code} {reason}\r\n\r\n".encode())


@dataclass(frozen=True)
class OversizedBody(_ResponseFault):
    """The body is followed by many blanks."""

    effect: ClassVar[str] = "the result: the executor reads everything, without a limit"
    size: int = field(16 * 2**20, "bytes of the body, filled up with blanks", "bytes", most=2**30)

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        return replace(reply, body=reply.body.ljust(self.size))


@dataclass(frozen=True)
class OversizedHeader(_ResponseFault):
    """One header line is longer than a client reads."""

    effect: ClassVar[str] = _TRANSPORT + "LineTooLong"
    size: int = field(70_000, "bytes in the header's value", "bytes", most=2**30)

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        return replace(reply, headers=[*reply.headers, ("X-Padding", "x" * self.size)])
