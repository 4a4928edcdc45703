"""trustme, whatever the clock is when it is imported."""

from __future__ import annotations

import subprocess
import sys

from wove_http_dev import tls_contexts
from wove_http_dev.first_certificate import trustme

FROZEN = """
import datetime
class Frozen(datetime.datetime):
    pass
datetime.datetime = Frozen
from wove_http_dev.tls import CertificateAuthority
print(CertificateAuthority().server_context() is not None and datetime.datetime is Frozen)
"""


def _printed(program: str) -> tuple[str, str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    return done.stdout, done.stderr


def test_first_certificate_in_frozen_time() -> None:
    """A class in place of ``datetime.datetime``, as freezegun's, does not break certificates."""
    assert _printed(FROZEN) == ("True\n", "")


def test_dates() -> None:
    """The dates of certificates that are made without trustme are trustme's."""
    expected = (trustme.DEFAULT_NOT_BEFORE, trustme.DEFAULT_EXPIRY)
    assert expected == (tls_contexts.NOT_BEFORE, tls_contexts.NOT_AFTER)
