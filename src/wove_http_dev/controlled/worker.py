"""``ControlledWorker``: a ``serve`` of another process with the members of ``HttpWorker`` that its
control API can serve (``--wove-http-control``)."""

from __future__ import annotations

import importlib.metadata
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any

from wove_http_dev.controlled.answers import CannotBeSentError, json_answer
from wove_http_dev.controlled.host import ControlledHost
from wove_http_dev.controlled.records import Skip
from wove_http_dev.errors import NoAnswerError, UsageError
from wove_http_dev.faults import FAULTS, Fault
from wove_http_dev.faults.text import parse_fault
from wove_http_dev.inspector.client import ControlClient
from wove_http_dev.options import Options, hide_secrets
from wove_http_dev.remote_worker import LocalOnly, RemoteSide, port_of, remote_credentials
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.stubs import UNSET, Stub
from wove_http_dev.secret import hide, shown_url
from wove_http_dev.worker_side import WorkerSide

VERSION = importlib.metadata.version("wove-http-dev")
"""Read once, because a test may replace the file system."""
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class ControlledWorker(WorkerSide, RemoteSide):
    """The worker service at ``url``, which the ``serve`` of ``client`` runs. A context manager:
    what a test puts in force is removed at the end of the block, and nothing else.

    ``skip(reason)`` is called for what only a worker of this process has, and for an option that
    ``served``, the options of that service, have another value for. Raises :class:`UsageError` for
    a URL, credentials or a CA file that cannot be used.
    """

    _host: ControlledHost
    _given_by = "--wove-http-control"

    def __init__(
        self,
        client: ControlClient,
        url: str,
        *,
        secret: str | None,
        token: str | None,
        ca_file: str | None,
        skip: Skip,
        label: str = "",
        seed: int = 0,
        served: Mapping[str, Any] = _NOTHING,
        **options: Any,
    ) -> None:
        options, secret, token = hide_secrets(options), hide(secret), hide(token)
        self._skip = skip
        self._client = client
        given = Options.of(**options)
        super().__init__(given, remote_credentials(secret, token, given), label, seed, False)
        self._set_address(url, ca_file)
        self._skip_unless_remote(options, ("impersonate", "isolated"))
        self._skip_unless_served(options, served)
        self._urls.add(url)
        self._cannot_apply: dict[str, str | None] | None = None
        self._host = ControlledHost(client, self._state, skip)
        self._state.watch(self._host.apply_state)
        self._state.journal.feed = self._host.flush_journal
        self._state.faults.fetch = self._state.stubs.fetch = self._host.account
        self._check_options()

    def _skip_unless_served(self, options: Mapping[str, Any], served: Mapping[str, Any]) -> None:
        for name, theirs in served.items():
            wanted = getattr(self.options, name)
            wanted = list(wanted) if isinstance(wanted, tuple) else wanted
            any_port = name == "port" and wanted == 0
            if name in options and wanted != theirs and not any_port:
                self._skip_as_local(f"{name}={wanted!r}", f", which has {name}={theirs!r}")

    def __repr__(self) -> str:
        return f"<ControlledWorker {self.environment!r} {shown_url(self.url)}>"

    @property
    def running(self) -> bool:
        """Whether the worker is serving."""
        return self._host.running

    @property
    def journal(self) -> Journal:
        """What the worker has received during the test, as it is now; once ``serve`` has ended, as
        far as it was fetched before."""
        with suppress(NoAnswerError):
            self._host.flush_journal()
        return super().journal

    def report(self, hint: str = "") -> str:
        """Return the text that a failing test shows, as for ``HttpWorker``, of what arrived during
        the test."""
        try:
            self._host.flush_journal()
        except UsageError as exc:
            return f"{super().report(hint)}\n{exc}"
        return super().report(hint)

    def why_not(self, fault: Fault | str) -> str | None:
        """Return why ``fault`` cannot apply to the worker; ``None`` if it can. Skips the test for
        one that only a worker of this process can have."""
        if isinstance(fault, str):
            fault, _ = parse_fault(fault)
        if FAULTS.get(fault.name) is not type(fault):
            self._skip_as_local(f"the fault {fault.name} is not in the catalogue: it")
        if parse_fault(str(fault))[0] != fault:
            self._skip_as_local(f"the fault {fault.name} has a field that is no text: it")
        if fault.crashes:
            self._skip_as_local(f"the fault {fault.name} would end the worker of others: it")
        if self._cannot_apply is None:
            told = self._client.faults()
            self._cannot_apply = {each["name"]: each["cannot_apply"] for each in told}
        return self._cannot_apply.get(fault.name, "this worker does not know it")

    def stub(
        self,
        task: str,
        *,
        result: Any = UNSET,
        error: Any = UNSET,
        events: Any = UNSET,
        unused_ok: bool = False,
    ) -> Stub:
        """As that of ``HttpWorker``, for a ``result`` that is JSON and not a list, and an ``error``
        that the worker can import and make of one text. Skips the test for others."""
        try:
            answer = json_answer(result=result, error=error, events=events)
        except CannotBeSentError as exc:
            self._skip(f"worker.stub(): {exc}")
        return self._state.stubs.add(task, answer, unused_ok=unused_ok)

    def reset(self) -> None:
        """Forget what has arrived, and remove the faults, stubs and gates that were made here; then
        inject the faults of the options again. Those that others made stay."""
        super().reset()
        self._host.begin()

    def __enter__(self) -> ControlledWorker:
        self._host.begin()
        self._inject_options()
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            self._host.stop()
        except BaseException:  # Ctrl-C: what was not removed yet is removed now
            self._host.stop()
            raise

    @contextmanager
    def configured(self) -> Iterator[ControlledWorker]:
        """Point Wove's environment at this worker, trust its CA and bypass proxies for it, until
        the block ends, as that of ``HttpWorker``."""
        with super().configured():
            self._configured += 1
            try:
                yield self
            finally:
                self._configured -= 1

    # Members that only HttpWorker has

    start = LocalOnly()
    stop = LocalOnly()
    restart = LocalOnly()
    crash = LocalOnly()
    impersonate = LocalOnly()
    order = LocalOnly()
    orders = LocalOnly()


def check_control(client: ControlClient, url: str | None) -> dict[str, Any]:
    """Return what the API of ``client`` tells of its worker.

    Raises :class:`UsageError` if it does not answer, is of another version, or is that of another
    worker than the one at ``url``.
    """
    told = client.worker()
    theirs, its_url = told.get("version"), str(told.get("url"))
    if theirs is None:
        raise client.other_version()
    if theirs != VERSION:
        raise UsageError(
            f"the serve at {client.url} is wove-http-dev {theirs}, and the tests have {VERSION};"
            " install the same version"
        )
    if url is not None and _place(url) != _place(its_url):
        raise UsageError(
            f"{client.url} controls the worker at {its_url}, which is not that of --wove-http-url"
            f" {shown_url(url)}; leave --wove-http-url out, or name the API of the same serve"
        )
    return told


def _place(url: str) -> tuple[str, int, str]:
    """Scheme, port and path. Not the host, which has many names."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, port_of(url), parts.path or "/"
