"""Workers with one planted defect each, and the case that must flag it in words that name it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import inspect
import json
import pickle
import socket
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import HTTPServer
from typing import Any

import cloudpickle

from tests.conformance.plain_worker import (
    SECRET,
    Event,
    Frame,
    Handler,
    PlainWorker,
    Run,
    Server,
    hang_up,
)


@dataclass(frozen=True)
class Defect:
    """``worker`` must fall short in ``case``, in words that match ``says``."""

    worker: type[PlainWorker]
    case: str
    says: str


DEFECTS: list[Defect] = []


def flagged_by(case: str, says: str) -> Any:
    """Plant the decorated worker's defect."""

    def plant(worker: type[PlainWorker]) -> type[PlainWorker]:
        DEFECTS.append(Defect(worker, case, says))
        return worker

    return plant


# Transport


@flagged_by("transport.03", "Content-Type is 'text/html'")
class TextHtml(PlainWorker):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        data = json.dumps(document).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "text/html")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


@flagged_by("transport.04", "in 4 pieces")
class ReadsOnce(PlainWorker):
    def read(self, handler: Handler) -> bytes:
        return handler.rfile.read1(int(handler.headers["Content-Length"]))


class ServesGet(PlainWorker):
    """Takes every method for a POST."""

    def __init__(self) -> None:
        super().__init__()
        handler: Any = self.server.RequestHandlerClass
        handler.do_GET = handler.do_POST

    def decode(self, body: bytes) -> Frame:
        return super().decode(body) if body else {"type": "cancel_task", "run_id": ""}

    def cancel(self, frame: Frame) -> list[Event]:
        return super().cancel(frame) if frame["run_id"] else []


DEFECTS.append(Defect(ServesGet, "transport.05", "a GET was answered with HTTP 200"))


class OneAtATime(Server):
    def process_request(self, request: Any, client_address: Any) -> None:
        HTTPServer.process_request(self, request, client_address)


@flagged_by("transport.06", "20 silent connections")
class ServesOneConnection(PlainWorker):
    server_class = OneAtATime


# Authentication


@flagged_by("auth.02", "callable_pickle of an unverified request was unpickled")
class UnpicklesFirst(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        with contextlib.suppress(Exception):
            pickle.loads(base64.b64decode(json.loads(body)["callable_pickle"]))
        super().verify(headers, target, body)


@flagged_by("auth.02", "args_pickle of an unverified request was unpickled")
class UnpicklesArgumentsFirst(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        with contextlib.suppress(Exception):
            pickle.loads(base64.b64decode(json.loads(body)["args_pickle"]))
        super().verify(headers, target, body)


@flagged_by("auth.03", "a body changed after it was signed was accepted")
class IgnoresBody(PlainWorker):
    """Signs no body: compares with a signature for whatever the client says it signed."""

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        for body_that_fits in (body, body.replace(b'"task_id":"c', b'"task_id":"C')):
            with contextlib.suppress(PermissionError):
                return super().verify(headers, target, body_that_fits)
        raise PermissionError("wrong signature")


@flagged_by("auth.04", "a query that the signature does not cover")
@flagged_by("auth.05", "the query is not part of what is verified")
class IgnoresQuery(PlainWorker):
    def target(self, handler: Handler) -> str:
        return handler.path.partition("?")[0]


@flagged_by("auth.06", "an unknown X-Wove-Key was accepted")
class IgnoresKey(PlainWorker):
    def check_key(self, key: str) -> None:
        return


@flagged_by("auth.07", "a signature made with a wrong secret was accepted")
class IgnoresSignature(PlainWorker):
    def expected(self, headers: Mapping[str, str], target: str, body: bytes) -> str:
        return headers.get("X-Wove-Signature", "")


@flagged_by("auth.08", "a request without X-Wove-Signature was accepted")
class OptionalSignature(PlainWorker):
    def expected(self, headers: Mapping[str, str], target: str, body: bytes) -> str:
        if "X-Wove-Signature" not in headers:
            return ""
        return super().expected(headers, target, body)


@flagged_by("auth.10", "a cancel_task without credentials was accepted")
class CancelsForAnybody(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        if b'"cancel_task"' not in body:
            super().verify(headers, target, body)


@flagged_by("auth.11", "replayed request was accepted on the same connection")
@flagged_by("auth.12", "a replayed request was accepted on another connection")
class AcceptsReplays(PlainWorker):
    def check_nonce(self, nonce: str) -> None:
        if not nonce:
            raise PermissionError("no nonce")


@flagged_by("auth.12", "a replayed request was accepted on another connection")
class RemembersPerConnection(PlainWorker):
    """As several processes do that share no memory."""

    def serve(self, handler: Handler) -> None:
        self.nonces = handler.__dict__.setdefault("nonces", set())
        super().serve(handler)


@flagged_by("auth.13", "of 6 copies of one request, [2-6] were accepted")
class ChecksThenActs(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.meeting = threading.Barrier(6)

    def check_nonce(self, nonce: str) -> None:
        if nonce in self.nonces:
            raise PermissionError("replayed")
        if self.nonces:  # not the gates' requests, which come alone
            with contextlib.suppress(threading.BrokenBarrierError):
                self.meeting.wait(0.2)
            if self.meeting.broken:
                self.meeting.reset()
        self.nonces.add(nonce)


@flagged_by("auth.14", "an expired timestamp .* was accepted")
class NeverExpires(PlainWorker):
    def check_timestamp(self, text: str) -> None:
        if float(text) > time.time() + 300:
            raise PermissionError("future")


@flagged_by("auth.15", "a future timestamp .* was accepted")
class AcceptsTheFuture(PlainWorker):
    def check_timestamp(self, text: str) -> None:
        if float(text) < time.time() - 300:
            raise PermissionError("expired")


@flagged_by("auth.16", "the timestamp 'nan' was accepted")
class AcceptsNan(PlainWorker):
    def check_timestamp(self, text: str) -> None:
        if abs(float(text) - time.time()) > 300:
            raise PermissionError("expired")


@flagged_by("auth.17", "the timestamp 'yesterday' was accepted")
class AcceptsWords(PlainWorker):
    def check_timestamp(self, text: str) -> None:
        with contextlib.suppress(ValueError):
            float(text)


@flagged_by("auth.18", "a non-ASCII X-Wove-Signature: the connection was closed")
class DiesOfNonAscii(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        hmac.compare_digest(headers.get("X-Wove-Signature", ""), "")
        super().verify(headers, target, body)


@flagged_by("auth.18", "a non-ASCII X-Wove-Signature made the service fail")
class FailsOnNonAscii(PlainWorker):
    def serve(self, handler: Handler) -> None:
        if not handler.headers.get("X-Wove-Signature", "").isascii():
            self.read(handler)
            self.write(handler, 500, {"error": "oops"})
            return
        super().serve(handler)


@flagged_by("auth.19", "a wrong signature: HTTP 500")
class RefusesWith500(PlainWorker):
    def refuse(self, handler: Handler, error: PermissionError) -> None:
        self.write(handler, 500, {"error": str(error)})


@flagged_by("auth.19", "no credentials: the connection was closed without an answer")
class HangsUpOnStrangers(PlainWorker):
    def refuse(self, handler: Handler, error: PermissionError) -> None:
        hang_up(handler)


@flagged_by("auth.20", "holds the secret")
class TellsSecret(PlainWorker):
    def refuse(self, handler: Handler, error: PermissionError) -> None:
        self.write(handler, 401, {"error": f"not signed with {SECRET}"})


@flagged_by("auth.20", "holds the signature that it expected")
class TellsExpectedSignature(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        try:
            super().verify(headers, target, body)
        except PermissionError:
            right = self.expected(headers, target, body)
            raise PermissionError(f"expected {right}") from None


@flagged_by("auth.21", "holds a traceback")
class ShowsTraceback(PlainWorker):
    def refuse(self, handler: Handler, error: PermissionError) -> None:
        self.write(handler, 401, {"error": "".join(traceback.format_exception(error))})


# Frames


@flagged_by("frames.01", "the answer is not JSON")
class AnswersText(PlainWorker):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        data = repr(document).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


@flagged_by("frames.02", "no terminal frame: 'task_started'")
class NoTerminal(PlainWorker):
    def events(self, run: Run) -> list[Event]:
        return [{"type": "task_started"}]


@flagged_by("frames.02", "2 terminal frames")
class TwoTerminals(PlainWorker):
    def events(self, run: Run) -> list[Event]:
        return [*super().events(run), run.outcome]


@flagged_by("frames.03", "has a wrong run_id")
class OwnRunId(PlainWorker):
    def ids(self, frame: Frame) -> Event:
        return {**super().ids(frame), "run_id": "run-1"}


@flagged_by("frames.03", "has no run_id")
class NoRunId(PlainWorker):
    def ids(self, frame: Frame) -> Event:
        return {"task_id": frame["task_id"]}


@flagged_by("frames.04", "has a wrong task_id")
class OwnTaskId(PlainWorker):
    def ids(self, frame: Frame) -> Event:
        return {**super().ids(frame), "task_id": "task"}


@flagged_by("frames.05", "has a wrong run_id")
class AsciiIds(PlainWorker):
    def ids(self, frame: Frame) -> Event:
        return {
            name: value.encode("ascii", "replace").decode()
            for name, value in super().ids(frame).items()
        }


@flagged_by("frames.06", "the terminal frame is not the last one")
class StartedLast(PlainWorker):
    def events(self, run: Run) -> list[Event]:
        return [run.outcome, {"type": "task_started"}]


@flagged_by("frames.07", "unknown event types: 'task_started', 'progress'")
class OwnEventTypes(PlainWorker):
    def events(self, run: Run) -> list[Event]:
        return [{"type": "task_started"}, {"type": "progress"}, run.outcome]


@flagged_by("frames.08", "a run_task with more fields was answered with HTTP 400")
class KnowsAllFields(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        frame = super().decode(body)
        if any("extra" in name for name in frame):
            raise ValueError("unknown field")
        return frame


class Lenient(PlainWorker):
    """Answers a bad frame with 200 and no word."""

    def write(self, handler: Handler, status: int, document: Any) -> None:
        super().write(handler, 200 if status == 400 else status, document if status == 200 else {})


@flagged_by("frames.09", "an empty body was not rejected")
class AnswersMalformedJson(Lenient):
    pass


@flagged_by("frames.10", "JSON that is a list was not rejected")
class AnswersLists(Lenient):
    pass


@flagged_by("frames.11", "a run_task without type was not rejected")
class AnswersMissingFields(Lenient):
    pass


@flagged_by("frames.12", "which is not base64, was not rejected")
class AnswersBadBase64(Lenient):
    pass


@flagged_by("frames.13", "a frame of unknown type 'run_everything' was not rejected")
class RunsEverything(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        frame = json.loads(body)
        if isinstance(frame, dict) and frame.get("type") == "run_everything":
            frame["type"] = "run_task"
        return super().decode(json.dumps(frame).encode())


@flagged_by("frames.14", "malformed JSON: HTTP 500")
class BadFrameIs500(PlainWorker):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        super().write(handler, 500 if status == 400 else status, document)


@flagged_by("frames.09", "the connection was closed without an answer")
class DiesOfMalformedJson(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        try:
            return super().decode(body)
        except ValueError as exc:
            raise RuntimeError from exc


# Runs


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


# Errors


class Hanging(PlainWorker):
    """Has something to wait for that comes when the test is over."""

    def __init__(self) -> None:
        super().__init__()
        self.never = threading.Event()

    def __exit__(self, *_: object) -> None:
        self.never.set()
        super().__exit__()


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


@flagged_by("errors.09", "was answered with 'task_cancelled'")
class CancelledErrorIsCancelled(PlainWorker):
    def error(self, exc: BaseException) -> Event:
        if isinstance(exc, asyncio.CancelledError):
            return {"type": "task_cancelled"}
        return super().error(exc)


@flagged_by("errors.10", "a callable that cannot be imported was answered with HTTP 500")
class UnimportableIs500(FailsItself):
    lets_through = (ModuleNotFoundError,)


@flagged_by("errors.11", "a callable_pickle that is no pickle was answered with HTTP 500")
class BrokenPickleIs500(FailsItself):
    lets_through = (pickle.UnpicklingError, EOFError)


@flagged_by("errors.12", "a pickle that calls sys.exit.. when loaded was answered with HTTP 500")
class ExitOnLoadIs500(FailsItself):
    lets_through = (SystemExit,)


# Cancelling


class NeverAnswersCancel(Hanging):
    def answer_cancel(self, handler: Handler, frame: Frame) -> None:
        self.never.wait(30)


DEFECTS.append(
    Defect(NeverAnswersCancel, "cancel.01", "a best_effort cancel_task: no whole answer")
)
DEFECTS.append(
    Defect(NeverAnswersCancel, "cancel.04", "a best_effort cancel_task: no whole answer")
)


@flagged_by("cancel.02", "was answered without a terminal frame")
class ForgetsCancelledRuns(PlainWorker):
    def events(self, run: Run) -> list[Event]:
        return [{"type": "task_started"}] if run.cancelled else super().events(run)


@flagged_by("cancel.03", "an async task still ran 1 s after its cancel_task")
@flagged_by("cancel.08", "did not stop an async task")
class IgnoresCancels(PlainWorker):
    def stop(self, run: Run) -> None:
        return


@flagged_by("cancel.04", "made the service fail: HTTP 500")
class UnknownRunIs500(PlainWorker):
    def answer_cancel(self, handler: Handler, frame: Frame) -> None:
        if frame["run_id"] not in self.runs:
            self.write(handler, 500, {})
        else:
            super().answer_cancel(handler, frame)


@flagged_by("cancel.05", "had finished was acknowledged as cancelled")
class AcknowledgesEverything(PlainWorker):
    def cancel(self, frame: Frame) -> list[Event]:
        super().cancel(frame)
        return [{"type": "task_cancelled", **self.ids(frame)}]


@flagged_by("cancel.06", "require_ack was answered before the task had stopped: the cancel_task")
@flagged_by("cancel.07", "require_ack was answered before the task had stopped: the cancel_task")
class AcknowledgesEarly(PlainWorker):
    def acknowledge(self, run: Run) -> list[Event]:
        return [{"type": "task_cancelled", **self.ids(run.frame)}]


@flagged_by("cancel.06", "require_ack was answered before the task had stopped: the cancel_task")
class AcknowledgesAfterAGrace(PlainWorker):
    def acknowledge(self, run: Run) -> list[Event]:
        run.ended.wait(1.0)
        return [{"type": "task_cancelled", **self.ids(run.frame)}]


@flagged_by("cancel.06", "require_ack was answered before the task had stopped: the run_task")
class SettlesEarly(PlainWorker):
    def acknowledge(self, run: Run) -> list[Event]:
        run.settle({"type": "task_cancelled"})
        return []


@flagged_by("cancel.09", "a cancel_task for one run (stopped|ended) another")
class CancelsEverything(PlainWorker):
    def cancel(self, frame: Frame) -> list[Event]:
        for run in list(self.runs.values()):
            self.stop(run)
            run.settle({"type": "task_cancelled"})
        return []


@flagged_by(
    "cancel.10", "a cancel_task without run_id made the service fail|closed without an answer"
)
class MalformedCancelKills(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        try:
            return super().decode(body)
        except KeyError as exc:
            raise RuntimeError from exc


# Concurrency


class Serial(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.turn = threading.Lock()

    def call(self, run: Run) -> Any:
        with self.turn:
            return super().call(run)


DEFECTS.append(Defect(Serial, "concurrency.01", "the runs are not parallel: of 2 tasks"))
DEFECTS.append(Defect(Serial, "concurrency.02", "the runs are not parallel: of 8 tasks"))
DEFECTS.append(Defect(Serial, "concurrency.04", "while another task runs"))


class FourAtOnce(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.places = threading.Semaphore(4)

    def call(self, run: Run) -> Any:
        with self.places:
            return super().call(run)


DEFECTS.append(Defect(FourAtOnce, "concurrency.02", "only 4 ran at once"))


@flagged_by("concurrency.03", "parallel runs are mixed up")
class SharedResult(PlainWorker):
    """Keeps the result of a run where the next one overwrites it."""

    last: Event

    def __init__(self) -> None:
        super().__init__()
        self.meeting = threading.Barrier(2)

    def events(self, run: Run) -> list[Event]:
        self.last = run.outcome
        with contextlib.suppress(threading.BrokenBarrierError):
            self.meeting.wait(0.2)
        self.meeting.reset() if self.meeting.broken else None
        return [{"type": "task_started"}, self.last]


# Limits


@flagged_by("limits.01", "deeply nested JSON: the connection was closed")
class DiesOfDepth(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        try:
            return super().decode(body)
        except RecursionError as exc:
            raise RuntimeError from exc


class Mortal(PlainWorker):
    """Hangs up on everybody once it was hurt."""

    dead = False

    def serve(self, handler: Handler) -> None:
        if self.dead:
            hang_up(handler)
        else:
            super().serve(handler)


@flagged_by("limits.02", "after an oversized request head, the next task did not run")
class DiesOfLargeHeads(Mortal):
    def rejects(self, code: int) -> None:
        self.dead = True


@flagged_by("limits.03", "after a request that was cut off, the next task did not run")
class DiesOfHalfRequests(Mortal):
    def read(self, handler: Handler) -> bytes:
        body = super().read(handler)
        self.dead = len(body) < int(handler.headers["Content-Length"])
        return body


@flagged_by("limits.04", "after a client that hung up, the next task did not run")
class DiesOfClientsThatLeave(Mortal):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        with contextlib.suppress(OSError):
            handler.connection.settimeout(0.05)
            self.dead = not handler.connection.recv(1, socket.MSG_PEEK)
        super().write(handler, status, document)


@flagged_by("limits.05", "the run_task POST: the connection was closed")
class DiesOfTheFiftiethRun(Mortal):
    served = 0

    def run(self, frame: Frame) -> list[Event]:
        self.served += 1
        self.dead = self.served > 50
        return super().run(frame)


class GrowingNonces(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.nonces = []

    def check_nonce(self, nonce: str) -> None:
        with self.lock:
            mark = hashlib.sha256(nonce.encode()).hexdigest()
            if any(hmac.compare_digest(mark, seen) for seen in self.nonces):
                raise PermissionError("replayed")
            self.nonces.append(mark)


DEFECTS.append(Defect(GrowingNonces, "limits.06", "its time grows with the nonces remembered"))
