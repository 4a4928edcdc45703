"""Checks of the values of options, and of options that go together. Each error says what to write
instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any

from wove_http_dev.errors import UsageError
from wove_http_dev.hosts import Host
from wove_http_dev.secret import shown_url
from wove_http_dev.spelling import nearest

RUNNERS = ("threads", "processes", "dask")
"""The values of the option ``runner`` that are words."""
_SCHEDULER = re.compile(r"[a-z]+://[^\s/@]+")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SENDERS_HEADERS = frozenset(
    [
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
"""Headers about one connection or one message (RFC 9110, 7.6.1; RFC 9112, 6). urllib sends another
value than the executor gave, or a request that no server can read."""


def check_runner(runner: Any, *, workers: int | None, isolated: bool) -> None:
    """Raise :class:`UsageError` for a ``runner`` that is none, or that does not go with ``workers``
    or ``isolated``."""
    given = isinstance(runner, Executor)
    if not given and runner not in RUNNERS:
        raise UsageError(_no_runner(runner))
    if given and isolated:
        raise UsageError(
            "an executor as runner needs isolated=False: it cannot travel to another process"
        )
    if runner == "dask" and isolated:
        raise UsageError("runner 'dask' needs isolated=False: task bodies run in processes anyway")
    if workers is not None and runner not in ("processes", "dask"):
        raise UsageError(
            "workers is the number of processes: it needs runner='processes' (--runner processes),"
            " or 'dask'"
        )


def _no_runner(runner: Any) -> str:
    if isinstance(runner, type) and issubclass(runner, Executor):
        return f"runner takes an executor, not its class: write {runner.__name__}(…)"
    if hasattr(runner, "get_executor"):  # distributed.Client
        return (
            f"runner takes an executor, not this {type(runner).__name__}: call its get_executor()"
        )
    known = ", ".join(RUNNERS)
    close = nearest(runner, RUNNERS)
    advice = "" if close is None else f"; did you mean {close!r}?"
    return f"runner takes {known} or, in Python, an Executor, not {runner!r}{advice}"


def check_dask(address: str | None, runner: Any, workers: int | None) -> None:
    """Raise :class:`UsageError` for the address of a Dask scheduler that is none, or that does not
    go with ``runner`` or ``workers``."""
    if address is None:
        return
    if runner != "dask":
        raise UsageError("dask_scheduler goes with runner 'dask' (--runner dask)")
    if workers is not None:
        raise UsageError("workers does not go with dask_scheduler, whose workers are there already")
    if not _SCHEDULER.fullmatch(address):
        raise UsageError(
            "dask_scheduler takes an address that 'dask scheduler' prints, such as"
            f" tcp://10.0.0.5:8786, not {address!r}"
        )


def check_hosts(hosts: Any) -> None:
    """Raise :class:`UsageError` unless ``hosts`` is a list of host names and addresses."""
    if not isinstance(hosts, (list, tuple)):
        raise UsageError('hosts is a list of host names: hosts=["worker"]')
    for name in hosts:
        host = Host(name) if isinstance(name, str) else None
        if host is None or not (host.is_name or host.is_address) or name.startswith("*"):
            shown = shown_url(name) if isinstance(name, str) else name
            raise UsageError(f"hosts: {shown!r} is not a host name or address")


def check_path(path: str) -> None:
    """Raise :class:`UsageError` for a path that is not one of a URL, or that has a query."""
    if not path.startswith("/") or not path.isascii() or " " in path:
        raise UsageError(
            f"path must start with '/' and be percent-encoded, not {shown_url(path)!r}"
        )
    if "?" in path or "#" in path:
        raise UsageError("path must have no query and no fragment: every query is accepted")


def check_headers(headers: Any) -> None:
    """Raise :class:`UsageError` for headers that urllib cannot send, or would send changed. The
    message names the header, never its value."""
    if headers is None:
        return
    if not isinstance(headers, Mapping):
        raise UsageError('headers is a dict of names and values: {"X-Tenant": "acme"}')
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(str(name)):
            # Shown up to the first character that is wrong: a value may follow it.
            right = _HEADER_NAME.match(str(name))
            shown = repr(f"{right.group()}…" if right else "")
            raise UsageError(f"headers: {shown} is not a header name (RFC 9110, 5.1)")
        if str(name).lower() in _SENDERS_HEADERS:
            raise UsageError(f"header {name!r} is set by the client itself; leave it out")
        if not isinstance(value, (str, int, float)):  # the executor would send its str()
            raise UsageError(f"the value of header {name!r} must be text or a number")
        if not str(value).isprintable():
            raise UsageError(f"the value of header {name!r} has line breaks or control characters")
        if not _in_latin_1(str(value)):  # http.client encodes it so
            raise UsageError(
                f"the value of header {name!r} has characters beyond latin-1; percent-encode it"
            )


def _in_latin_1(text: str) -> bool:
    return all(ord(character) < 256 for character in text)
