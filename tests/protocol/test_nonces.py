"""The memory that recognizes signed requests that are sent a second time."""

from __future__ import annotations

from wove_http_dev.protocol.nonces import NonceMemory

NOW = 1_000_000.0
WINDOW = 300.0
"""Seconds."""


def test_forgotten_after_the_window() -> None:
    """After twice the window a nonce is fresh again."""
    memory = NonceMemory(WINDOW)
    memory.remember("n", NOW)
    assert memory.remember("n", NOW + 2 * WINDOW + 1) == "fresh"


def test_remembered_inside_the_window() -> None:
    """Until twice the window has passed a nonce is remembered."""
    memory = NonceMemory(WINDOW)
    memory.remember("n", NOW)
    assert memory.remember("n", NOW + 2 * WINDOW) == "replayed"


def test_memory_shrinks() -> None:
    """Requests after the window remove more nonces than they add."""
    memory = NonceMemory(WINDOW)
    for number in range(100):
        memory.remember(f"old-{number}", NOW)
    for number in range(100):
        memory.remember(f"new-{number}", NOW + 2 * WINDOW + 1)
    assert len(memory) == 100
