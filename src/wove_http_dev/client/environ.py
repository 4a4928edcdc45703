"""Environment variables: set for a while in this process, or handed to another one."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from wove_http_dev.errors import RestoreWarning


@contextmanager
def variable(name: str, value: str) -> Iterator[None]:
    """``os.environ[name] = value``, and back to what it was, unless somebody changed it again."""
    previous = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if os.environ.get(name) != value:
            warnings.warn(
                f"environment variable {name} was changed while a worker had set it; it is left"
                " as it is",
                RestoreWarning,
                stacklevel=3,
            )
        elif previous is None:
            del os.environ[name]
        else:
            os.environ[name] = previous


def without_proxy(host: str, environ: Mapping[str, str]) -> dict[str, str]:
    """``no_proxy`` in both spellings, with ``host`` appended to what ``environ`` has there.

    urllib honours proxies for loopback too, and of the two spellings only one on some systems.
    """
    spellings = {}
    for name in ("no_proxy", "NO_PROXY"):
        before = environ.get(name) or environ.get(name.swapcase()) or ""
        entries = [entry.strip() for entry in before.split(",") if entry.strip()]
        if host not in entries:
            entries.append(host)
        spellings[name] = ",".join(entries)
    return spellings
