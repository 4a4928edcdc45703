"""Checks of the arguments of ``HttpWorker(...)`` that are not options."""

from __future__ import annotations

from typing import Any

from wove_http_dev.argument_checks import check_type
from wove_http_dev.errors import UsageError
from wove_http_dev.service.limits import Limits
from wove_http_dev.tls import CertificateAuthority


def check_arguments(ca: Any, label: Any, seed: Any, limits: Any, before_run: Any) -> None:
    """Raise :class:`UsageError` for an argument that ``HttpWorker`` cannot use."""
    authority = ca is None or isinstance(ca, CertificateAuthority)
    check_type("ca", authority, "a wove_http_dev.CertificateAuthority", ca)
    check_type("label", isinstance(label, str), "text", label)
    check_type("seed", type(seed) is int, "a whole number", seed)
    limited = limits is None or isinstance(limits, Limits)
    check_type("limits", limited, "wove_http_dev.Limits(…)", limits)
    called = before_run is None or callable(before_run)
    check_type("before_run", called, "a function without arguments", before_run)
    if limits is not None and limits.max_body != Limits.max_body:
        raise UsageError("limits: max_body is an option of its own: HttpWorker(max_body=…)")
