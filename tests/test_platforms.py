"""What needs Linux or macOS."""

from __future__ import annotations

import sys

import pytest

from wove_http_dev.errors import UsageError
from wove_http_dev.platforms import require_posix


@pytest.mark.parametrize("platform", ["linux", "darwin", "freebsd14"])
def test_posix(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    """Linux, macOS and the BSDs are not refused."""
    monkeypatch.setattr(sys, "platform", platform)
    require_posix("a worker service")


def test_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows is refused by name, with what to use instead."""
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UsageError, match=r"^serve needs Linux or macOS; on Windows, use WSL"):
        require_posix("serve")
