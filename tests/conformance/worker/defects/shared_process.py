"""Workers that do not expect what a task does to the process that it shares with them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import inspect
import io
import os
import pickle
import sys
import threading
from pathlib import Path
from typing import Any

from tests.conformance.worker.defects.base import flagged_by
from tests.conformance.worker.plain_worker import Event, Handler, PlainWorker, Run


class Captures(PlainWorker):
    """A base class for workers that put a stream of their own in place of standard output."""

    def stream(self) -> Any:
        raise NotImplementedError

    def captured(self, stream: Any) -> None:
        raise NotImplementedError

    def call(self, run: Run) -> Any:
        stream = self.stream()
        with contextlib.redirect_stdout(stream):
            value = super().call(run)
        self.captured(stream)
        return value


@flagged_by("limits.08", r"a task that prints 6144 KiB: .*no complete answer within \S+ s")
class CapturesIntoAPipe(Captures):
    """Reads what a task prints only after it has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[int] = []
        self.writes: list[Any] = []

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        for end in self.reads:
            os.close(end)
        for stream in self.writes:
            with contextlib.suppress(OSError):
                stream.close()

    def stream(self) -> Any:
        reads, writes = os.pipe()
        self.reads.append(reads)
        self.writes.append(os.fdopen(writes, "w"))
        return self.writes[-1]

    def captured(self, stream: Any) -> None:
        stream.close()

    def call(self, run: Run) -> Any:
        before = sys.stdout
        try:
            return super().call(run)
        except OSError:
            return None
        finally:
            sys.stdout = before


class Limited(io.StringIO):
    """A text that takes up to 1 MiB in all, and as much in one call."""

    limit, whole = 2**20, True

    def write(self, text: str) -> int:
        if (self.tell() if self.whole else 0) + len(text) > self.limit:
            raise OSError("the log is full")
        return super().write(text)


@flagged_by("limits.08", r"a task that prints 6144 KiB: .*'task_error'.*the log is full")
class CapturesAMebibyte(Captures):
    def stream(self) -> Any:
        return Limited()

    def captured(self, stream: Any) -> None:
        return


@flagged_by("limits.08", r"an async task that prints 2560 KiB: .*'task_error'.*the log is full")
class CapturesAMebibyteOfErrors(PlainWorker):
    async def drive(self, run: Run, value: Any) -> Any:
        with contextlib.redirect_stderr(Limited()):
            return await super().drive(run, value)


class ShortLines(Limited):
    limit, whole = 2**16, False


@flagged_by("limits.08", r"a task that prints 6144 KiB: .*'task_error'.*the log is full")
class CapturesShortLines(CapturesAMebibyte):
    def stream(self) -> Any:
        return ShortLines()


@flagged_by("limits.09", "a task that prints bytes that are not UTF-8: .*UnicodeDecodeError")
class CapturesText(Captures):
    def stream(self) -> Any:
        return io.TextIOWrapper(io.BytesIO(), "utf-8")

    def captured(self, stream: Any) -> None:
        stream.flush()
        stream.buffer.getvalue().decode()


@flagged_by("limits.10", "a task that closes sys.stdout: .*ValueError")
class CapturesIntoABuffer(Captures):
    def stream(self) -> Any:
        return io.StringIO()

    def captured(self, stream: Any) -> None:
        stream.getvalue()


@flagged_by("limits.09", "after a task that uses asyncio.run.., the next async task did not run")
class HasALoopInItsThread(PlainWorker):
    """Runs all tasks in one thread, whose event loop it expects to stay."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.thread = concurrent.futures.ThreadPoolExecutor(
            1, initializer=asyncio.set_event_loop, initargs=(self.loop,)
        )

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.thread.shutdown()
        self.loop.close()

    def call(self, run: Run) -> Any:
        return self.thread.submit(self.here, run).result()

    def here(self, run: Run) -> Any:
        value = pickle.loads(run.frame["callable_pickle"])(**pickle.loads(run.frame["args_pickle"]))
        if not inspect.iscoroutine(value):
            return value
        try:
            return asyncio.get_event_loop_policy().get_event_loop().run_until_complete(value)
        finally:
            value.close()


@flagged_by("limits.10", r"a task that leaves a thread running: .*no complete answer within \S+ s")
class JoinsThreads(PlainWorker):
    def call(self, run: Run) -> Any:
        before = set(threading.enumerate())
        value = super().call(run)
        for thread in set(threading.enumerate()) - before:
            if thread.name.endswith("(waits)"):
                thread.join(30)
        return value


@flagged_by("limits.10", r"a task that leaves an asyncio task: .*no complete answer within \S+ s")
class AwaitsAllTasks(PlainWorker):
    async def drive(self, run: Run, value: Any) -> Any:
        result = await super().drive(run, value)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait_for(asyncio.gather(*left), 10)
        return result


@flagged_by("limits.10", "a task had changed the working directory, the next task did not run")
class ReadsRelativeFiles(PlainWorker):
    def result(self, value: Any) -> Event:
        Path(os.path.relpath(__file__, self.began)).read_bytes()
        return super().result(value)

    def __init__(self) -> None:
        super().__init__()
        self.began = Path.cwd()


@flagged_by("limits.10", "after a task that leaves a thread running, the next task did not run")
class DiesOfThreads(PlainWorker):
    dead = False

    def call(self, run: Run) -> Any:
        value = super().call(run)
        self.dead = any(each.name.endswith("(waits)") for each in threading.enumerate())
        return value

    def answer_run(self, handler: Handler, frame: Any) -> None:
        if self.dead:
            self.write(handler, 500, {})
        else:
            super().answer_run(handler, frame)
