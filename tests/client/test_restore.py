"""How the changes of this process are restored, whatever interrupts them."""

from __future__ import annotations

import pytest

from wove_http_dev.client.restore import restored_by


def test_restored_at_the_end() -> None:
    """``restore`` is called when the block has ended."""
    calls: list[str] = []
    with restored_by(lambda: calls.append("restore")):
        calls.append("block")
    assert calls == ["block", "restore"]


def test_restored_after_an_exception() -> None:
    """``restore`` is called when the block raises."""
    calls: list[str] = []
    with pytest.raises(KeyError), restored_by(lambda: calls.append("restore")):
        raise KeyError
    assert calls == ["restore"]


def test_interrupted_restore_is_repeated() -> None:
    """``restore`` is called again if it raises, and what it raised is raised then."""
    calls: list[str] = []

    def restore() -> None:
        calls.append("restore")
        if len(calls) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), restored_by(restore):
        pass
    assert calls == ["restore", "restore"]
