"""``NonceMemory``: recognizes signed requests that are sent a second time.

A nonce is a value that must be new in each signed request. The cost of a look-up does not grow with
the number of earlier requests.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque

NONCE_LIMIT = 250_000
"""Nonces that are remembered, 170 bytes each (measured). While there are so many, further requests
are refused."""


class NonceMemory:
    """Remembers nonces for as long as their timestamps are accepted: for twice ``window`` seconds.

    It holds at most ``limit`` nonces and never drops one early, which would allow a replay. While
    it is full, requests are refused with status 503.
    """

    def __init__(self, window: float, limit: int = NONCE_LIMIT) -> None:
        self._window = window
        self._limit = limit
        self._seen: set[bytes] = set()
        self._order: deque[tuple[float, bytes]] = deque()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._seen)

    def remember(self, nonce: str, now: float) -> str:
        """Return ``"fresh"``, ``"replayed"`` or ``"full"``. Only a fresh nonce is stored. ``now``
        is the time in seconds."""
        # A digest, so that a 60 KiB nonce costs no more memory than a short one.
        mark = hashlib.blake2b(nonce.encode("utf-8", "surrogateescape"), digest_size=16).digest()
        with self._lock:
            for _ in range(2):  # more than the one that is added, so that the memory shrinks
                if not self._order or self._order[0][0] >= now:  # the oldest one is still needed
                    break
                self._seen.discard(self._order.popleft()[1])
            if mark in self._seen:
                return "replayed"
            if len(self._seen) >= self._limit:
                return "full"
            self._seen.add(mark)
            # A timestamp that is `window` ahead of the clock now is accepted until it is `window`
            # behind.
            self._order.append((now + 2 * self._window, mark))
            return "fresh"
