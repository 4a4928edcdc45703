"""The heartbeat that measures how long an event loop was blocked."""

from __future__ import annotations

import asyncio
import time

from wove_http_dev.conformance.executor.cases.time.event_loop import Heartbeat


def test_a_blocked_loop_is_measured() -> None:
    """The longest gap is at least the time that the loop was blocked."""

    async def main() -> float:
        async with Heartbeat() as heartbeat:
            await asyncio.sleep(0.02)
            time.sleep(0.2)
        return heartbeat.longest

    assert asyncio.run(main()) >= 0.2
