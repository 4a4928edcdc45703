"""``RemoteEnvironment``: one Wove environment with the http or https executor, as Wove reads it."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wove_http_dev.explain.task_calls import TaskCall
from wove_http_dev.hosts import Host
from wove_http_dev.secret import Secret, is_private, replace_whole_secrets, shown_url

NETWORK_EXECUTORS = ("http", "https")
_OWN_EXECUTORS = ("local", "stdio", *NETWORK_EXECUTORS, "grpc", "websocket")


def executor_names() -> list[str]:
    """Return the names that Wove accepts as an environment's ``executor``."""
    from wove.integrations import BACKEND_ADAPTERS

    return [*_OWN_EXECUTORS, *BACKEND_ADAPTERS]


@dataclass(frozen=True)
class RemoteEnvironment:
    """One environment that sends tasks by http, or that is meant to."""

    name: str
    definition: Mapping[str, Any] = field(repr=False)
    """As given to ``wove.config``."""
    defaults: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Wove's global settings."""
    is_default: bool = False
    """Whether it is Wove's default environment, whose settings hold for every weave that names no
    other."""
    calls: Sequence[TaskCall] = field(default=(), repr=False)
    """The calls in the application's source."""

    @property
    def executor(self) -> Any:
        """The ``executor``; ``http`` or ``https`` for an instance of Wove's executor."""
        from wove.environment import HttpEnvironmentExecutor

        value = self.definition.get("executor", "local")
        if isinstance(value, HttpEnvironmentExecutor):
            return "https" if getattr(value, "_require_https", False) else "http"
        return value

    @property
    def is_remote(self) -> bool:
        """Whether tasks are sent by http, or are meant to be: a local environment with a URL, or
        one whose executor Wove does not know."""
        from wove.environment import EnvironmentExecutor

        executor = self.executor
        if executor == "local":
            return "url" in self.definition or "url" in self.config
        if isinstance(executor, str):
            return executor in NETWORK_EXECUTORS or executor not in executor_names()
        return not isinstance(executor, EnvironmentExecutor)

    @property
    def config(self) -> Mapping[str, Any]:
        """The ``executor_config`` that Wove uses; empty if it is not a dict."""
        given = self.given_config
        return given if isinstance(given, Mapping) else {}

    @property
    def given_config(self) -> Any:
        """The ``executor_config``, whatever it is (``RuntimeConfig.resolve_environment_settings``:
        ``config`` is another word for it)."""
        if "executor_config" in self.definition:
            return self.definition["executor_config"] or {}
        return self.definition.get("config") or {}

    @property
    def url(self) -> str:
        """The URL, as given."""
        return str(self.config.get("url"))

    @property
    def parts(self) -> urllib.parse.SplitResult:
        """The parts of the URL. Raises ``ValueError`` for text that is no URL."""
        return urllib.parse.urlsplit(self.url)

    @property
    def host(self) -> Host:
        """The host of the URL."""
        return Host(self.parts.hostname or "")

    @property
    def port(self) -> int:
        """The TCP port of the URL."""
        return self.parts.port or (443 if self.is_https else 80)

    @property
    def is_https(self) -> bool:
        """Whether the URL is an https one."""
        return self.parts.scheme == "https"

    @property
    def target(self) -> str:
        """The target that the executor signs (``wove.security._canonical_http_target``)."""
        path, query = self.parts.path or "/", self.parts.query
        return f"{path}?{query}" if query else path

    @property
    def mode(self) -> str:
        """The mode of ``security``, as Wove reads it: ``none``, ``signed`` or ``bearer``."""
        form = self.config.get("security")
        if isinstance(form, Mapping):
            return str(form.get("type", "signed"))
        return "none" if form in (None, "none") else "signed"

    @property
    def secret_variable(self) -> str | None:
        """The environment variable with the secret or the token, if the configuration names one."""
        form = self.config.get("security")
        if isinstance(form, str) and form.startswith("env:"):
            return form[4:]
        if isinstance(form, Mapping):
            kind = "token" if self.mode == "bearer" else "secret"
            name = form.get(f"{kind}_env")
            return str(name) if form.get(kind) is None and name else None
        return None

    @property
    def secret(self) -> Any:
        """The secret or the token itself; ``None`` if there is none."""
        if self.secret_variable is not None:
            value = os.environ.get(self.secret_variable)
            return None if value is None else Secret(value)
        form = self.config.get("security")
        if not isinstance(form, Mapping):
            return None
        return form.get("token" if self.mode == "bearer" else "secret")

    @property
    def task_calls(self) -> list[TaskCall]:
        """The tasks in the source that run here as far as can be seen: those that name this
        environment, and those that name none if it is the default."""
        found = (call for call in self.calls if call.is_task)
        return [
            call
            for call in found
            if call.environment == self.name
            or (self.is_default and "environment" not in call.options)
        ]

    @property
    def is_of_weaves(self) -> bool:
        """Whether the environment's own settings hold for its tasks: Wove reads them only from the
        environment of the weave, which is the default one or that of ``weave(environment=…)``."""
        if self.is_default:
            return True
        naming = [call for call in self.calls if call.environment == self.name]
        return bool(naming) and not any(call.is_task for call in naming)

    def in_force(self, setting: str) -> Any:
        """Return the value of a ``wove.config`` setting for a task that runs here and has none of
        its own."""
        shared = self.defaults.get(setting)
        return self.definition.get(setting, shared) if self.is_of_weaves else shared

    def clean(self, text: str) -> str:
        """Return ``text``, which is from outside, without the secrets of this environment. A worker
        explains a refusal in words of its own, of which a short secret can be a part."""
        headers = self.config.get("headers")
        hidden = [self.secret] if isinstance(self.secret, str) else []
        if isinstance(headers, Mapping):
            hidden += [str(each) for name, each in headers.items() if is_private(str(name))]
        return replace_whole_secrets(text, [secret for secret in hidden if secret])

    @property
    def title(self) -> str:
        """The environment in one line, with its URL but without what is secret in that."""
        url = self.config.get("url")
        shown = f" at {shown_url(url)}" if isinstance(url, str) else ""
        return f"environment {self.name!r}{shown}"
