"""``UpstreamRunner``: forwards tasks, and their cancels, to another worker service (upstream), and
returns its answers."""

from __future__ import annotations

import hashlib
import secrets
import ssl
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from wove_http_dev.errors import LoopError, UsageError
from wove_http_dev.option_urls import upstream_address
from wove_http_dev.options import Options
from wove_http_dev.protocol.credentials import Credentials, credentials
from wove_http_dev.protocol.frames import RunTask
from wove_http_dev.protocol.messages import Reply, Request, json_reply
from wove_http_dev.protocol.plain_pickle import NotPlainError, read_plain
from wove_http_dev.runners.upstream_answer import HttpAnswer
from wove_http_dev.runners.upstream_connection import Attempt, Connections
from wove_http_dev.runners.upstream_failures import UpstreamError
from wove_http_dev.runners.upstream_messages import (
    check_status,
    error_text,
    event_frames,
    one_line,
    outcome_of,
    relayed_reply,
    request_head,
)
from wove_http_dev.runs.body import Body
from wove_http_dev.runs.display import arguments_text, value_text
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.forwarding import ForwardedCommand, UpstreamAnswer, UpstreamLeg
from wove_http_dev.runs.outcome import CANCELLED, Outcome, failure
from wove_http_dev.runs.runner import Forwarder
from wove_http_dev.secret import replace_cut_secrets, replace_secrets

RUN_TIME = 3600.0
"""Seconds for which a run is waited for, unless its ``delivery_timeout`` says how long its client
waits."""
AFTER_DELIVERY = 5.0
"""Seconds after a run's ``delivery_timeout``: its client waits no longer, but the journal shows
what came."""
CANCEL_TIME = 30.0
"""Seconds for which the answer to a ``cancel_task`` is waited for."""
SENT_TIME = 5.0
"""Seconds that a ``cancel_task`` waits until its run was sent: upstream must not get it first."""
STOP_TIME = 1.0
"""Seconds that a stop waits for requests to end whose connections are closed."""
_ERROR_LIMIT = 500  # characters


class UpstreamRunner(Forwarder):
    """Forwards tasks, and their cancels, to the service of the option ``upstream``.

    Raises :class:`UsageError` for credentials or CAs that cannot be used.
    """

    def __init__(self, options: Options) -> None:
        self._address = upstream_address(options.upstream or "")
        self._credentials = upstream_credentials(options)
        self._ca_file = options.upstream_ca_file
        self.place = f"upstream {self._address.place}"
        self._name = f"wove-http-dev-{secrets.token_hex(6)}"
        self._security: Any = None
        limit = max(options.max_body, Options.max_body)
        self._connections = Connections(self._address, self._tls_context, answer_limit=limit)
        self._sending: dict[str, Attempt] = {}
        self._lock = threading.Lock()
        if self._ca_file is not None:
            self._tls_context()  # to refuse a wrong file at once

    def _tls_context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._ca_file)
        except OSError as exc:  # SSLError is one
            raise UsageError(
                f"upstream_ca_file: {self._ca_file!r} has no certificates in PEM ({exc})"
            ) from None

    def start(self) -> None:
        """Get ready to connect; upstream need not run yet."""
        from wove.security import NetworkExecutorSecurity

        self._security = NetworkExecutorSecurity.from_config(self._credentials.client_security())
        self._connections.open()

    def stop(self) -> None:
        """Close the connections to upstream. Blocks for at most :data:`STOP_TIME` seconds."""
        self._connections.close(STOP_TIME)

    def reset(self) -> None:
        """End every wait for an answer."""
        self._connections.abort()

    def run(self, execution: Execution, body: Body) -> Outcome:
        """Forward the task, and block until upstream has answered, its time is over, or the service
        stops."""
        forwarded = body.forwarded
        assert forwarded is not None
        command = forwarded.command
        assert isinstance(command, RunTask)
        attempt = self._connections.attempt()
        if not execution.mark_forwarded(attempt.abort):
            attempt.end()
            execution.uncount()
            return CANCELLED
        execution.where = f"forwarded to {self.place}"
        if body.display is not None:
            body.display.show_arguments_text(_plain_text(body.args_pickle, arguments=True))
        with self._lock:
            self._sending[command.run_id] = attempt
        try:
            leg, raw = self._send(attempt, forwarded, _answer_time(command.delivery))
        finally:
            with self._lock:
                self._sending.pop(command.run_id, None)
        if leg.sent < len(forwarded.request.body) or _not_started(leg.status):
            execution.uncount()
        if isinstance(raw, Reply):
            return _unknown_outcome(leg, UpstreamAnswer(raw, command.run_id))
        outcome = self._outcome(raw, command.run_id, leg)
        if body.display is None or outcome.result_pickle is None:
            return outcome
        text = body.display.result_text(_plain_text(outcome.result_pickle))
        return replace(outcome, result_text=text)

    def refuse_loop(self, request: Request) -> None:
        """Raise :class:`LoopError` for a request that this worker has forwarded."""
        if any(self._name in value for value in request.headers.getlist("Via")):
            raise LoopError("upstream= leads back to this worker")

    def forward_cancel(self, forwarded: ForwardedCommand) -> UpstreamAnswer:
        """Forward a ``cancel_task``, and block until upstream has answered, at most
        :data:`CANCEL_TIME` seconds."""
        run_id = forwarded.command.run_id
        with self._lock:
            running = self._sending.get(run_id)
        if running is not None:
            running.sent.wait(SENT_TIME)
        leg, raw = self._send(self._connections.attempt(), forwarded, CANCEL_TIME)
        if isinstance(raw, Reply):
            return UpstreamAnswer(raw, run_id)
        if raw.status >= 500:
            self._note(leg, _status_text(raw), "upstream-status")
        relayed = relayed_reply(raw)
        try:  # what a worker answers to a cancel_task is not on Wove's page: it may be anything
            events, shape = event_frames(raw.body)
        except ValueError:
            return UpstreamAnswer(relayed, run_id)
        return UpstreamAnswer(relayed, run_id, events, shape)

    def _send(
        self, attempt: Attempt, forwarded: ForwardedCommand, wait: float
    ) -> tuple[UpstreamLeg, HttpAnswer | Reply]:
        """Forward a request and return its record, with upstream's answer; or with the reply that
        says why the client gets none."""
        leg = UpstreamLeg()
        forwarded.legs.append(leg)
        request = forwarded.request
        try:
            signed = self._security.headers_for(
                transport="http", target=self._address.target, body=request.body
            )
            head = request_head(self._address, request, signed, self._name)
            raw = attempt.send(head, request.body, leg, wait=wait)
            check_status(raw, self._credentials.mode)
            return leg, raw
        except UpstreamError as exc:
            self._note(leg, str(exc), exc.code)
            reply = json_reply(exc.status, {"error": leg.error, "code": leg.code})
            reply.reason = leg.error  # Wove's executor shows nothing else of an error reply
            return leg, reply

    def _note(self, leg: UpstreamLeg, error: str, code: str) -> None:
        secret = self._credentials.secret.decode("utf-8", "replace")
        known = [secret] if secret else []
        error = replace_cut_secrets(replace_secrets(error, known), known)
        leg.error, leg.code = one_line(error)[:_ERROR_LIMIT], code

    def _outcome(self, raw: HttpAnswer, run_id: str, leg: UpstreamLeg) -> Outcome:
        relayed = relayed_reply(raw)
        if not 200 <= raw.status < 300:
            self._note(leg, _status_text(raw), "upstream-status")
            return _unknown_outcome(leg, UpstreamAnswer(relayed, run_id))
        try:
            events, shape = event_frames(raw.body)
            outcome = outcome_of(events, run_id)
        except ValueError as exc:
            self._note(leg, f"upstream's answer has no event frames: {exc}", "upstream-events")
            return _unknown_outcome(leg, UpstreamAnswer(relayed, run_id))
        answer = UpstreamAnswer(relayed, run_id, events, shape)
        if outcome is not None:
            return replace(outcome, answer=answer)
        self._note(leg, "upstream's answer does not say how the run ended", "upstream-events")
        return _unknown_outcome(leg, answer)


def upstream_credentials(options: Options) -> Credentials:
    """Return the credentials of the option ``upstream_security``. Raises :class:`UsageError` for a
    form that Wove would refuse, that has no secret, or that is not enough for a host beyond
    loopback."""
    form = options.upstream_security
    kind = form.get("type", "signed") if isinstance(form, Mapping) else form
    given = {"signed": ("secret", "secret_env"), "bearer": ("token", "token_env")}.get(kind)
    if given is not None and not (isinstance(form, Mapping) and any(map(form.get, given))):
        raise UsageError(
            f"upstream_security={kind!r} needs upstream's {given[0]}: write"
            f' {{"type": "{kind}", "{given[1]}": "VARIABLE"}}'
            " (--upstream-secret-env, --upstream-secret-file)"
        )
    try:
        made = credentials(form)
    except UsageError as exc:
        raise UsageError(f"upstream_security: {str(exc).removeprefix('security: ')}") from None
    options.check_upstream_exposure(made.mode != "none")
    return made


def _plain_text(payload: bytes, *, arguments: bool = False) -> str:
    """Return the text of a pickle for a person: of plain data, which can be read without loading
    it, the value; of anything else, size and hash."""
    try:
        value = read_plain(payload)
        if not arguments:
            return value_text(value)
        if isinstance(value, dict) and all(isinstance(name, str) for name in value):
            return arguments_text(value)
    except NotPlainError:
        pass
    short = hashlib.sha256(payload).hexdigest()[:8]
    return f"<{len(payload):,} bytes, sha256 {short}…, not unpickled on the way to upstream>"


def _answer_time(delivery: Mapping[str, Any]) -> float:
    """Return for how many seconds a run with these delivery settings is waited for."""
    timeout = delivery.get("delivery_timeout")
    if isinstance(timeout, (int, float)) and not isinstance(timeout, bool) and timeout > 0:
        return min(timeout + AFTER_DELIVERY, RUN_TIME)
    return RUN_TIME


def _not_started(status: int | None) -> bool:
    """Whether an answer with ``status`` says that the task was not started."""
    return status is not None and (400 <= status < 500 or status == 503)


def _status_text(raw: HttpAnswer) -> str:
    said = error_text(raw)
    text = f"upstream answered {raw.status} {raw.reason}".rstrip() + (f": {said}" if said else "")
    return f"{text}; correct the path of upstream's URL" if raw.status == 404 else text


def _unknown_outcome(leg: UpstreamLeg, answer: UpstreamAnswer) -> Outcome:
    """Return the outcome of a run of which upstream has not said how it ended."""
    return failure("UpstreamError", leg.error, source="upstream", retryable=True, answer=answer)
