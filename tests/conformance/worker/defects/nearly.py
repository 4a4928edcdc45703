"""Workers that are right nearly always: for other targets, keys and nonces, for what fails, prints,
exits, or looks like something else."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import pickle
import threading
import time
from collections.abc import Mapping
from typing import Any

import cloudpickle

from tests.conformance.worker.defects.base import Hanging, flagged_by
from tests.conformance.worker.plain_worker import Event, Frame, Handler, PlainWorker, Run

STAMP, NONCE = "X-Wove-Timestamp", "X-Wove-Nonce"


@flagged_by("auth.03", "at its end that is not UTF-8. after it was signed was accepted")
class ReadsWhatIsText(PlainWorker):
    def read(self, handler: Handler) -> bytes:
        return super().read(handler).decode("utf-8", "ignore").encode()


@flagged_by("auth.04", "signed for '/wove/tasks' and sent to '/wove/tasks/' was accepted")
class TrimsSlashes(PlainWorker):
    def target(self, handler: Handler) -> str:
        path, mark, query = handler.path.partition("?")
        return f"{path.rstrip('/')}{mark}{query}"


@flagged_by("auth.04", r"a=1&b=2' and sent to '/wove/tasks\?b=2&a=1' was accepted")
class SortsTheQuery(PlainWorker):
    def target(self, handler: Handler) -> str:
        path, mark, query = handler.path.partition("?")
        return f"{path}{mark}{'&'.join(sorted(query.split('&')))}"


@flagged_by("auth.06", "right X-Wove-Key in other letters was accepted")
class KnowsKeysInAnyLetters(PlainWorker):
    def check_key(self, key: str) -> None:
        super().check_key(key.lower())


@flagged_by("auth.06", "right X-Wove-Key with more behind it was accepted")
class KnowsKeysByTheirBeginning(PlainWorker):
    def check_key(self, key: str) -> None:
        super().check_key(key[: len("default")])


@flagged_by("auth.08", "empty X-Wove-Timestamp, which the signature covers as empty, was accepted")
class TakesNoTimestampForNow(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        super().verify({STAMP: "", **headers}, target, body)

    def check_timestamp(self, text: str) -> None:
        super().check_timestamp(text or str(time.time()))


@flagged_by("auth.08", "without X-Wove-Nonce, signed as if it were empty, was accepted")
class TakesNoNonceForNew(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        if headers.get(NONCE, "missing") == "":
            raise PermissionError("an empty nonce")
        super().verify({NONCE: "", **headers}, target, body)

    def check_nonce(self, nonce: str) -> None:
        if nonce:
            super().check_nonce(nonce)


@flagged_by("auth.08", "request to '/wove/tasks/' without any credentials was accepted")
class GuardsOnePath(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        if target.partition("?")[0] == "/wove/tasks":
            super().verify(headers, target, body)


@flagged_by("auth.28", "was unpickled before its timestamp was checked")
class LoadsBeforeTheClock(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        sent = headers.get("X-Wove-Signature", "").encode("utf-8", "replace")
        if sent == self.expected(headers, target, body).encode():
            with contextlib.suppress(Exception):
                pickle.loads(self.decode(body)["callable_pickle"])
        super().verify(headers, target, body)


@flagged_by("auth.28", "a replayed request was unpickled before its nonce was checked")
class LoadsBeforeTheNonce(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        try:
            super().verify(headers, target, body)
        except PermissionError as exc:
            if str(exc) == "replayed":
                with contextlib.suppress(Exception):
                    pickle.loads(self.decode(body)["callable_pickle"])
            raise


class Forgives(PlainWorker):
    """Forgets the nonce of a request whose run came to nothing."""

    forgiven: tuple[str, ...] = ()
    here = threading.local()

    def serve(self, handler: Handler) -> None:
        self.here.nonce = handler.headers.get(NONCE, "")
        super().serve(handler)

    def shape(self, events: list[Event]) -> Any:
        if any(event["type"] in self.forgiven for event in events):
            with self.lock:
                self.nonces.discard(self.here.nonce)
        return super().shape(events)


@flagged_by("auth.29", "whose task had failed was accepted")
class ForgivesFailures(Forgives):
    forgiven = ("task_error",)


@flagged_by("auth.29", "whose run had been cancelled was accepted")
class ForgivesCancels(Forgives):
    forgiven = ("task_cancelled",)


@flagged_by("auth.30", "one more X-Wove-Nonce before its own")
class RemembersTheFirstOfTwo(PlainWorker):
    def serve(self, handler: Handler) -> None:
        self.first = handler.headers.get(NONCE, "")
        super().serve(handler)

    def check_nonce(self, nonce: str) -> None:
        super().check_nonce(self.first)


@flagged_by("auth.31", "one with wrong credentials was accepted on it")
class TrustsConnections(PlainWorker):
    def serve(self, handler: Handler) -> None:
        self.handler = handler
        super().serve(handler)

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        handler = self.handler
        if not getattr(handler, "trusted", False):
            super().verify(headers, target, body)
            handler.trusted = True  # type: ignore[attr-defined]


@flagged_by("transport.05", "a PUT was answered with HTTP 200")
class TakesAnyMethod(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        handler: Any = self.server.RequestHandlerClass
        handler.do_PUT = handler.do_POST


@flagged_by("transport.07", "more bytes than the Content-Length of the answer says")
class CountsTooFew(PlainWorker):
    def refuse(self, handler: Handler, error: PermissionError) -> None:
        data = json.dumps({"error": str(error)}).encode()
        handler.send_response(401)
        handler.send_header("Content-Length", "5")
        handler.end_headers()
        handler.wfile.write(data)


@flagged_by("transport.07", "after a GET with a body, a good one on the same connection")
class LeavesBodiesOfGets(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        handler: Any = self.server.RequestHandlerClass
        handler.do_GET = lambda it: self.write(it, 405, {"error": "only POST"})


@flagged_by("run.10", "a task that fails with a ConnectionError was sent once and ran 2 times")
class TriesAgainAfterTheNetwork(PlainWorker):
    def call(self, run: Run) -> Any:
        try:
            return super().call(run)
        except OSError:
            return super().call(run)


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


@flagged_by("errors.10", "cannot be imported .wove_conformance_no_such_name.")
class ExpectsImportErrors(Hanging):
    def call(self, run: Run) -> Any:
        try:
            return super().call(run)
        except AttributeError:
            self.never.wait()
            raise


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


@flagged_by("cancel.09", "the newer one of two runs stopped the other")
class CancelsTheOldest(PlainWorker):
    def cancel(self, frame: Frame) -> list[Event]:
        known = frame["run_id"] in self.runs
        oldest = next(iter(self.runs), "") if known else frame["run_id"]
        return super().cancel({**frame, "run_id": oldest})


@flagged_by("cancel.12", "run_id without its last letter stopped a run")
class CancelsByTheBeginning(PlainWorker):
    def cancel(self, frame: Frame) -> list[Event]:
        found = [run_id for run_id in self.runs if run_id.startswith(frame["run_id"])]
        return super().cancel({**frame, "run_id": (*found, frame["run_id"])[0]})


@flagged_by("cancel.13", "answered with 'task_result', and the run ended in 'task_cancelled'")
class AnswersCancelsWithResults(PlainWorker):
    def cancel(self, frame: Frame) -> list[Event]:
        known = frame["run_id"] in self.runs
        super().cancel({**frame, "delivery_cancel_mode": "best_effort"})
        return [{**self.result(None), **self.ids(frame)}] if known else []


@flagged_by("cancel.14", "while 8 tasks ran, a cancel_task was not answered")
class HasEightHands(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.hands = threading.Semaphore(8)

    def serve(self, handler: Handler) -> None:
        with self.hands:
            super().serve(handler)


@flagged_by("limits.07", r"threads grow with its runs: .* failed runs")
class KeepsAThreadForEachFailure(Hanging):
    def error(self, exc: BaseException) -> Event:
        threading.Thread(target=self.never.wait, args=(30,), daemon=True).start()
        return super().error(exc)


@flagged_by("limits.07", r"threads grow with its requests: .* refused requests")
class KeepsAThreadForEachRefusal(Hanging):
    def refuse(self, handler: Handler, error: PermissionError) -> None:
        threading.Thread(target=self.never.wait, args=(30,), daemon=True).start()
        super().refuse(handler, error)
