"""Faults that a user defines, stage by stage, tested from the client's side."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from wove.environment import EnvironmentExecutionError

from tests.faults.helpers import Teapot
from tests.support import (
    TIMEOUT,
    HttpResponse,
    MakeWorker,
    answer,
    cancel_frame,
    connect,
    lasting,
    parse_responses,
    read_all,
    run_frame,
    send_raw,
    signed_bytes,
    signed_request,
    weave_one,
)
from wove_http_dev.errors import UsageError
from wove_http_dev.faults import FAULTS
from wove_http_dev.faults.fault import (
    AuthStage,
    CancelStage,
    Connection,
    EventsStage,
    Fault,
    ResponseStage,
    RunStage,
    Waiting,
    Wire,
    Worker,
)
from wove_http_dev.fields import field
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.protocol.frames import Event
from wove_http_dev.protocol.messages import Reply
from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.worker import HttpWorker

# One fault per stage, each with an effect that no worker has by itself.


@dataclass(frozen=True)
class Banner(Fault):
    """Sends bytes before any request and closes the connection."""

    stage: ClassVar[str] = "connection"
    text: str = field("busy", "what is said")

    def on_connection(self, connection: Connection) -> None:
        connection.send(self.text.encode())
        connection.close()


@dataclass(frozen=True)
class RunsTwice(Fault):
    """Runs the body a second time, and answers with that outcome."""

    stage: ClassVar[str] = "run"
    command: ClassVar[str | None] = "run_task"

    def on_run(self, stage: RunStage) -> Outcome:
        stage.proceed()
        return stage.again()


@dataclass(frozen=True)
class MockCancel(Fault):
    """Answers a cancel with a heartbeat."""

    stage: ClassVar[str] = "run"
    command: ClassVar[str | None] = "cancel_task"

    def on_cancel(self, stage: CancelStage) -> list[Event]:
        return [{"type": "heartbeat", "run_id": stage.run_id}]


@dataclass(frozen=True)
class Renamed(Fault):
    """Changes the task id in every event."""

    stage: ClassVar[str] = "events"

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        return [{**event, "task_id": stage.run.task_id.upper()} for event in events]


@dataclass(frozen=True)
class Document(Fault):
    """Answers with a JSON document that is not a list of events."""

    stage: ClassVar[str] = "events"

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        return {"outcome": stage.outcome.kind}


@dataclass(frozen=True)
class Accepted(Fault):
    """Answers 202 to everything."""

    stage: ClassVar[str] = "response"
    code: int = field(202, "the status")

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        reply.status = self.code
        reply.headers.append(("X-Method", stage.request.method))
        return reply


@dataclass(frozen=True)
class OneByte(Fault):
    """Writes its response in single bytes."""

    stage: ClassVar[str] = "wire"

    def on_wire(self, wire: Wire) -> None:
        for byte in wire.head + wire.body:
            wire.send(bytes([byte]))


@dataclass(frozen=True)
class CutOff(Fault):
    """Writes the head and closes."""

    stage: ClassVar[str] = "wire"

    def on_wire(self, wire: Wire) -> None:
        wire.send(wire.head)
        wire.close()


@dataclass(frozen=True)
class Reset(Fault):
    """Resets the connection instead of responding."""

    stage: ClassVar[str] = "wire"

    def on_wire(self, wire: Wire) -> None:
        wire.reset()


@dataclass(frozen=True)
class Broken(Fault):
    """Raises an exception."""

    stage: ClassVar[str] = "run"

    def on_run(self, stage: RunStage) -> Outcome:
        raise ZeroDivisionError("in the fault")


@dataclass(frozen=True)
class NeedsTls(Fault):
    """Applies only to a worker with TLS."""

    stage: ClassVar[str] = "response"

    def cannot_apply(self, worker: Worker) -> str | None:
        return None if worker.tls else "there is no TLS"


def ask(worker: HttpWorker, *, task: str = "task") -> HttpResponse:
    return signed_request(worker, run_frame(answer, task=task))


both = pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])


@both
def test_connection_stage(make_worker: MakeWorker, tls: bool) -> None:
    """A connection fault writes below TLS, before any byte is read."""
    worker = make_worker(tls=tls)
    worker.inject(Banner("go away"))
    with socket.create_connection(("127.0.0.1", worker.port), TIMEOUT) as sock:
        assert read_all(sock) == b"go away"


def test_auth_stage(worker: HttpWorker) -> None:
    """An auth fault gives the verdict."""
    worker.inject(Teapot())
    assert (ask(worker).status, ask(worker).error) == (418, "a teapot")


class Counted:
    calls = 0


def counted() -> int:
    Counted.calls += 1
    return Counted.calls


def test_run_stage(worker: HttpWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run fault determines the outcome; here it is that of a second run."""
    monkeypatch.setattr(Counted, "calls", 0)
    worker.inject(RunsTwice())
    assert signed_request(worker, run_frame(counted)).result == 2


def test_cancel_stage(worker: HttpWorker) -> None:
    """A run fault can act on cancels."""
    worker.inject(MockCancel())
    assert signed_request(worker, cancel_frame("r-1")).events == [
        {"type": "heartbeat", "run_id": "r-1"}
    ]


def test_events_stage(worker: HttpWorker) -> None:
    """An events fault changes the event frames."""
    worker.inject(Renamed())
    assert {event["task_id"] for event in ask(worker, task="job").events} == {"JOB"}


@pytest.mark.parametrize("shape", ["events", "list", "frame"])
def test_events_stage_document(make_worker: MakeWorker, shape: str) -> None:
    """A document that is not a list of frames is sent unchanged, whatever the response shape."""
    worker = make_worker(response_shape=shape)
    worker.inject(Document())
    assert ask(worker).document == {"outcome": "result"}


def test_response_stage(worker: HttpWorker) -> None:
    """A response fault changes the status and headers, and can read the request."""
    worker.inject(Accepted())
    answered = ask(worker)
    assert (answered.status, answered.headers["x-method"]) == (202, "POST")


@both
def test_wire_stage_sends(make_worker: MakeWorker, tls: bool) -> None:
    """A wire fault writes the bytes itself."""
    worker = make_worker(tls=tls)
    worker.inject(OneByte())
    assert ask(worker).result == 42


@both
def test_wire_stage_closes(make_worker: MakeWorker, tls: bool) -> None:
    """A wire fault may close before the response is complete."""
    worker = make_worker(tls=tls)
    worker.inject(CutOff())
    data = send_raw(worker, signed_bytes(worker, run_frame(answer)))
    assert data.endswith(b"\r\n\r\n")


@both
def test_wire_stage_resets(make_worker: MakeWorker, tls: bool) -> None:
    """A wire fault may reset the connection."""
    worker = make_worker(tls=tls)
    worker.inject(Reset())
    with connect(worker) as sock:
        sock.sendall(signed_bytes(worker, run_frame(answer)))
        with pytest.raises(ConnectionResetError):
            socket.socket.recv(sock, 1)  # below TLS, where a reset is not made an end of file


def test_stages_combine(worker: HttpWorker) -> None:
    """One injection may hold a fault for each of several stages."""
    worker.inject(Renamed(), Accepted(), OneByte())
    answered = ask(worker, task="job")
    assert (answered.status, answered.events[0]["task_id"]) == (202, "JOB")


def test_injections_combine(worker: HttpWorker) -> None:
    """Several injections may act on one request."""
    worker.inject(Renamed())
    worker.inject(Accepted())
    answered = ask(worker, task="job")
    assert (answered.status, answered.events[0]["task_id"]) == (202, "JOB")


def test_earlier_injection_takes_the_stage(worker: HttpWorker) -> None:
    """Of two injections for one stage the earlier one acts until its ``times`` are used up."""
    worker.inject(Accepted(201), times=1)
    worker.inject(Accepted(203), times=1)
    assert [ask(worker).status for _ in range(3)] == [201, 203, 200]


def test_executor_sees_the_fault(wove_http_worker: HttpWorker) -> None:
    """Wove's executor reports the fault as it would a real worker's failure."""
    wove_http_worker.inject(Teapot())
    with pytest.raises(EnvironmentExecutionError, match="418"):
        weave_one(answer)


# Selection


def statuses(worker: HttpWorker, *tasks: str) -> list[int]:
    return [ask(worker, task=task).status for task in tasks]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({}, [202, 202, 202]),
        ({"times": 1}, [202, 200, 200]),
        ({"after": 1}, [200, 202, 202]),
        ({"after": 1, "times": 1}, [200, 202, 200]),
        ({"task": "b"}, [200, 202, 200]),
        ({"task": "[bc]"}, [200, 202, 202]),
        ({"task": "[bc]", "after": 1}, [200, 200, 202]),
        ({"command": "cancel_task"}, [200, 200, 200]),
        ({"probability": 0.0}, [200, 200, 200]),
    ],
)
def test_selection(worker: HttpWorker, words: dict[str, Any], expected: list[int]) -> None:
    """The selector words decide which requests are hit."""
    worker.inject(Accepted(), **words)
    assert statuses(worker, "a", "b", "c") == expected


def test_probability_is_repeatable(make_worker: MakeWorker) -> None:
    """The same seed hits the same requests."""
    drawn = []
    for _ in range(2):
        worker = make_worker(tls=False)
        worker.inject(Accepted(), probability=0.5, seed=7)
        drawn.append(statuses(worker, *["a"] * 20))
    assert drawn[0] == drawn[1]


def test_probability_draws(make_worker: MakeWorker) -> None:
    """``probability=0.5`` hits some requests and not others."""
    worker = make_worker(tls=False)
    worker.inject(Accepted(), probability=0.5, seed=7)
    assert set(statuses(worker, *["a"] * 20)) == {200, 202}


def test_times_under_concurrency(plain_worker: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """``times`` is exact for concurrent requests."""
    plain_worker.inject(Accepted(), times=5)
    answers = pool.map(lambda _: ask(plain_worker).status, range(40), timeout=TIMEOUT)
    assert list(answers).count(202) == 5


def test_hits_are_counted(worker: HttpWorker) -> None:
    """``Injection.hits`` counts the requests that were hit."""
    injection = worker.inject(Accepted(), task="a")
    statuses(worker, "a", "b", "a")
    assert injection.hits == 2


def test_run_knows_its_faults(worker: HttpWorker) -> None:
    """The run in the journal names its faults."""
    worker.inject(Renamed(), Accepted())
    ask(worker)
    assert worker.runs.last.faults == ["renamed", "accepted"]


# Injecting and removing


def test_removed_fault_no_longer_acts(worker: HttpWorker) -> None:
    """After ``remove()`` no request is hit."""
    worker.inject(Accepted()).remove()
    assert ask(worker).status == 200


def test_context_manager_removes(worker: HttpWorker) -> None:
    """The end of a ``with`` block removes the fault."""
    with worker.inject(Accepted()):
        inside = ask(worker).status
    assert (inside, ask(worker).status) == (202, 200)


@pytest.mark.wove_http(faults=[Accepted(203)])
def test_fault_by_marker(wove_http_worker: HttpWorker) -> None:
    """The marker's ``faults`` option accepts a fault instance."""
    assert ask(wove_http_worker).status == 203


@pytest.mark.wove_http(faults=["status code=503 times=1"])
def test_fault_by_marker_and_string(wove_http_worker: HttpWorker) -> None:
    """The marker's ``faults`` option takes a text with selector words."""
    assert statuses(wove_http_worker, "a", "b") == [503, 200]


def test_broken_fault_is_answered(worker: HttpWorker, capfd: pytest.CaptureFixture[str]) -> None:
    """A fault that raises gives a 500, with the traceback on stderr."""
    worker.inject(Broken())
    status = ask(worker).status
    assert (status, "ZeroDivisionError: in the fault" in capfd.readouterr().err) == (500, True)


@pytest.mark.usefixtures("capfd")
def test_broken_fault_is_a_violation(worker: HttpWorker) -> None:
    """Strict mode reports a fault that raised as a failure of the service."""
    worker.inject(Broken())
    ask(worker)
    with pytest.raises(AssertionError, match="the worker service itself failed"):
        worker.check()


@pytest.mark.usefixtures("capfd")
def test_worker_survives_a_broken_fault(worker: HttpWorker) -> None:
    """The next request after a fault that raised is served."""
    with worker.inject(Broken()):
        ask(worker)
    assert ask(worker).result == 42


@pytest.mark.parametrize(
    ("faults", "words", "message"),
    [
        ([Accepted(), Accepted(203)], {}, "contradict"),
        ([Banner(), Accepted()], {}, "two injections"),
        ([Banner()], {"task": "job"}, "before a request is read"),
        ([Banner()], {"command": "run_task"}, "before a request is read"),
        ([Accepted()], {"times": 0}, "1 or more"),
        ([Accepted()], {"after": -1}, "0 or more"),
        ([Accepted()], {"probability": 2.0}, "between 0 and 1"),
        (["status times=1", "wrong-content-type times=2"], {}, "given twice"),
    ],
)
def test_contradiction_is_a_usage_error(
    worker: HttpWorker, faults: list[Any], words: dict[str, Any], message: str
) -> None:
    """Faults and words that contradict each other are a usage error."""
    with pytest.raises(UsageError, match=message):
        worker.inject(*faults, **words)


@dataclass(frozen=True)
class Needy(Fault):
    """Can act on a signed https worker only."""

    stage: ClassVar[str] = "auth"
    needs: ClassVar[Mapping[str, Any]] = {"tls": True, "security": ("signed", "bearer")}


@dataclass(frozen=True)
class Misspelt(Fault):
    """Depends on an option that does not exist."""

    stage: ClassVar[str] = "auth"
    needs: ClassVar[Mapping[str, Any]] = {"tsl": True}


@pytest.mark.parametrize(
    ("worker", "why"),
    [
        (Worker(True, "signed", "localhost", False), None),
        (Worker(True, "bearer", "localhost", False), None),
        (Worker(False, "signed", "localhost", False), "it needs tls=True"),
        (Worker(True, "none", "localhost", False), 'it needs security="signed" or "bearer"'),
    ],
    ids=["signed", "bearer", "no-tls", "no-security"],
)
def test_what_a_fault_needs(worker: Worker, why: str | None) -> None:
    """A fault cannot apply to a worker without the options in its ``needs``."""
    assert Needy().cannot_apply(worker) == why


def test_worker_options_of_a_fault() -> None:
    """The first of several values is proposed."""
    assert Needy.worker_options() == {"tls": True, "security": "signed"}


def test_misspelt_need() -> None:
    """A word in ``needs`` that no worker has is an error that lists those it has."""
    with pytest.raises(UsageError, match="'tsl' is not one of tls, security, host, isolated"):
        Misspelt()


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"needs": None}, "needs must be a dict"),
        ({"needs": "tls"}, "needs must be a dict"),
        ({"needs": {"tls": ()}}, "needs: tls takes a value, or a tuple of values"),
        ({"needs": {"security": ["signed"]}}, "needs: security takes a value, or a tuple"),
        ({"uncontained": None}, "uncontained must be a dict"),
        ({"uncontained": "2.0"}, "uncontained must be a dict"),
        ({"uncontained": {"2.0": None}}, "uncontained takes versions and reasons, both text"),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "use",
    [lambda kind: kind(), lambda kind: (kind.worker_options(), kind.why_uncontained("2.0"))],
    ids=["instance", "class"],
)
def test_wrong_facts(facts: dict[str, Any], use: Callable[[Any], Any], message: str) -> None:
    """Class attributes of the wrong type are a usage error that names the attribute."""
    kind = type("Wrong", (Fault,), {"stage": "auth", **facts})
    with pytest.raises(UsageError, match=f"Wrong.{message}"):
        use(kind)


@dataclass(frozen=True)
class WithToken(Fault):
    """Has a secret."""

    stage: ClassVar[str] = "auth"
    token: str = field("", "a token", secret=True)


def test_secret_of_a_fault() -> None:
    """A fault's secret is not in its text, and its own repr is hidden as well."""
    fault = WithToken(token="correct-horse")
    assert "horse" not in f"{fault} {fault!r} {fault.token!r}"


def test_fault_that_cannot_apply(plain_worker: HttpWorker) -> None:
    """A fault that cannot apply to the worker is a usage error with its reason."""
    with pytest.raises(UsageError, match="needs-tls cannot apply to this worker: there is no TLS"):
        plain_worker.inject(NeedsTls())


def test_field_must_be_finite() -> None:
    """A fault's numbers must be finite."""
    with pytest.raises(UsageError, match="code takes a whole number, 0 or more, not -1"):
        Accepted(-1)


def test_stage_must_be_one() -> None:
    """An unknown stage is an error when the class is defined."""

    @dataclass(frozen=True)
    class Lost(Fault):
        stage: ClassVar[str] = "nowhere"

    with pytest.raises(UsageError, match="must be one of connection"):
        Lost()


def test_name_comes_from_the_class() -> None:
    """``OneByte`` is ``one-byte``."""
    assert OneByte.name == "one-byte"


def test_own_fault_is_not_in_the_catalogue() -> None:
    """A user's subclass is not added to the catalogue."""
    assert "one-byte" not in FAULTS


# Stalls: at each stage a fault that waits without limit. Its wait ends with the injection.


@dataclass(frozen=True)
class _Stall(Fault):
    def stall(self, stage: Waiting) -> None:
        STALLED.set()
        stage.wait(None)


STALLED = threading.Event()


@dataclass(frozen=True)
class StallConnection(_Stall):
    stage: ClassVar[str] = "connection"

    def on_connection(self, connection: Connection) -> None:
        self.stall(connection)
        connection.proceed()


@dataclass(frozen=True)
class StallAuth(_Stall):
    stage: ClassVar[str] = "auth"

    def on_auth(self, stage: AuthStage) -> Verdict:
        self.stall(stage)
        return stage.proceed()


@dataclass(frozen=True)
class StallRun(_Stall):
    stage: ClassVar[str] = "run"

    def on_run(self, stage: RunStage) -> Outcome:
        self.stall(stage)
        return stage.proceed()


@dataclass(frozen=True)
class StallEvents(_Stall):
    stage: ClassVar[str] = "events"

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        self.stall(stage)
        return events


@dataclass(frozen=True)
class StallResponse(_Stall):
    stage: ClassVar[str] = "response"

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        self.stall(stage)
        return reply


@dataclass(frozen=True)
class StallWire(_Stall):
    stage: ClassVar[str] = "wire"

    def on_wire(self, wire: Wire) -> None:
        self.stall(wire)
        wire.send_all()


STALLS = [StallConnection, StallAuth, StallRun, StallEvents, StallResponse, StallWire]
stalls = pytest.mark.parametrize("kind", STALLS, ids=lambda kind: kind.stage)
Pending = tuple[HttpWorker, Any, "Future[bytes]"]


@pytest.fixture
def stalled(worker: HttpWorker, pool: ThreadPoolExecutor, kind: type[Fault]) -> Pending:
    """A worker, an injection that stalls a request at one stage, and the client's response to
    come."""
    STALLED.clear()
    injection = worker.inject(kind(), times=1)
    data = signed_bytes(worker, run_frame(answer))
    pending = pool.submit(send_raw, worker, data)
    assert STALLED.wait(TIMEOUT)
    return worker, injection, pending


@stalls
def test_stall_lasts(stalled: Pending) -> None:
    """There is no response before the stall is released."""
    assert not stalled[2].done()


RELEASES: list[tuple[str, Callable[[HttpWorker, Any], None]]] = [
    ("remove", lambda worker, injection: injection.remove()),
    ("reset", lambda worker, injection: worker.reset()),
]


@stalls
@pytest.mark.parametrize(
    "release", [way for _, way in RELEASES], ids=[name for name, _ in RELEASES]
)
def test_stall_is_released(stalled: Pending, release: Callable[[HttpWorker, Any], None]) -> None:
    """``remove()`` and ``reset()`` let a stalled request continue to its response."""
    worker, injection, pending = stalled
    release(worker, injection)
    (answered,) = parse_responses(pending.result(TIMEOUT))
    assert answered.result == 42


@stalls
def test_stall_ends_with_the_worker(stalled: Pending) -> None:
    """``stop()`` ends the client's wait, with or without a response."""
    worker, _, pending = stalled
    worker.stop()
    assert wait([pending], TIMEOUT).done == {pending}


@stalls
def test_stall_does_not_delay_other_requests(stalled: Pending) -> None:
    """During a stall, requests that are not hit are served."""
    assert ask(stalled[0]).result == 42


@stalls
def test_stall_comes_again_after_a_restart(
    stalled: Pending, pool: ThreadPoolExecutor, kind: type[Fault]
) -> None:
    """A restart releases stalled requests and keeps the fault in force."""
    worker, _, pending = stalled
    worker.inject(kind(), times=1)
    worker.restart()
    wait([pending], TIMEOUT)
    STALLED.clear()
    again = pool.submit(ask, worker)
    assert STALLED.wait(TIMEOUT)
    worker.reset()
    again.result(TIMEOUT)


def test_later_stall_does_not_outlive_the_worker(
    worker: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """A request released at one stage does not stall at the next while the worker stops."""
    STALLED.clear()
    worker.inject(StallAuth(), StallResponse())
    pool.submit(ask, worker)
    assert STALLED.wait(TIMEOUT)
    worker.stop()
    assert not lasting(t for t in threading.enumerate() if "-connection-" in t.name)
