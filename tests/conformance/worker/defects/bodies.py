"""Workers that run tasks wrongly or do not survive a bad one."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import inspect
import json
import pickle
import threading
from typing import Any

import cloudpickle

from tests.conformance.worker.defects.base import Hanging, flagged_by
from tests.conformance.worker.plain_worker import Event, Frame, Handler, PlainWorker, Run


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


@flagged_by("run.02", "the terminal frame is 'task_error'")
class RejectsAsync(PlainWorker):
    def call(self, run: Run) -> Any:
        value = super_call(self, run)
        if inspect.iscoroutine(value):
            value.close()
            raise TypeError("async callables are not supported")
        return value


def super_call(worker: PlainWorker, run: Run) -> Any:
    """Call the task and leave a coroutine as it is."""
    function = pickle.loads(run.frame["callable_pickle"])
    return function(**pickle.loads(run.frame["args_pickle"]))


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


@flagged_by("run.05", "a task that returns nothing")
class NothingIsText(PlainWorker):
    def result(self, value: Any) -> Event:
        return super().result("" if value is None else value)


@flagged_by("run.06", "the text")
class StripsText(PlainWorker):
    def result(self, value: Any) -> Event:
        return super().result(value.replace("\r\n", "\n") if isinstance(value, str) else value)


@flagged_by("run.07", "HTTP 413")
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


@flagged_by("errors.01", "was answered with 'task_result'")
class ErrorsAreResults(PlainWorker):
    def error(self, exc: BaseException) -> Event:
        return self.result(str(exc))


@flagged_by("errors.02", "the error lacks kind, traceback, retryable, source")
class OnlyMessage(PlainWorker):
    def error(self, exc: BaseException) -> Event:
        return {"type": "task_error", "error": {"message": f"{type(exc).__name__}: {exc}"}}


@flagged_by("errors.03", "a task with an argument too many was answered with 'task_result'")
class DropsUnknownArguments(PlainWorker):
    def call(self, run: Run) -> Any:
        known = inspect.signature(pickle.loads(run.frame["callable_pickle"])).parameters
        args = pickle.loads(run.frame["args_pickle"])
        kept = {name: value for name, value in args.items() if name in known}
        run.frame["args_pickle"] = pickle.dumps(kept)
        return super().call(run)


class FailsItself(PlainWorker):
    """Lets some errors through to a 500."""

    lets_through: tuple[type[BaseException], ...] = ()

    def write(self, handler: Handler, status: int, document: Any) -> None:
        kinds = [kind.__name__ for kind in self.lets_through]
        for event in document.get("events", []):
            if event.get("error", {}).get("kind") in kinds:
                status, document = 500, {"error": "internal server error"}
        super().write(handler, status, document)


@flagged_by("errors.04", "a result that cannot be pickled was answered with HTTP 500")
class UnpicklableResultIs500(FailsItself):
    lets_through = (TypeError, pickle.PicklingError)


@flagged_by("errors.05", "an exception that cannot be pickled was answered with HTTP 500")
class UnpicklableExceptionIs500(PlainWorker):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        if "holds a lock" in json.dumps(document):
            status, document = 500, {}
        super().write(handler, status, document)


@flagged_by("errors.06", "exception_pickle: the pickle does not load")
@flagged_by("errors.07", "exception_pickle holds a SystemExit")
@flagged_by("errors.08", "a task that raises TimeoutError: exception_pickle holds it")
class SendsEveryException(PlainWorker):
    def error(self, exc: BaseException) -> Event:
        event = super().error(exc)
        with contextlib.suppress(Exception):
            event["exception_pickle"] = base64.b64encode(cloudpickle.dumps(exc)).decode()
        return event


@flagged_by("errors.07", "a task that raises SystemExit was answered with HTTP 500")
class SystemExitIs500(FailsItself):
    lets_through = (SystemExit,)


@flagged_by("errors.07", "a task that raises SystemExit: no whole answer within 1 s")
class HangsOnSystemExit(Hanging):
    def error(self, exc: BaseException) -> Event:
        if isinstance(exc, SystemExit):
            self.never.wait(30)
        return super().error(exc)


@flagged_by("errors.09", "CancelledError by itself was answered with HTTP 500")
class CancelledErrorIs500(FailsItself):
    lets_through = (asyncio.CancelledError,)


@flagged_by("errors.10", "a callable that cannot be imported .* was answered with HTTP 500")
class UnimportableIs500(FailsItself):
    lets_through = (ModuleNotFoundError,)


@flagged_by("errors.11", "a callable_pickle that is not a pickle was answered with HTTP 500")
class BrokenPickleIs500(FailsItself):
    lets_through = (pickle.UnpicklingError, EOFError)


@flagged_by("errors.12", "a pickle that calls sys.exit.. when loaded was answered with HTTP 500")
class ExitOnLoadIs500(FailsItself):
    lets_through = (SystemExit,)


@flagged_by(
    "run.02", "a plain function that returns a coroutine: the terminal frame is 'task_error'"
)
class AwaitsCoroutineFunctions(PlainWorker):
    def call(self, run: Run) -> Any:
        if inspect.iscoroutinefunction(pickle.loads(run.frame["callable_pickle"])):
            return super().call(run)
        return without_coroutine(super_call(self, run))


def without_coroutine(value: Any) -> Any:
    """``value``; in place of a coroutine (not awaited), an object that cannot be pickled."""
    if not inspect.iscoroutine(value):
        return value
    value.close()
    return threading.Lock()


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


@flagged_by("run.10", "a task that fails was sent once and ran 2 times")
class TriesAgain(PlainWorker):
    def call(self, run: Run) -> Any:
        try:
            return super().call(run)
        except ValueError:
            return super().call(run)


class Remembers(PlainWorker):
    """Answers a run with an outcome that it has already, if :meth:`mark` is the same."""

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


@flagged_by("run.12", "sent in a second run, were not run again: the result of the first came back")
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
        return asyncio.run(self.drive(run, value)) if inspect.isawaitable(value) else value


@flagged_by("run.13", "a task that returns a lambda was answered with 'task_error'")
class PicklesByName(PlainWorker):
    def result(self, value: Any) -> Event:
        text = base64.b64encode(pickle.dumps(value)).decode()
        return {"type": "task_result", "result_pickle": text}


@flagged_by("errors.01", "exception_pickle holds RuntimeError.*, where ValueError.* was raised")
class RetypesExceptions(PlainWorker):
    def error(self, exc: BaseException) -> Event:
        text = base64.b64encode(pickle.dumps(RuntimeError(str(exc)))).decode()
        return {**super().error(exc), "exception_pickle": text}


@flagged_by("errors.01", "two terminal frames .'task_error', 'task_result'.: a run has one outcome")
@flagged_by("errors.04", "two terminal frames .'task_error', 'task_result'.: a run has one outcome")
class ResultsAfterErrors(PlainWorker):
    def events(self, run: Run) -> list[Event]:
        failed = run.outcome["type"] == "task_error"
        return [*super().events(run), *([self.result(None)] if failed else [])]


@flagged_by("errors.02", "error is a string, not an object with kind, message")
class ErrorIsText(PlainWorker):
    def error(self, exc: BaseException) -> Event:
        return {"type": "task_error", "error": f"{type(exc).__name__}: {exc}"}


@flagged_by(
    "errors.13", "came back as .conformance: gr\\?\\?e \\?., without its letters beyond ASCII"
)
class MessagesInAscii(PlainWorker):
    def error(self, exc: BaseException) -> Event:
        event = super().error(exc)
        event["error"]["message"] = str(exc).encode("ascii", "replace").decode()
        return event
