"""The TLS handshake of an accepted connection: whose failure it is when it fails."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from wove_http_dev.descriptors import none_free, require_descriptor
from wove_http_dev.errors import NoCertificateError
from wove_http_dev.service.client_socket import ClientSocket

FIRST_BYTE = b"\x16"
"""What a client sends first: the TLS ContentType handshake (RFC 8446, 5.1)."""


class HandshakeError(Exception):
    """The handshake failed because of the client, or of the certificate that a fault presents.
    ``code`` is for the journal's exchange (``runs.records.CODES``)."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"TLS handshake: {reason}")
        rejected = "ALERT" in reason and ("CERT" in reason or "_CA" in reason)
        self.code = "certificate-rejected" if rejected else "handshake-failed"


def own_context(make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Return the worker's own context, which ``make`` returns. Raises :class:`NoCertificateError`
    if it cannot be made, and the ``OSError`` of a process without a free descriptor."""
    try:
        return make()
    except Exception as exc:
        if none_free(exc):
            raise
        raise NoCertificateError(
            f"the worker's TLS certificate could not be made: {type(exc).__name__}: {exc}"
        ) from exc


def shake_hands(client: ClientSocket, context: ssl.SSLContext, seconds: float) -> None:
    """Do the server's side of the handshake; block until it has ended. Raises
    :class:`HandshakeError`; or, if there is no certificate for the name that the client requested,
    the same errors as :func:`own_context`."""
    try:
        client.shake_hands(context, seconds)
    except (OSError, ValueError) as exc:  # SSLError is an OSError
        if getattr(exc, "reason", None) == "CALLBACK_FAILED":
            require_descriptor()  # OpenSSL does not pass on what the callback raised
            raise NoCertificateError(
                "the certificate for the name that the client requested could not be made; the"
                " reason is on stderr"
            ) from exc
        raise HandshakeError(getattr(exc, "reason", None) or type(exc).__name__) from exc
