"""Where the body of a task is, as text."""

from __future__ import annotations

import asyncio
import threading

from wove_http_dev.runs.stack import stack_of_task, stack_of_thread


def test_thread_that_waits_shows_its_calls() -> None:
    """The stack of a thread ends where it waits."""
    release, begun = threading.Event(), threading.Event()

    def body() -> None:
        begun.set()
        release.wait()

    thread = threading.Thread(target=body)
    thread.start()
    begun.wait()
    try:
        assert "in body\n" in stack_of_thread(thread.ident or 0)
    finally:
        release.set()
        thread.join()


def test_no_thread_has_no_stack() -> None:
    """An identifier of no thread has no calls."""
    assert stack_of_thread(-1) == ""


async def inner(release: asyncio.Event) -> None:
    """Wait in a coroutine that another one awaits."""
    await release.wait()


async def outer(release: asyncio.Event) -> None:
    """Await :func:`inner`."""
    await inner(release)


def test_task_that_waits_shows_every_coroutine() -> None:
    """The stack of a task has the chain of coroutines that await one another."""

    async def main() -> str:
        release = asyncio.Event()
        task = asyncio.ensure_future(outer(release))
        await asyncio.sleep(0)
        text = stack_of_task(task)
        release.set()
        await task
        return text

    text = asyncio.run(main())
    assert text.index("in outer\n") < text.index("in inner\n")
