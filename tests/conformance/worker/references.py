"""The reference workers in ``examples/``: the commands that start them."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from wove_http_dev.tls import CertificateAuthority

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
NEEDS = {"stdlib": [], "flask": ["flask"], "fastapi": ["fastapi", "uvicorn"]}


def certificate(ca: CertificateAuthority, directory: Path) -> tuple[Path, Path]:
    """Write a certificate for localhost and its key; return both paths."""
    leaf = ca.issue("localhost")
    cert, key = directory / "cert.pem", directory / "key.pem"
    cert.write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
    key.write_bytes(leaf.private_key_pem.bytes())
    return cert, key


def command(name: str, port: int, *more: object) -> str:
    """Return the shell command that starts the reference worker ``name``."""
    words = [sys.executable, str(EXAMPLES / f"worker_{name}.py"), "--port", str(port)]
    return shlex.join([*words, *map(str, more)])
