"""The credentials that worker and client share, made from the option ``security``."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wove_http_dev.errors import UsageError
from wove_http_dev.given_secrets import check_secret
from wove_http_dev.options import SECURITY_WORDS, hide_secrets
from wove_http_dev.secret import Secret, SecretBytes
from wove_http_dev.spelling import nearest


@dataclass(frozen=True)
class Credentials:
    """The credentials that worker and client share. ``mode`` is ``signed``, ``bearer`` or
    ``none``."""

    mode: str
    secret: bytes = field(default=b"", repr=False)
    """The signing secret, or the bearer token, as bytes."""
    key: str = "default"
    clock_skew: float = 300.0
    """Seconds that a timestamp may differ from the worker's clock, in either direction."""
    remember_nonces: bool = True
    form: Any = field(default="none", repr=False)
    """The value for Wove's ``security`` setting, with all defaults filled in."""

    def client_security(self, secret_env: str | None = None) -> Any:
        """Return the ``executor_config.security`` that gives Wove's executor these credentials;
        ``None`` for no credentials.

        If ``secret_env`` is given, the returned value names that environment variable in place of
        the secret.
        """
        if self.mode == "none":
            return None
        if secret_env is None:
            return self.form
        if self.mode == "bearer":
            return {"type": "bearer", "token_env": secret_env}
        if self.key == "default":
            return f"env:{secret_env}"
        return {"type": "signed", "secret_env": secret_env, "key": self.key}


def credentials(
    security: Any = "signed",
    *,
    secret: str | None = None,
    key: str = "default",
    clock_skew: float = 300.0,
) -> Credentials:
    """Create credentials from ``signed``, ``bearer``, ``none``, or any form that Wove's own
    ``executor_config.security`` accepts (``env:VARIABLE``, a dict, ``None``).

    ``secret`` is random if not given. Raises :class:`UsageError` if Wove would refuse the form, and
    for a secret that would not be the same after its way through a shell or a header.
    """
    given = hide_secrets({"security": security, "secret": secret})
    security, secret = given["security"], given["secret"]
    _check_secret_option(secret)
    _check_word(security)
    _check_skew(clock_skew)
    _check_key(key)
    form: Any = {"type": security} if security in ("signed", "bearer") else security
    if isinstance(form, Mapping):
        shared = Secret(secret if secret is not None else secrets.token_urlsafe(32))
        form = _filled(form, shared, key, clock_skew)
    parsed = _parse(form)
    _check_skew(parsed.clock_skew_seconds)
    _check_key(parsed.key)
    return Credentials(
        mode=parsed.mode,
        secret=SecretBytes(_material(parsed, form, secret)),
        key=parsed.key,
        clock_skew=parsed.clock_skew_seconds if isinstance(form, dict) else clock_skew,
        remember_nonces=parsed.remember_nonces,
        form=form,
    )


def _filled(form: Mapping[str, Any], shared: Secret, key: str, clock_skew: float) -> dict[str, Any]:
    """Return ``form`` completed with default values."""
    filled = dict(form)
    kind = filled.get("type", "signed")
    if kind == "signed":
        if not (filled.get("secret") or filled.get("secret_env")):
            filled["secret"] = shared
        filled.setdefault("key", key)
        filled.setdefault("clock_skew_seconds", clock_skew)
    if kind == "bearer" and not (filled.get("token") or filled.get("token_env")):
        filled["token"] = shared
    return filled


def _check_secret_option(secret: Any) -> None:
    if secret is not None and not isinstance(secret, str):
        raise UsageError("secret must be text")
    if secret == "":
        raise UsageError("secret must not be empty; leave it out for a random one")


def _check_word(security: Any) -> None:
    """Raise :class:`UsageError` if ``security`` is text that is no form of the option."""
    if not isinstance(security, str) or security.startswith("env:") or security in SECURITY_WORDS:
        return
    words = ", ".join(SECURITY_WORDS)
    close = nearest(security, SECURITY_WORDS)
    # Any other text is not shown: a secret may have been written here.
    advice = f"; did you mean {close!r}?" if close is not None else ""
    raise UsageError(f"security must be {words}, env:VARIABLE or a dict, as in Wove{advice}")


def _check_skew(seconds: Any) -> None:
    if not (isinstance(seconds, (int, float)) and math.isfinite(seconds) and seconds >= 0):
        raise UsageError(f"clock_skew must be a finite number of seconds >= 0, not {seconds!r}")


def _check_key(key: str) -> None:
    if not key or not key.isascii() or not key.isprintable():
        raise UsageError("key must be printable ASCII: it is sent in a header")


def _material(parsed: Any, form: Any, secret: str | None) -> bytes:
    """Return the secret or the token of ``parsed``, Wove's credentials for ``form``. Raises
    :class:`UsageError` if it would not be the same after its way through a shell or a header."""
    if parsed.mode == "signed":
        check_secret(parsed.secret.decode("utf-8", "surrogateescape"), _source(form, secret))
        signing: bytes = parsed.secret
        return signing
    if parsed.mode == "bearer" and not _fits_a_header(parsed.token):
        raise UsageError(
            "a bearer token is sent in a header: printable latin-1 characters only, and no blank at"
            " its ends"
        )
    return (parsed.token or "").encode()


def _fits_a_header(token: str) -> bool:
    if token != token.strip():  # RFC 9110, 5.5: blanks around a field's value are not part of it
        return False
    return token.isprintable() and all(ord(character) < 256 for character in token)


def _source(form: Any, secret: str | None) -> str:
    """Return, for a message, where the secret comes from."""
    variable = form.get("secret_env") if isinstance(form, Mapping) else form.partition("env:")[2]
    if variable:
        return f"security: environment variable {variable}"
    return "secret" if secret is not None else "security: the secret"


def _parse(form: Any) -> Any:
    from wove.security import NetworkExecutorSecurity

    try:
        return NetworkExecutorSecurity.from_config(form)
    except (TypeError, ValueError, RuntimeError) as exc:
        # Not from exc: pytest --showlocals would show the local variables of Wove's code.
        raise UsageError(f"security: {exc}") from None
