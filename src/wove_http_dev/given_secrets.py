"""Secrets that an environment variable or a file holds, and what can be one."""

from __future__ import annotations

import os

from wove_http_dev.errors import UsageError
from wove_http_dev.secret import Secret

_LONGEST_SECRET = 2**16  # one argument of a command may have 128 KiB (Linux, MAX_ARG_STRLEN)


def given_secret(flag: str, variable: str | None, path: str | None) -> str | None:
    """Return the secret that ``flag`` gives, with the end ``-env`` (the environment variable
    ``variable``) or ``-file`` (the file ``path``); ``None`` if both are ``None``.

    Raises :class:`UsageError` if both are given, and for a secret that cannot be used.
    """
    if variable is not None and path is not None:
        raise UsageError(f"give {flag}-env or {flag}-file, not both")
    secret = secret_from_environment(f"{flag}-env", variable)
    return secret if variable is not None else secret_from_file(f"{flag}-file", path)


def secret_from_environment(option: str, variable: str | None) -> str | None:
    """Return the value of the environment variable ``variable``; ``None`` if ``variable`` is
    ``None``.

    Raises :class:`UsageError`, which names the option ``option``, if the variable is not set or
    empty, or its value is no secret.
    """
    if variable is None:
        return None
    __tracebackhide__ = True
    value = os.environ.get(variable)
    if not value and not variable.isidentifier():  # not repeated: it may be the secret
        raise UsageError(f"{option} takes the name of an environment variable")
    if not value:
        raise UsageError(f"{option}: environment variable {variable} is not set")
    check_secret(value, f"{option}: environment variable {variable}")
    return Secret(value)


def secret_from_file(option: str, path: str | None) -> str | None:
    """Return the content of the file ``path``; ``None`` if ``path`` is ``None``.

    Raises :class:`UsageError`, which names the option ``option``, if the file cannot be read, is
    empty, or its content is no secret.
    """
    if path is None:
        return None
    __tracebackhide__ = True
    try:
        with open(path, "rb") as file:
            content = file.read(_LONGEST_SECRET + 1)
    except OSError as exc:
        raise UsageError(f"{option}: cannot read {path} ({exc.strerror})") from exc
    if not content:
        raise UsageError(f"{option}: {path} is empty")
    if len(content) > _LONGEST_SECRET:
        raise UsageError(f"{option}: {path} has more than {_LONGEST_SECRET} bytes")
    value = content.decode("utf-8", "surrogateescape")
    check_secret(value, f"{option}: {path}")
    return Secret(value)


def check_secret(secret: str, owner: str) -> None:
    """Raise :class:`UsageError`, beginning with ``owner``, for a secret that does not survive its
    way through a shell: ``"$(cat FILE)"`` drops null bytes, and line breaks at the end."""
    __tracebackhide__ = True  # pytest --showlocals would show the secret
    if secret.endswith(("\n", "\r")):
        raise UsageError(
            f"{owner} must be without line breaks and control characters, and ends with a line"
            " break, which a shell would drop; write it with printf %s, not echo"
        )
    if not secret.isprintable():
        raise UsageError(
            f"{owner} must be without line breaks and control characters: printable UTF-8 text"
        )
