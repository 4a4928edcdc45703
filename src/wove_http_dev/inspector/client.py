"""``ControlClient``: the control API of a running ``serve``, from another process."""

from __future__ import annotations

import http.client
import json
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from wove_http_dev.errors import ConflictError, NoAnswerError, NotFoundError, UsageError
from wove_http_dev.secret import Secret, replace_secrets, shown_url

TIMEOUT = 10.0
"""Seconds to wait for an answer."""
SILENCE = 40.0
"""Seconds without anything from an event stream, which sends a comment every 15 s, after which it
counts as ended."""
RECONNECT = 1.0
"""Seconds after which an event stream that has ended is opened again."""
LINE_LIMIT = 2**24
"""Bytes of a line of an event stream."""
API_PATH = "/api/v1"
_ERRORS: Mapping[int, type[UsageError]] = {404: NotFoundError, 409: ConflictError}
Json = dict[str, Any]


@dataclass(frozen=True)
class ServerEvent:
    """One server-sent event: ``run``, ``exchange``, ``injections``, ``holds``, ``stubs``, ``reset``
    or ``reload``, with its JSON value."""

    name: str
    data: Any


class ControlClient:
    """The operations of the control API at ``api_url`` (with or without its path), for the owner of
    ``token``. Each opens a connection of its own, directly, whatever proxy the environment names,
    and blocks for at most ``timeout`` seconds.

    Methods return what the API answers: JSON values, a list without the object around it. They
    raise :class:`NoAnswerError` if no ``serve`` answers, :class:`NotFoundError` and
    :class:`ConflictError` as the worker does, and :class:`UsageError` for everything else that is
    refused.
    """

    def __init__(self, api_url: str, token: str, *, timeout: float = TIMEOUT) -> None:
        self._host, self._port, self._path = _address(api_url)
        self.url = f"http://{self._authority()}{self._path}"
        if not (token.isascii() and token.isprintable()) or " " in token or not token:
            raise UsageError("the token of the control API is a line of visible ASCII characters")
        self._token = Secret(token)
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"<ControlClient {self.url}>"

    def _authority(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"

    # What is there

    def worker(self) -> Json:
        """Return where the worker is, and how an application connects to it."""
        return self._object("GET", "worker")

    def runs(
        self,
        task: str | None = None,
        state: str | None = None,
        after: str | None = None,
        *,
        initial_values: bool = False,
        limit: int | None = None,
    ) -> list[Json]:
        """Return the runs of ``task`` (name or glob) in ``state``, oldest first. ``after`` is the
        id of a run, or a time in seconds since the epoch: only later ones are returned. ``limit``
        returns the newest so many."""
        values = "true" if initial_values else None
        query = _given(task=task, state=state, after=after, initial_values=values, limit=limit)
        return self._list("runs", query)

    def run(self, run_id: str) -> Json:
        """Return one run in full."""
        return self._object("GET", f"runs/{_quoted(run_id)}")

    def replay(self, run_id: str) -> Json:
        """Run again what the client sent; return the new run's ``id``, and the ``run``."""
        return self._object("POST", f"runs/{_quoted(run_id)}/replay", {})

    def exchanges(self, after: int | None = None, limit: int | None = None) -> list[Json]:
        """Return every request and failed connection, oldest first."""
        return self._list("exchanges", _given(after=after, limit=limit))

    def exchange(self, number: int) -> Json:
        """Return one exchange."""
        return self._object("GET", f"exchanges/{number}")

    def faults(self) -> list[Json]:
        """Return the catalogue of faults."""
        return self._list("faults")

    # What can be changed

    def injections(self) -> list[Json]:
        """Return the injections."""
        return self._list("injections")

    def inject(
        self,
        *faults: str,
        task: str | None = None,
        command: str | None = None,
        times: int | None = None,
        after: int | None = None,
        probability: float | None = None,
        seed: int | None = None,
        initial_values: bool | None = None,
    ) -> Json:
        """Put a fault, written as on the command line, in force, or several that act together;
        return the injection. The other words are those of ``HttpWorker.inject``."""
        words = _given(
            task=task,
            command=command,
            times=times,
            after=after,
            probability=probability,
            seed=seed,
            initial_values=initial_values,
        )
        named = {"fault": faults[0]} if len(faults) == 1 else {"faults": list(faults)}
        return self._object("POST", "injections", {**named, **words})

    def remove_injection(self, injection_id: int | str) -> None:
        """Remove an injection."""
        self._request("DELETE", f"injections/{_quoted(str(injection_id))}")

    def holds(self) -> list[Json]:
        """Return the holds."""
        return self._list("holds")

    def hold(self, task: str | None = None, release_when: int | None = None) -> Json:
        """Hold the runs of ``task`` (name, glob, or all) before their bodies start; return the
        hold."""
        return self._object("POST", "holds", _given(task=task, release_when=release_when))

    def release(self, hold_id: int | str) -> Json:
        """Release the runs that a hold holds; return the hold."""
        return self._object("POST", f"holds/{_quoted(str(hold_id))}/release", {})

    def stubs(self) -> list[Json]:
        """Return the stubs."""
        return self._list("stubs")

    def stub(self, task: str, **answer: Any) -> Json:
        """Answer ``task`` (name or glob) without running it; return the stub. ``answer`` is
        ``result``, a JSON value, or ``error``, a dict with ``type`` and ``message``."""
        return self._object("POST", "stubs", {"task": task, **answer})

    def remove_stub(self, stub_id: int | str) -> None:
        """Remove a stub."""
        self._request("DELETE", f"stubs/{_quoted(str(stub_id))}")

    def reset(self) -> None:
        """Empty the journal and remove every fault, stub and hold."""
        self._object("POST", "reset", {})

    # What happens

    def events(
        self,
        *,
        lost: Callable[[UsageError], object] = lambda error: None,
        pause: Callable[[float], object] = time.sleep,
    ) -> Iterator[ServerEvent]:
        """Iterate over what happens from now on, without an end; each step blocks until there is
        something.

        A stream that ends is opened again, every second, and goes on where it ended; ``lost`` is
        called once with the reason. Raises :class:`UsageError` if the first connection fails, or if
        ``serve`` refuses a later one.
        """
        last, connected, missing = "", False, False
        while True:
            try:
                for block in self._blocks(last):
                    connected, missing = True, False
                    last = block.get("id", last)
                    if "data" in block:
                        yield ServerEvent(block.get("event", ""), self._parsed(block["data"]))
                reason: UsageError = NoAnswerError(f"the event stream of {self.url} has ended")
            except NoAnswerError as exc:
                if not connected:
                    raise
                reason = exc
            if not missing:
                missing = True
                lost(reason)
            pause(RECONNECT)

    def _blocks(self, last_event_id: str) -> Iterator[dict[str, str]]:
        """The fields of each block of one event stream, until it ends."""
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        with closing(self._connection(SILENCE)) as connection:
            response = self._answer(connection, "GET", "events", headers=headers)
            if response.status != 200:
                self._check(response, response.read())
            if response.getheader("Content-Type", "").partition(";")[0] != "text/event-stream":
                raise self._another(response)
            fields: dict[str, str] = {}
            while line := self._line(response):
                name, _, value = line.rstrip(b"\r\n").decode("utf-8", "replace").partition(":")
                if name:
                    fields[name] = value.removeprefix(" ")
                elif not line.strip():
                    yield fields
                    fields = {}

    def _line(self, response: http.client.HTTPResponse) -> bytes:
        try:
            line = response.readline(LINE_LIMIT)
        except (OSError, http.client.HTTPException):
            return b""  # the connection has ended
        if len(line) == LINE_LIMIT:
            raise self._another(response)
        return line

    # Requests

    def _list(self, name: str, query: Mapping[str, Any] | None = None) -> list[Json]:
        target = f"{name}?{urllib.parse.urlencode(query)}" if query else name
        found = self._object("GET", target).get(name)
        if not isinstance(found, list):
            raise self.other_version()
        return found

    def _object(self, method: str, target: str, body: Json | None = None) -> Json:
        found = self._request(method, target, body)
        if not isinstance(found, dict):
            raise self.other_version()
        return found

    def _request(self, method: str, target: str, body: Json | None = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        with closing(self._connection(self._timeout)) as connection:
            response = self._answer(connection, method, target, content)
            try:
                data = response.read()
            except (OSError, http.client.HTTPException) as exc:
                raise self._no_answer(exc) from None
        return self._check(response, data)

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        # Not urllib, which follows redirects, and takes a proxy from the environment: both would
        # carry the token to another server.
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout)

    def _answer(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        """Send a request and return the response, whose body is not read."""
        words = {"Authorization": f"Bearer {self._token!s}", **(headers or {})}
        if method != "GET":
            words["Content-Type"] = "application/json"
        try:
            connection.request(method, f"{self._path}/{target}", content, words)
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as exc:
            raise self._no_answer(exc) from None

    def _check(self, response: http.client.HTTPResponse, data: bytes) -> Any:
        """Return the JSON value of an answer. Raises :class:`UsageError` for one that refuses."""
        if response.status == 204 and not data:
            return None
        try:
            value = json.loads(data)
            if 200 <= response.status < 300:
                return value
            if "code" in value:  # a worker's own refusal
                raise self._another(response)
            problem = self._hidden(str(value["error"]))
            hint = self._hidden(str(value.get("hint") or ""))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise self._another(response) from None
        if response.status == 401:
            hint = "give that of this serve, which is in the file token of its --state-dir"
        kind = _ERRORS.get(response.status, UsageError)
        raise kind("; ".join(filter(None, [problem, hint])))

    def _parsed(self, text: str) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise self.other_version() from None

    def _no_answer(self, exc: Exception) -> NoAnswerError:
        if isinstance(exc, TimeoutError):
            why = "no answer in time"
        else:
            why = getattr(exc, "strerror", None) or self._hidden(str(exc)) or type(exc).__name__
        return NoAnswerError(f"no serve answers at {self.url} ({why}); start it, or name another")

    def _another(self, response: http.client.HTTPResponse) -> UsageError:
        kind = self._hidden(response.getheader("Content-Type", "no type"))
        return UsageError(
            f"what answers at {self.url} (HTTP {response.status}, {kind}) is not the control API of"
            " wove-http-dev serve, which has a port of its own, not that of tasks; give the address"
            " that serve prints after page:"
        )

    def _hidden(self, text: str) -> str:
        """Return ``text``, which another server wrote, without the token: it may repeat what it was
        sent. This program's own words are not searched, in which a short token would be found."""
        return replace_secrets(text, [self._token])

    def other_version(self) -> UsageError:
        """Return the error to raise for an answer that is not as this version expects it."""
        return UsageError(
            f"the serve at {self.url} is of another version than this command; start it again"
        )


def _address(api_url: str) -> tuple[str, int, str]:
    """Host, port and path of the API. Raises :class:`UsageError` for a URL that cannot be one."""
    shown = shown_url(api_url)
    advice = "give it as serve prints it, such as http://127.0.0.1:8444"
    try:
        parts = urllib.parse.urlsplit(api_url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UsageError(f"{shown!r} is not the URL of a control API; {advice}") from None
    if parts.scheme != "http" or not host or parts.username is not None:
        raise UsageError(f"{shown!r} is not the URL of a control API; {advice}")
    path = parts.path.rstrip("/") or API_PATH
    sent = host + path
    if not sent.isascii() or not sent.isprintable() or " " in sent:
        raise UsageError(f"{shown!r} is not the URL of a control API; {advice}")
    return host, 80 if port is None else port, path


def _quoted(part: str) -> str:
    return urllib.parse.quote(part.encode("utf-8", "surrogatepass"), safe="")


def _given(**words: Any) -> Json:
    return {name: value for name, value in words.items() if value is not None}
