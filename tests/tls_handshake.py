"""A TLS handshake without sockets."""

from __future__ import annotations

import ssl

from cryptography import x509


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> x509.Certificate:
    """The certificate that ``server`` showed to ``client``, which asked for ``name``."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_side = client.wrap_bio(to_client, to_server, server_hostname=name)
    server_side = server.wrap_bio(to_server, to_client, server_side=True)
    for side in (client_side, server_side, client_side, server_side):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    shown = client_side.getpeercert(binary_form=True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown)
