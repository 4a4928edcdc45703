"""``doctor``: says for each remote environment of Wove what will go wrong, before a task is sent.

:data:`CHECKS` is the table of what is checked. A check is a function that returns what is right, or
raises :class:`Problem`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wove_http_dev.client.definition import SECRET_VARIABLE
from wove_http_dev.explain import configuration_checks, network_checks, setting_checks
from wove_http_dev.explain.findings import Finding, Problem
from wove_http_dev.explain.no_op import (
    Answer,
    LocalServe,
    Unanswered,
    ask,
    clock,
    kept_secret,
    verdict,
    why_unanswered,
)
from wove_http_dev.explain.remote_environment import RemoteEnvironment
from wove_http_dev.explain.task_calls import TaskCall
from wove_http_dev.shell import shell_word
from wove_http_dev.spelling import did_you_mean, nearest


@dataclass(frozen=True)
class Check:
    """One check of an environment."""

    run: Callable[[RemoteEnvironment], str]
    needs: tuple[str, ...] = ()
    """Checks without whose success this one means nothing; it is then skipped without a word."""
    advice: Callable[[RemoteEnvironment, LocalServe], str] = lambda env, serve: ""
    """What a local serve adds to the problem that was found."""

    @property
    def name(self) -> str:
        """The name in the output."""
        return self.run.__name__.replace("_", "-")


def _unset(env: RemoteEnvironment, serve: LocalServe) -> str:
    """Return where the secret is that ``env`` takes from a variable which has none, if it can be
    that of a local serve."""
    variable = env.secret_variable
    if not variable or os.environ.get(variable) or not serve.secrets:
        return ""
    try:
        if env.mode != "signed" or not env.host.is_loopback:
            return ""
    except ValueError:  # the finding about the URL says so
        return ""
    return f"; a local serve keeps its secret: {_export(variable, serve.secrets[0][0])}"


def _export(variable: str, file: str) -> str:
    return f'export {variable}="$(cat {shell_word(file)})"'


CHECKS = (
    Check(configuration_checks.executor),
    Check(configuration_checks.keys),
    Check(configuration_checks.url),
    Check(configuration_checks.security, advice=_unset),
    Check(configuration_checks.secret, needs=("security",)),
    Check(configuration_checks.policy, needs=("url", "security")),
    Check(configuration_checks.headers, needs=("security",)),
    Check(setting_checks.timeout),
    Check(setting_checks.delivery_timeout),
    Check(setting_checks.settings),
    Check(setting_checks.settings_in_force),
    Check(setting_checks.heartbeat),
    Check(setting_checks.idempotency_key),
    Check(
        configuration_checks.starts,
        needs=("executor", "url", "security", "secret", "policy", "headers"),
    ),
    Check(network_checks.proxy, needs=("url",)),
    Check(network_checks.certificates, needs=("url",)),
)
"""The checks of each environment, in the order of the output."""
SENDING_NEEDS = ("starts", "proxy", "certificates")
"""Checks without whose success a request would fail for a reason that is already said."""


def examine_process(runtime: Any, calls: Sequence[TaskCall]) -> Iterator[Finding]:
    """Check Wove's configuration as a whole, and the tasks in the application's source."""
    for check in (_default_environment, _names, _fork):
        name = check.__name__.lstrip("_").replace("_", "-")
        yield _finding(name, check, runtime, calls)


def _finding(name: str, check: Callable[..., str], *args: Any) -> Finding:
    """Return what ``check(*args)`` says."""
    try:
        return Finding("ok", name, check(*args))
    except Problem as exc:
        return Finding("problem", name, str(exc))


def remote_environments(runtime: Any, calls: Sequence[TaskCall]) -> list[RemoteEnvironment]:
    """Return the environments that send their tasks by http, or are meant to."""
    found = (
        RemoteEnvironment(
            name, definition, runtime.global_defaults, name == runtime.default_environment, calls
        )
        for name, definition in runtime.environments.items()
    )
    return [each for each in found if each.is_remote]


def examine(env: RemoteEnvironment, serve: LocalServe, seconds: float) -> Iterator[Finding]:
    """Check ``env``, then send one request that is no task, and yield a finding for each check.

    ``seconds`` bounds the request. ``serve`` is what a worker on this machine keeps for its
    clients.
    """
    right: set[str] = set()
    for check in CHECKS:
        if not right.issuperset(check.needs):
            continue
        finding = _finding(check.name, check.run, env)
        if finding.verdict == "problem":
            finding = replace(finding, text=finding.text + check.advice(env, serve))
        if finding.verdict == "ok":
            right.add(check.name)
        yield finding
    if not right.issuperset(SENDING_NEEDS):
        yield Finding("skipped", "no-op", "not sent, because of a problem above")
        return
    yield from _no_op(env, serve, seconds)


def _no_op(env: RemoteEnvironment, serve: LocalServe, seconds: float) -> Iterator[Finding]:
    try:
        answer = ask(env, seconds)
    except Unanswered as exc:
        yield Finding("problem", "no-op", why_unanswered(env, exc.cause, serve, seconds))
        return
    finding = _finding("no-op", verdict, env, answer)
    if finding.verdict == "problem":
        finding = replace(finding, text=finding.text + _kept(env, answer, serve, seconds))
    yield finding
    yield _finding("clock", clock, env, answer)


def _kept(env: RemoteEnvironment, answer: Answer, serve: LocalServe, seconds: float) -> str:
    if answer.status != 401 or (file := kept_secret(env, serve, seconds)) is None:
        return ""
    export = _export(env.secret_variable or SECRET_VARIABLE, file)
    return f"; the worker accepts the secret of a local serve: {export}"


def _default_environment(runtime: Any, calls: Sequence[TaskCall]) -> str:
    """The default environment is one that was configured: Wove makes a local one for a name that
    was not."""
    name = runtime.default_environment
    remote = [each.name for each in remote_environments(runtime, calls)]
    if name in remote:
        return f"{name!r}: tasks without environment=, and initial values, go there"
    close = nearest(name, remote)
    if close is not None and runtime.environments.get(name) == {"executor": "local"}:
        raise Problem(
            f"{name!r} is local, so tasks without environment= run in this process; did you mean"
            f" {close!r}?"
        )
    return f"{name!r}: tasks without environment= do not go to a worker by http"


def _names(runtime: Any, calls: Sequence[TaskCall]) -> str:
    """Every environment that a task or a weave names is configured."""
    named = [call for call in calls if call.environment is not None]
    unknown = [call for call in named if call.environment not in runtime.environments]
    if unknown:
        first = unknown[0]
        others = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
        advice = did_you_mean(str(first.environment), runtime.environments)
        raise Problem(
            f"{first.where} names environment {first.environment!r}, which is not configured;"
            f" {advice}{others}"
        )
    return f"{len(named)} of the source, all of them configured" if named else "none in the source"


def _fork(runtime: Any, calls: Sequence[TaskCall]) -> str:
    """No weave runs in a child process, which has no configuration (``wove.background``)."""
    places = ["wove.config"] if runtime.global_defaults.get("fork") else []
    places += [
        f"environment {name!r}" for name, each in runtime.environments.items() if each.get("fork")
    ]
    places += [
        call.where for call in calls if not call.is_task and call.options.get("fork") is True
    ]
    if places:
        raise Problem(
            f"fork=True ({', '.join(places[:5])}): the weave runs in a child process that has no"
            " wove.config, so its tasks never reach the worker; use background=True alone"
        )
    return "no weave is forked"
