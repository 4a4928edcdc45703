"""How an application connects to a worker: what ``serve`` prints and the page shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wove_http_dev.client.definition import CA_VARIABLES, SECRET_VARIABLE, URL_VARIABLE
from wove_http_dev.shell import shell_word
from wove_http_dev.worker import HttpWorker

DOCTOR = "wove-http-dev doctor MODULE"


@dataclass(frozen=True)
class Instructions:
    """What to write into an application, and to run in its shell. No secret is in it."""

    snippet: str
    """Python code that configures Wove."""
    exports: tuple[str, ...]
    """Lines of a shell, each of which exports a variable."""
    doctor: str = DOCTOR
    """The command that checks the configuration of an application; ``MODULE`` is the one that calls
    ``wove.config``."""


def instructions(worker: HttpWorker, secret_file: str | None) -> Instructions:
    """Return how to reach ``worker``, whose secret is in ``secret_file``."""
    variables = worker.client_env
    # For settings that read it, as those in the README; the snippet has the URL itself.
    exports = [f"export {URL_VARIABLE}={shell_word(variables[URL_VARIABLE])}"]
    if secret_file is not None:
        exports.append(f'export {SECRET_VARIABLE}="$(cat {shell_word(secret_file)})"')
    for name in CA_VARIABLES:
        if name in variables:
            exports.append(f"export {name}={shell_word(variables[name])}")
    no_proxy = shell_word(variables["no_proxy"])
    exports.append(f"export no_proxy={no_proxy} NO_PROXY={no_proxy}")
    return Instructions(_snippet(worker), tuple(exports))


def _snippet(worker: HttpWorker) -> str:
    definition = worker.environment_definition
    settings = dict(definition["executor_config"])
    security = worker.credentials.client_security(SECRET_VARIABLE)
    if security is not None:
        settings["security"] = security
    environment = {**definition, "executor_config": settings}
    # Wove ignores that of an environment which only the task names.
    limit = environment.pop("delivery_timeout", None)
    words: dict[str, Any] = {"environments": {worker.environment: environment}}
    if limit is not None:
        words["delivery_timeout"] = limit
    if worker.options.default:
        words["default_environment"] = worker.environment
    lines = [f"    {name}={_literal(value, 1)}," for name, value in words.items()]
    return "\n".join(["import wove", "", "wove.config(", *lines, ")"])


def _literal(value: Any, level: int) -> str:
    """Return ``value`` as Python code inside ``level`` brackets: each entry of a dict on a line of
    its own, so that it can be read and edited."""
    if not isinstance(value, dict) or not value:
        return repr(value)
    before = "    " * level
    lines = [f"{before}    {key!r}: {_literal(each, level + 1)}," for key, each in value.items()]
    return "\n".join(["{", *lines, f"{before}}}"])
