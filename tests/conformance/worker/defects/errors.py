"""Workers that report the failure of a task wrongly, or do not survive it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import inspect
import json
import pickle
from typing import Any

import cloudpickle

from tests.conformance.worker.defects.base import Hanging, flagged_by
from tests.conformance.worker.plain_worker import (
    Event,
    Frame,
    Handler,
    PlainWorker,
    Run,
)


@flagged_by("errors.01", "was answered with 'task_result'")
class ErrorsAreResults(PlainWorker):
    def error(self, exc: BaseException) -> Event:
        return self.result(str(exc))


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


@flagged_by("errors.02", "the error lacks kind, traceback, retryable, source")
class OnlyMessage(PlainWorker):
    def error(self, exc: BaseException) -> Event:
        return {"type": "task_error", "error": {"message": f"{type(exc).__name__}: {exc}"}}


@flagged_by("errors.02", "error is a string, not an object with kind, message")
class ErrorIsText(PlainWorker):
    def error(self, exc: BaseException) -> Event:
        return {"type": "task_error", "error": f"{type(exc).__name__}: {exc}"}


@flagged_by("errors.02", "the error's source is 'transport', where the task raised it")
class BlamesTheTransport(PlainWorker):
    def error(self, exc: BaseException) -> Event:
        event = super().error(exc)
        event["error"]["source"] = "transport"
        return event


@flagged_by("errors.03", "a task with an argument too many was answered with 'task_result'")
class DropsUnknownArguments(PlainWorker):
    def call(self, run: Run) -> Any:
        known = inspect.signature(pickle.loads(run.frame["callable_pickle"])).parameters
        args = pickle.loads(run.frame["args_pickle"])
        kept = {name: value for name, value in args.items() if name in known}
        run.frame["args_pickle"] = pickle.dumps(kept)
        return super().call(run)


class FailsItself(PlainWorker):
    """Answers with HTTP 500 if the task's exception is one of ``lets_through``."""

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


@flagged_by("errors.04", "a result whose pickling raises ValueError: ")
class ExpectsPicklingErrors(PlainWorker):
    def work(self, run: Run) -> None:
        try:
            event = self.result(self.call(run))
        except ValueError as exc:
            if "not this one" in str(exc):
                return
            event = self.error(exc)
        except BaseException as exc:
            event = self.error(exc)
        run.settle({"type": "task_cancelled"} if run.cancelled else event)
        run.ended.set()


@flagged_by("errors.05", "an exception that cannot be pickled was answered with HTTP 500")
class UnpicklableExceptionIs500(PlainWorker):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        if "holds a lock" in json.dumps(document):
            status, document = 500, {}
        super().write(handler, status, document)


@flagged_by("errors.05", "an exception whose pickling raises ValueError: ")
class SendsExceptionsUnlessTheyAreUnpicklable(PlainWorker):
    def error(self, exc: BaseException) -> Event:
        event = super().error(exc)
        with contextlib.suppress(TypeError, AttributeError, pickle.PicklingError):
            cloudpickle.dumps(exc)
        return event

    def work(self, run: Run) -> None:
        with contextlib.suppress(ValueError):
            super().work(run)


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


@flagged_by("errors.07", r"a task that raises SystemExit: no complete answer within \S+ s")
class HangsOnSystemExit(Hanging):
    def error(self, exc: BaseException) -> Event:
        if isinstance(exc, SystemExit):
            self.never.wait(30)
        return super().error(exc)


@flagged_by("errors.09", "CancelledError, without a cancel_task was answered with HTTP 500")
class CancelledErrorIs500(FailsItself):
    lets_through = (asyncio.CancelledError,)


@flagged_by("errors.10", "a callable that cannot be imported .* was answered with HTTP 500")
class UnimportableIs500(FailsItself):
    lets_through = (ModuleNotFoundError,)


@flagged_by("errors.10", "cannot be imported .wove_conformance_no_such_name.")
class ExpectsImportErrors(Hanging):
    def call(self, run: Run) -> Any:
        try:
            return super().call(run)
        except AttributeError:
            self.never.wait()
            raise


@flagged_by("errors.11", "a callable_pickle that is not a pickle was answered with HTTP 500")
class BrokenPickleIs500(FailsItself):
    lets_through = (pickle.UnpicklingError, EOFError)


@flagged_by("errors.12", "a pickle that calls sys.exit.. when loaded was answered with HTTP 500")
class ExitOnLoadIs500(FailsItself):
    lets_through = (SystemExit,)


@flagged_by("errors.13", "came back as .conformance: gr\\?\\?e \\?., without its non-ASCII letters")
class MessagesInAscii(PlainWorker):
    def error(self, exc: BaseException) -> Event:
        event = super().error(exc)
        event["error"]["message"] = str(exc).encode("ascii", "replace").decode()
        return event


@flagged_by("errors.14", "async task after an async task that raises SystemExit")
class HasOneLoop(Hanging):
    ended = False

    def call(self, run: Run) -> Any:
        function = pickle.loads(run.frame["callable_pickle"])
        value = function(**pickle.loads(run.frame["args_pickle"]))
        if not asyncio.iscoroutine(value):
            return value
        if self.ended:
            value.close()
            self.never.wait()
        try:
            return asyncio.run(self.drive(run, value))
        except (SystemExit, KeyboardInterrupt):
            self.ended = True
            raise


@flagged_by("errors.15", "an exception whose __str__ raises: ")
class TrustsTexts(PlainWorker):
    def message(self, exc: BaseException) -> str:
        return str(exc)

    def work(self, run: Run) -> None:
        with contextlib.suppress(RuntimeError):
            super().work(run)


@flagged_by("errors.16", "'task_error' frame of a task that failed lacks run_id")
class ForgetsWhoseErrorItIs(PlainWorker):
    def run(self, frame: Frame) -> list[Event]:
        events = super().run(frame)
        for event in events:
            if event["type"] == "task_error":
                del event["run_id"]
        return events
