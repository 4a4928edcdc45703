"""Workers that handle most failures, but not those of coroutines, or of unusual exceptions and
results."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import pickle
import threading
from typing import Any

import cloudpickle

from tests.conformance.worker.defects.base import flagged_by, plant
from tests.conformance.worker.defects.errors import FailsItself, SystemExitIs500
from tests.conformance.worker.plain_worker import Event, Handler, PlainWorker, Run


class KnowsCoroutines(PlainWorker):
    """A base class for workers that know whether a coroutine was awaited in this thread."""

    def __init__(self) -> None:
        super().__init__()
        self.here = threading.local()

    async def drive(self, run: Run, value: Any) -> Any:
        self.here.awaited = True
        return await super().drive(run, value)

    def awaited(self) -> bool:
        return getattr(self.here, "awaited", False)


def with_exception(event: Event, exc: BaseException) -> Event:
    """Return ``event`` with the pickle of ``exc``."""
    return {**event, "exception_pickle": base64.b64encode(cloudpickle.dumps(exc)).decode()}


@flagged_by("errors.01", "a task that raises ValueError .async. was answered with 'task_result'")
class AsyncErrorsAreResults(KnowsCoroutines):
    def error(self, exc: BaseException) -> Event:
        return self.result(str(exc)) if self.awaited() else super().error(exc)


@flagged_by("errors.02", "a task that raises ValueError .async.: the error lacks kind")
class AsyncErrorsHaveOnlyMessages(KnowsCoroutines):
    def error(self, exc: BaseException) -> Event:
        if self.awaited():
            return {"type": "task_error", "error": {"message": str(exc)}}
        return super().error(exc)


plant(SystemExitIs500, "errors.04", "a result whose pickling raises SystemExit was answered with H")


@flagged_by("errors.04", "a result that is nested too deeply was answered with HTTP 500")
@flagged_by("errors.17", "a RecursionError was answered with HTTP 500")
class RecursionIs500(FailsItself):
    lets_through = (RecursionError, pickle.PicklingError)


@flagged_by("errors.04", "a result that cannot be pickled .async. was answered with HTTP 500")
class PicklesAsyncResultsUnguarded(PlainWorker):
    def work(self, run: Run) -> None:
        super().work(run)
        if run.loop is not None and run.outcome["type"] == "task_error":
            run.outcome = {"type": "task_error", "unguarded": True}

    def write(self, handler: Handler, status: int, document: Any) -> None:
        super().write(handler, 500 if "unguarded" in json.dumps(document) else status, document)


@flagged_by("errors.06", "exits when it is loaded: exception_pickle calls sys.exit")
class TriesWhetherExceptionsLoad(PlainWorker):
    """Does not expect that a pickle exits."""

    def error(self, exc: BaseException) -> Event:
        event = super().error(exc)
        try:
            sent = with_exception(event, exc)
            pickle.loads(base64.b64decode(sent["exception_pickle"]))
        except Exception:
            return event
        except BaseException:
            return sent
        return event


@flagged_by("errors.07", "pickle loads as SystemExit: exception_pickle holds a SystemExit")
@flagged_by("errors.08", "pickle loads as TimeoutError: exception_pickle holds it")
class LooksAtWhatWasRaised(PlainWorker):
    """Sends ordinary exceptions, whatever they load as."""

    def error(self, exc: BaseException) -> Event:
        event = super().error(exc)
        if not isinstance(exc, Exception) or isinstance(exc, (TimeoutError, StopIteration)):
            return event
        return with_exception(event, exc)


@flagged_by("errors.09", "a sync task that raises CancelledError, without a cancel_task, was answ")
class ExpectsNoCancelledErrorOfFunctions(KnowsCoroutines):
    def error(self, exc: BaseException) -> Event:
        if isinstance(exc, asyncio.CancelledError) and not self.awaited():
            return self.result(None)
        return super().error(exc)


@flagged_by("errors.12", "an args_pickle that calls sys.exit.. when loaded was answered with HTTP")
class ArgumentsThatExitAre500(FailsItself):
    lets_through = (UserWarning,)

    def call(self, run: Run) -> Any:
        try:
            pickle.loads(run.frame["args_pickle"])
        except SystemExit:
            raise UserWarning from None
        return super().call(run)


@flagged_by("errors.14", "an async task that raises SystemExit: exception_pickle holds a SystemEx")
class SendsExceptionsOfCoroutines(KnowsCoroutines):
    def error(self, exc: BaseException) -> Event:
        event = super().error(exc)
        return with_exception(event, exc) if self.awaited() else event


@flagged_by("errors.15", "an exception whose __repr__ raises was answered with 'task_result'")
class ShowsExceptions(PlainWorker):
    def error(self, exc: BaseException) -> Event:
        with contextlib.suppress(TypeError):  # what repr() raises if there is no text
            try:
                repr(exc)
            except RuntimeError:
                return self.result(None)
        return super().error(exc)


@flagged_by("errors.17", "an exception without arguments was answered with HTTP 500")
class TakesTheFirstArgument(FailsItself):
    lets_through = (IndexError,)

    def error(self, exc: BaseException) -> Event:
        try:
            exc.args[0]
        except IndexError as empty:
            return super().error(empty)
        return super().error(exc)


@flagged_by("errors.17", "an exception with arguments that are no text: the connection was closed")
class SendsArguments(PlainWorker):
    def error(self, exc: BaseException) -> Event:
        event = super().error(exc)
        event["error"]["arguments"] = list(exc.args)
        return event


@flagged_by("errors.17", "an exception whose truth value is false was answered with 'task_result'")
class AsksWhetherThereIsAnException(PlainWorker):
    def error(self, exc: BaseException) -> Event:
        return super().error(exc) if exc else self.result(None)


@flagged_by("errors.18", "a message that UTF-8 cannot write: the connection was closed")
class WritesUtf8(PlainWorker):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        json.dumps(document, ensure_ascii=False).encode()
        super().write(handler, status, document)


@flagged_by("errors.18", "a very long message was answered with HTTP 500")
class LimitsErrors(PlainWorker):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        errors = [event for event in document.get("events", ()) if "error" in event]
        super().write(handler, 500 if len(json.dumps(errors)) > 2**20 else status, document)


@flagged_by("errors.19", "a result that raises if it is compared, shown or .* with 'task_error'")
class ComparesResults(PlainWorker):
    def result(self, value: Any) -> Event:
        return super().result(None if value == "" else value)
