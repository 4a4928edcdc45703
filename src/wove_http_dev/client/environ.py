"""Sets environment variables of this process for a block, or computes them for another process."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from wove_http_dev.client.restore import restored_by
from wove_http_dev.errors import RestoreWarning


@contextmanager
def set_variable(name: str, value: str) -> Iterator[None]:
    """Set ``os.environ[name]`` to ``value`` until the block ends, then restore it. A value that
    other code has set in between is kept, with a :class:`RestoreWarning`."""
    previous = os.environ.get(name)

    def restore() -> None:
        current = os.environ.get(name)
        if current == previous:
            return
        if current != value:
            warnings.warn(
                f"environment variable {name} was changed while a worker had set it; the new"
                " value is kept",
                RestoreWarning,
                stacklevel=6,  # the with statement of the caller
            )
        elif previous is None:
            del os.environ[name]
        else:
            os.environ[name] = previous

    with restored_by(restore):
        os.environ[name] = value
        yield


def without_proxy(host: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return ``no_proxy`` and ``NO_PROXY``, each the list in ``environ`` with ``host`` added.

    urllib uses a proxy for loopback too, and some systems read only one of the two spellings.
    """
    spellings = {}
    for name in ("no_proxy", "NO_PROXY"):
        before = environ.get(name) or environ.get(name.swapcase()) or ""
        entries = [entry.strip() for entry in before.split(",") if entry.strip()]
        if host not in entries:
            entries.append(host)
        spellings[name] = ",".join(entries)
    return spellings
