"""Workers that run a task wrongly: its arguments, its result, or how often it runs."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import inspect
import io
import json
import pickle
import threading
import time
import unicodedata
from typing import Any

from tests.conformance.worker.defects.base import (
    KnowsWhatIsLoaded,
    KnowsWhatReturned,
    flagged_by,
    is_async,
)
from tests.conformance.worker.plain_worker import (
    Event,
    Frame,
    Handler,
    PlainWorker,
    Run,
    hang_up,
)


@flagged_by("run.01", "wrong_arguments|missing|arguments that arrived")
class DropsKwargs(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        frame = super().decode(body)
        if "args_pickle" in frame:
            args = pickle.loads(frame["args_pickle"])
            if isinstance(args, dict):
                args.pop("other", None)
                frame["args_pickle"] = pickle.dumps(args)
        return frame


@flagged_by("run.01", "TypeError")
class PositionalArguments(PlainWorker):
    def call(self, run: Run) -> Any:
        args = pickle.loads(run.frame["args_pickle"])
        return pickle.loads(run.frame["callable_pickle"])(*args.values())


def super_call(worker: PlainWorker, run: Run) -> Any:
    """Call the task and return its result; a coroutine is not awaited."""
    function = pickle.loads(run.frame["callable_pickle"])
    return function(**pickle.loads(run.frame["args_pickle"]))


def without_coroutine(value: Any) -> Any:
    """Return ``value``, or in place of a coroutine an object that cannot be pickled."""
    if not inspect.iscoroutine(value):
        return value
    value.close()
    return threading.Lock()


@flagged_by("run.02", "the terminal frame is 'task_error'")
class RejectsAsync(PlainWorker):
    def call(self, run: Run) -> Any:
        value = super_call(self, run)
        if inspect.iscoroutine(value):
            value.close()
            raise TypeError("async callables are not supported")
        return value


@flagged_by(
    "run.02", "a plain function that returns a coroutine: the terminal frame is 'task_error'"
)
class AwaitsCoroutineFunctions(PlainWorker):
    def call(self, run: Run) -> Any:
        if inspect.iscoroutinefunction(pickle.loads(run.frame["callable_pickle"])):
            return super().call(run)
        return without_coroutine(super_call(self, run))


@flagged_by("run.03", "the terminal frame is 'task_error'")
class OnlyFunctions(PlainWorker):
    def call(self, run: Run) -> Any:
        if not inspect.isfunction(pickle.loads(run.frame["callable_pickle"])):
            raise TypeError("not a function")
        return super().call(run)


@flagged_by("run.04", r"a result came back as \[1, \[2\]\] where \(1, \(2,\)\) was returned")
class AnswersJson(PlainWorker):
    def result(self, value: Any) -> Event:
        return {"type": "task_result", "result": json.loads(json.dumps(value, default=repr))}


@flagged_by("run.04", r"a result came back as \[1, \[2\]\] where \(1, \(2,\)\) was returned")
class PrefersJson(PlainWorker):
    def result(self, value: Any) -> Event:
        try:
            return {"type": "task_result", "result": json.loads(json.dumps(value))}
        except TypeError:
            return super().result(value)


@flagged_by("run.04", "a result came back as None where 0 was returned")
class FalseIsNothing(PlainWorker):
    def result(self, value: Any) -> Event:
        return super().result(value or None)


@flagged_by("run.05", "a task that returns nothing")
class NothingIsText(PlainWorker):
    def result(self, value: Any) -> Event:
        return super().result("" if value is None else value)


@flagged_by("run.06", "the text")
class StripsText(PlainWorker):
    def result(self, value: Any) -> Event:
        return super().result(value.replace("\r\n", "\n") if isinstance(value, str) else value)


@flagged_by("run.08", "HTTP 413")
class SmallBodies(PlainWorker):
    limit = 500_000

    def serve(self, handler: Handler) -> None:
        if int(handler.headers["Content-Length"]) > self.limit:
            self.read(handler)
            self.write(handler, 413, {})
            return
        super().serve(handler)


@flagged_by("run.08", "HTTP 413")
class MiddlingBodies(SmallBodies):
    limit = 2_000_000


@flagged_by("run.09", "ran 2 times")
class RunsTwice(PlainWorker):
    def call(self, run: Run) -> Any:
        super().call(run)
        return super().call(run)


@flagged_by("run.10", "a task that fails was sent once and ran 2 times")
class TriesAgain(PlainWorker):
    def call(self, run: Run) -> Any:
        try:
            return super().call(run)
        except ValueError:
            return super().call(run)


@flagged_by("run.10", "a task that fails with a ConnectionError was sent once and ran 2 times")
class TriesAgainAfterTheNetwork(PlainWorker):
    def call(self, run: Run) -> Any:
        try:
            return super().call(run)
        except OSError:
            return super().call(run)


class Remembers(PlainWorker):
    """Answers a run with the outcome of an earlier run if :meth:`mark` returned the same for
    both."""

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: dict[Any, Event] = {}

    def mark(self, frame: Frame) -> Any:
        return frame["run_id"]

    def events(self, run: Run) -> list[Event]:
        return [self.outcomes.setdefault(self.mark(run.frame), run.outcome)]


@flagged_by("run.11", "the second run of a task_id was answered with the result of the first")
class OneResultForATask(Remembers):
    def mark(self, frame: Frame) -> Any:
        return frame["task_id"]


@flagged_by(
    "run.21", "its retry, with the same delivery_idempotency_key, .*task_error.* did not run"
)
class KeepsFailures(PlainWorker):
    """Answers a run with the failure of an earlier one with the same idempotency key."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: dict[str, Event] = {}

    def run(self, frame: Frame) -> list[Event]:
        key = frame["delivery"].get("delivery_idempotency_key")
        if key in self.failures:
            return [{**self.failures[key], **self.ids(frame)}]
        events = super().run(frame)
        if key is not None and events[-1]["type"] == "task_error":
            self.failures[key] = events[-1]
        return events


@flagged_by(
    "run.12", "sent in a second run, were not run again: the answer has the result of the first run"
)
class OneResultForTheSameWork(Remembers):
    def mark(self, frame: Frame) -> Any:
        return frame["callable_pickle"], frame["args_pickle"]


@flagged_by("run.12", "the second run got a list of 2 items where one was sent")
class SharesArguments(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.args: dict[bytes, Any] = {}

    def call(self, run: Run) -> Any:
        pickled = run.frame["args_pickle"]
        if pickled not in self.args:
            self.args[pickled] = pickle.loads(pickled)
        value = pickle.loads(run.frame["callable_pickle"])(**self.args[pickled])
        return self.await_value(run, value)


@flagged_by("run.12", "second run of a callable_pickle got a function .*a default argument, an at")
class KeepsLoadedFunctions(PlainWorker):
    asynchronous = False

    def __init__(self) -> None:
        super().__init__()
        self.functions: dict[bytes, Any] = {}

    def call(self, run: Run) -> Any:
        if is_async(run) != self.asynchronous:
            return super().call(run)
        function = pickle.loads(run.frame["callable_pickle"])
        function = self.functions.setdefault(run.frame["callable_pickle"], function)
        value = function(**pickle.loads(run.frame["args_pickle"]))
        return self.await_value(run, value)


@flagged_by("run.12", "second run of a callable_pickle got an async function .*a default argument")
class KeepsLoadedCoroutineFunctions(KeepsLoadedFunctions):
    asynchronous = True


@flagged_by("run.13", "a task that returns a lambda was answered with 'task_error'")
class PicklesByName(PlainWorker):
    def result(self, value: Any) -> Event:
        text = base64.b64encode(pickle.dumps(value)).decode()
        return {"type": "task_result", "result_pickle": text}


@flagged_by("run.14", "called 'function' does not reach the task")
class CallsByName(PlainWorker):
    def call(self, run: Run) -> Any:
        def invoke(function: Any, **args: Any) -> Any:
            return function(**args)

        function = pickle.loads(run.frame["callable_pickle"])
        value = invoke(function, **pickle.loads(run.frame["args_pickle"]))
        return asyncio.run(self.drive(run, value)) if asyncio.iscoroutine(value) else value


@flagged_by("run.15", "a task that returns an exception was answered with 'task_error'")
class RaisesWhatIsReturned(PlainWorker):
    def result(self, value: Any) -> Event:
        return self.error(value) if isinstance(value, Exception) else super().result(value)


@flagged_by("run.15", "came back as 1 where '1' was returned")
class ReadsResultsAsJson(PlainWorker):
    def result(self, value: Any) -> Event:
        if isinstance(value, str):
            with contextlib.suppress(ValueError):
                value = json.loads(value)
        return super().result(value)


@flagged_by("run.16", "a task that prints: ")
class ReadsResultsFromTheTerminal(PlainWorker):
    def work(self, run: Run) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            super().work(run)
        said = printed.getvalue()
        if said:
            run.outcome.clear()
            run.outcome.update(self.error(ValueError(f"not JSON: {said}")))

    def events(self, run: Run) -> list[Event]:
        run.ended.wait()
        with self.lock:
            pass
        time.sleep(0.01)  # what follows the end of the body
        return super().events(run)


class JoinsRuns(PlainWorker):
    """Takes two runs that are sent at the same time for one if :meth:`mark` returns the same."""

    def __init__(self) -> None:
        super().__init__()
        self.joined: dict[Any, Run] = {}

    def mark(self, run_id: str) -> Any:
        return run_id

    def run(self, frame: Frame) -> list[Event]:
        mark = self.mark(frame["run_id"])
        with self.lock:
            first = self.joined.get(mark)
            run = self.joined[mark] = first or Run(frame)
        if first is None:
            self.work(run)
        run.settled.wait()
        self.joined.pop(mark, None)
        return [{**event, **self.ids(frame)} for event in self.events(run)]


@flagged_by("run.17", "differ only in letter case: the second one got '.*' where 'second' was ret")
class IgnoresCase(JoinsRuns):
    def mark(self, run_id: str) -> str:
        return run_id.lower()


@flagged_by("run.17", "differ only in a blank at the end: the second one got")
class IgnoresBlanks(JoinsRuns):
    def mark(self, run_id: str) -> str:
        return run_id.strip()


@flagged_by("run.17", "differ only in a letter at the end: the second one got")
class CutsRunIds(JoinsRuns):
    def mark(self, run_id: str) -> str:
        return run_id[:255]


@flagged_by("run.17", "differ only in a zero in front: the second one got")
class CountsRuns(JoinsRuns):
    def mark(self, run_id: str) -> Any:
        return int(run_id) if run_id.isdecimal() else run_id


@flagged_by("run.17", "differ only in the form of their letters: the second one got")
class ComposesRunIds(JoinsRuns):
    def mark(self, run_id: str) -> str:
        return unicodedata.normalize("NFKC", run_id)


@flagged_by("run.17", "differ only in what is before the colon: the second one got")
class KeepsTheEndOfRunIds(JoinsRuns):
    def mark(self, run_id: str) -> str:
        return run_id.rpartition(":")[2]


class WrongIfAsync(PlainWorker):
    """A base class for workers that are right about plain functions only. :meth:`wrong` returns the
    outcome of an async task that returned ``value``."""

    def work(self, run: Run) -> None:
        self.asynchronous = is_async(run)
        super().work(run)

    def result(self, value: Any) -> Event:
        return self.wrong(value) if self.asynchronous else super().result(value)

    def right(self, value: Any) -> Event:
        return PlainWorker.result(self, value)

    def wrong(self, value: Any) -> Event:
        return self.right(value)


@flagged_by("run.01", "the arguments that arrived at an async task")
class DropsKwargsOfAsync(WrongIfAsync):
    def call(self, run: Run) -> Any:
        args = pickle.loads(run.frame["args_pickle"])
        if is_async(run):
            args.pop("other", None)
        run.frame["args_pickle"] = pickle.dumps(args)
        return super().call(run)


@flagged_by("run.04", r"an async task: a result came back as \[1, \[2\]\] where \(1, \(2,\)\)")
class AnswersAsyncInJson(WrongIfAsync):
    def wrong(self, value: Any) -> Event:
        return {"type": "task_result", "result": json.loads(json.dumps(value, default=repr))}


@flagged_by("run.05", "an async task that returns nothing")
class AsyncNothingIsText(WrongIfAsync):
    def wrong(self, value: Any) -> Event:
        return self.right("" if value is None else value)


@flagged_by("run.06", "the text of an async task")
class StripsAsyncText(WrongIfAsync):
    def wrong(self, value: Any) -> Event:
        return self.right(value.replace("\r\n", "\n") if isinstance(value, str) else value)


@flagged_by("run.07", "an async task: 1 MiB came back changed")
class CutsAsyncResults(WrongIfAsync):
    def wrong(self, value: Any) -> Event:
        return self.right(value[:1_000_000] if isinstance(value, bytes) else value)


@flagged_by(
    "run.09", r"the async task was answered with 'task_error' \(.*not awaited.*\) and did not run"
)
class AwaitsNothing(PlainWorker):
    def call(self, run: Run) -> Any:
        if is_async(run):
            raise TypeError("not awaited")
        return super().call(run)


@flagged_by("run.09", "the async task was sent once and ran 2 times")
class RunsAsyncTwice(PlainWorker):
    def call(self, run: Run) -> Any:
        if is_async(run):
            super().call(run)
        return super().call(run)


@flagged_by(
    "run.12", "the same async function and arguments, sent in a second run, were not run ag"
)
class OneResultForTheSameAsyncWork(Remembers):
    def mark(self, frame: Frame) -> Any:
        work = frame["callable_pickle"], frame["args_pickle"]
        return work if is_async(Run(frame)) else frame["run_id"]


@flagged_by("run.13", "returns a lambda, asynchronously was answered with 'task_error'")
class PicklesAsyncByName(WrongIfAsync):
    def wrong(self, value: Any) -> Event:
        text = base64.b64encode(pickle.dumps(value)).decode()
        return {"type": "task_result", "result_pickle": text}


@flagged_by("run.15", "an async task that returns an exception was answered with 'task_error'")
class AsyncExceptionsAreErrors(WrongIfAsync):
    def wrong(self, value: Any) -> Event:
        return self.error(value) if isinstance(value, Exception) else self.right(value)


@flagged_by(
    "run.18", "two runs with the same run_id: the first one was answered with the result of"
)
class TheSecondReplacesTheFirst(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.latest: dict[str, Run] = {}

    def work(self, run: Run) -> None:
        self.latest[run.frame["run_id"]] = run
        super().work(run)

    def events(self, run: Run) -> list[Event]:
        return super().events(self.latest[run.frame["run_id"]])


@flagged_by("run.18", "two runs with the same run_id: the first one: the connection was closed")
class TheFirstIsLost(PlainWorker):
    def run(self, frame: Frame) -> list[Event]:
        run = self.runs[frame["run_id"]] = Run(frame)
        self.work(run)
        del self.runs[frame["run_id"]]
        return [{**event, **self.ids(frame)} for event in self.events(run)]


@flagged_by("run.19", "an argument of 13 MiB: the connection was closed")
class DropsHugeBodies(PlainWorker):
    def serve(self, handler: Handler) -> None:
        if int(handler.headers["Content-Length"]) > 16_000_000:
            self.read(handler)
            hang_up(handler)
        else:
            super().serve(handler)


@flagged_by("run.19", "a result of 13 MiB became b'")
class CutsHugeResults(PlainWorker):
    def result(self, value: Any) -> Event:
        return super().result(value[:12_000_000] if isinstance(value, bytes) else value)


@flagged_by("run.14", "the names of an async task's arguments")
class TakesAnArgumentOfAsync(PlainWorker):
    def call(self, run: Run) -> Any:
        args = pickle.loads(run.frame["args_pickle"])
        if is_async(run):
            args.pop("loop", None)
        run.frame["args_pickle"] = pickle.dumps(args)
        return super().call(run)


@flagged_by(
    "run.20", r"before the checker let an async task end, .* its run was answered: .*task_error"
)
class EndsCoroutines(PlainWorker):
    async def drive(self, run: Run, value: Any) -> Any:
        return await asyncio.wait_for(super().drive(run, value), 0.3)


@flagged_by(
    "run.20", r"before the checker let a sync task end, .* its run was answered: .*task_error"
)
class AnswersInTime(PlainWorker):
    """Answers each run after a time, whether it has ended or not."""

    seconds = 0.3

    def run(self, frame: Frame) -> list[Event]:
        timer = threading.Timer(self.seconds, self.give_up, [frame["run_id"]])
        timer.daemon = True
        timer.start()
        try:
            return super().run(frame)
        finally:
            timer.cancel()

    def give_up(self, run_id: str) -> None:
        run = self.runs.get(run_id)
        if run is not None:
            run.settle(self.error(TimeoutError("too long")))


@flagged_by("run.20", r"before the checker let an? a?sync task end, .* its run was answered: ")
class TakesSecondsForMilliseconds(AnswersInTime):
    """Answers each run at the end of its delivery_timeout, which it takes for milliseconds."""

    def run(self, frame: Frame) -> list[Event]:
        self.seconds = frame["delivery"].get("delivery_timeout", 1e6) / 1000
        return super().run(frame)


@flagged_by(
    "run.20", r"before the checker let the loading of an argument end, .* its run was answered"
)
class AnswersLoadsInTime(KnowsWhatIsLoaded, AnswersInTime):
    def give_up(self, run_id: str) -> None:
        if run_id not in self.loaded:
            super().give_up(run_id)


@flagged_by(
    "run.20", r"before the checker let the pickling of a result end, .* its run was answered: "
)
class AnswersPicklesInTime(KnowsWhatReturned, AnswersInTime):
    def give_up(self, run_id: str) -> None:
        if run_id in self.returned:
            super().give_up(run_id)
