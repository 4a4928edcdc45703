"""Workers that run tasks wrongly or do not survive a bad one."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import inspect
import json
import pickle
from typing import Any

import cloudpickle

from tests.conformance.defects.base import Hanging, flagged_by
from tests.conformance.plain_worker import Event, Frame, Handler, PlainWorker, Run


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


@flagged_by("run.04", "the result")
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


@flagged_by("errors.10", "a callable that cannot be imported was answered with HTTP 500")
class UnimportableIs500(FailsItself):
    lets_through = (ModuleNotFoundError,)


@flagged_by("errors.11", "a callable_pickle that is no pickle was answered with HTTP 500")
class BrokenPickleIs500(FailsItself):
    lets_through = (pickle.UnpicklingError, EOFError)


@flagged_by("errors.12", "a pickle that calls sys.exit.. when loaded was answered with HTTP 500")
class ExitOnLoadIs500(FailsItself):
    lets_through = (SystemExit,)
