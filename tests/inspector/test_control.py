"""The operations of the control API, at a real server, with real weaves through the task port."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from wove import weave
from wove.environment import EnvironmentExecutionError

from tests.inspector.calls import Calls, inspector
from tests.support import (
    TIMEOUT,
    MakeWorker,
    answer,
    request_bytes,
    run_frame,
    send_one,
    signed_bytes,
    signed_request,
    weave_one,
)
from wove_http_dev.faults import FAULTS
from wove_http_dev.inspector import control
from wove_http_dev.runs.forwarding import UpstreamLeg
from wove_http_dev.runs.redaction import REDACTED
from wove_http_dev.worker import HttpWorker


def run(api: Calls, run_id: str, task: str = "task") -> None:
    """Run a task that succeeds."""
    signed_request(api.worker, run_frame(answer, task=task, run_id=run_id))


STARTED, STOP = threading.Event(), threading.Event()


def blocked() -> None:
    STARTED.set()
    STOP.wait(TIMEOUT)  # it hangs here


def ids(document: Any) -> list[str]:
    return [each["run_id"] for each in document["runs"]]


def fail() -> None:
    raise ValueError("<b>too large</b>")


class TestWorker:
    """Where the worker is."""

    def test_address(self, api: Calls) -> None:
        """It has the worker's URL and environment."""
        found = api.get("/worker")
        assert (found["url"], found["environment"]) == (api.worker.url, "workers")

    def test_runner(self, api: Calls) -> None:
        """It says where task bodies run."""
        assert api.get("/worker")["runner"] == api.worker._runner.place

    def test_running(self, api: Calls) -> None:
        """It says whether the worker runs."""
        assert api.get("/worker")["running"] is True
        api.worker.stop()
        assert api.get("/worker")["running"] is False

    def test_no_secret(self, api: Calls) -> None:
        """The secret is in no answer."""
        run(api, "a")
        texts = [api.call("GET", path).body for path in ("/worker", "/exchanges", "/runs")]
        assert [api.worker.secret.encode() in text for text in texts] == [False] * 3


class TestRuns:
    """The list of runs."""

    def test_oldest_first(self, api: Calls) -> None:
        """The newest is last."""
        run(api, "a")
        run(api, "b")
        assert ids(api.get("/runs")) == ["a", "b"]

    def test_task(self, api: Calls) -> None:
        """A glob selects tasks."""
        run(api, "a", "convert")
        run(api, "b", "store")
        assert ids(api.get("/runs?task=con*")) == ["a"]

    def test_state(self, api: Calls) -> None:
        """A state selects runs."""
        run(api, "a")
        signed_request(api.worker, run_frame(fail, run_id="b"))
        assert ids(api.get("/runs?state=failed")) == ["b"]

    def test_finished(self, api: Calls) -> None:
        """The state finished is each in which a run has ended."""
        run(api, "a")
        signed_request(api.worker, run_frame(fail, run_id="b"))
        assert ids(api.get("/runs?state=finished")) == ["a", "b"]

    def test_after_a_run(self, api: Calls) -> None:
        """After the id of a run, those that arrived later follow."""
        for run_id in ("a", "b", "c"):
            run(api, run_id)
        assert ids(api.get("/runs?after=a")) == ["b", "c"]

    def test_after_a_time(self, api: Calls) -> None:
        """A time selects later runs."""
        run(api, "a")
        received = api.get("/runs")["runs"][0]["received"]
        assert ids(api.get(f"/runs?after={received - 1}")) == ["a"]
        assert ids(api.get(f"/runs?after={received}")) == []

    def test_after_an_unknown_run(self, api: Calls) -> None:
        """A run that is not in the journal is 404."""
        assert api.call("GET", "/runs?after=x").status == 404

    def test_limit(self, api: Calls) -> None:
        """A limit returns the newest."""
        for run_id in ("a", "b", "c"):
            run(api, run_id)
        assert ids(api.get("/runs?limit=2")) == ["b", "c"]

    def test_initial_values(self, api: Calls) -> None:
        """Initial values are listed if asked for."""
        with weave(environment="workers", x=5) as w:
            w.do(environment="workers")(answer)
        assert w.result.answer == 42
        everything = api.get("/runs?initial_values=true")["runs"]
        assert len(everything) > len(api.get("/runs")["runs"])

    def test_error(self, api: Calls) -> None:
        """A failed run has its error, and the whole traceback in full."""
        signed_request(api.worker, run_frame(fail, run_id="a"))
        found = api.get("/runs/a")
        assert found["error"] == "ValueError: <b>too large</b>"
        assert found["traceback"].startswith("Traceback")

    def test_long_error_in_a_list(self, api: Calls) -> None:
        """A list has the beginning of a text of 10 MB."""

        def long() -> None:
            raise ValueError("x" * 10_000_000)

        signed_request(api.worker, run_frame(long, run_id="a"))
        (found,) = api.get("/runs")["runs"]
        assert (len(found["error"]), len(found["traceback"])) == (2000, 2000)

    def test_long_name(self, api: Calls) -> None:
        """A name of 10 MB is cut."""
        run(api, "a", "x" * 10_000_000)
        assert len(api.call("GET", "/runs").body) < 10_000

    def test_long_id(self, api: Calls) -> None:
        """A run whose id is cut is found by what was shown of it."""
        run(api, "r" * 5000)
        (shown,) = ids(api.get("/runs"))
        assert ids({"runs": [api.get(f"/runs/{'r' * 999}%E2%80%A6")]}) == [shown]

    def test_unknown_run(self, api: Calls) -> None:
        """An id that is not known has the nearest that is."""
        run(api, "wove-12345")
        found = api.call("GET", "/runs/wove-12346")
        assert (found.status, found.document["hint"]) == (404, "did you mean 'wove-12345'?")

    def test_stack(self, api: Calls, pool: ThreadPoolExecutor) -> None:
        """A run whose body runs says where the body is."""
        pool.submit(signed_request, api.worker, run_frame(blocked, run_id="a"))
        assert STARTED.wait(TIMEOUT)
        try:
            assert "STOP.wait(TIMEOUT)  # it hangs here" in api.get("/runs/a")["stack"]
        finally:
            STOP.set()

    def test_what_a_run_waits_for(self, api: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
        """A run whose body has not started says for what it waits."""
        run(api, "a")
        api.worker.runs.last.state = "received"
        monkeypatch.setattr(api.worker._host, "stack", lambda _: "waits for a process\n")
        assert api.get("/runs/a")["stack"] == "waits for a process\n"

    def test_what_was_forwarded(self, api: Calls) -> None:
        """A run has what was forwarded to upstream for it, and nothing of other runs."""
        for name in ("a", "b"):
            run(api, name)
        api.worker.exchanges[0].upstream = [UpstreamLeg(status=200, seconds=0.5)]
        assert [leg["status"] for leg in api.get("/runs/a")["upstream"]] == [200]
        assert api.get("/runs/b")["upstream"] == []

    def test_delivery_key(self, api: Calls) -> None:
        """A run has the delivery key of its task."""
        frame = json.loads(run_frame(answer, run_id="a"))
        frame["delivery"] = {"delivery_idempotency_key": "invoice-7"}
        signed_request(api.worker, json.dumps(frame).encode())
        assert api.get("/runs/a")["delivery_key"] == "invoice-7"

    def test_no_delivery_key(self, api: Calls) -> None:
        """The run of a task without a delivery key has none."""
        run(api, "a")
        assert api.get("/runs/a")["delivery_key"] is None

    def test_stack_of_a_run_that_ended(self, api: Calls) -> None:
        """A run that has ended is nowhere."""
        run(api, "a")
        assert api.get("/runs/a")["stack"] is None

    def test_exchanges(self, api: Calls) -> None:
        """A run has the numbers of its exchanges."""
        run(api, "a")
        (number,) = api.get("/runs/a")["exchanges"]
        assert api.get(f"/exchanges/{number}")["run_id"] == "a"


class TestExchanges:
    """The list of exchanges."""

    def test_steps(self, api: Calls) -> None:
        """A request has the steps of its verdict."""
        run(api, "a")
        (exchange,) = api.get("/exchanges")["exchanges"]
        assert {step["ok"] for step in exchange["verdict"]["steps"]} == {True}

    def test_refusal(self, api: Calls) -> None:
        """A refused request has the step that failed, and what would mend it."""
        api.worker.allow_refusals()
        wrong = {"X-Wove-Signature": "v1=" + "0" * 64}
        response = send_one(api.worker, signed_bytes(api.worker, run_frame(answer), **wrong))
        (exchange,) = api.get("/exchanges")["exchanges"]
        failed = [step["code"] for step in exchange["verdict"]["steps"] if not step["ok"]]
        assert (response.status, failed) == (401, ["signature-mismatch"])
        assert exchange["hint"].endswith("give client and worker the same secret")

    def test_redacted(self, make_worker: MakeWorker) -> None:
        """Credentials in headers are redacted."""
        worker = make_worker(security="bearer")
        signed_request(worker, run_frame(answer))
        with inspector(worker) as served:
            (exchange,) = Calls(worker, served.port).get("/exchanges")["exchanges"]
        assert dict(exchange["headers"])["Authorization"] == REDACTED

    def test_after(self, api: Calls) -> None:
        """After a number, the later ones follow."""
        run(api, "a")
        run(api, "b")
        numbers = [each["number"] for each in api.get("/exchanges")["exchanges"]]
        later = api.get(f"/exchanges?after={numbers[0]}")["exchanges"]
        assert [each["number"] for each in later] == numbers[1:]

    def test_limit(self, api: Calls) -> None:
        """A limit returns the newest."""
        run(api, "a")
        run(api, "b")
        (newest,) = api.get("/exchanges?limit=1")["exchanges"]
        assert newest["run_id"] == "b"

    def test_problems(self, api: Calls) -> None:
        """Problems are the exchanges that were refused or failed."""
        run(api, "a")
        api.worker.allow_refusals()
        send_one(api.worker, request_bytes({}, run_frame(answer)))
        statuses = [each["status"] for each in api.get("/exchanges?problems=true")["exchanges"]]
        assert (statuses, len(api.get("/exchanges?problems=false")["exchanges"])) == ([401], 2)

    @pytest.mark.parametrize("number", ["99", "x", "1.0", "-1", "9" * 5000, "１"])
    def test_unknown(self, api: Calls, number: str) -> None:
        """A number that is not in the journal is 404."""
        from urllib.parse import quote

        assert api.call("GET", f"/exchanges/{quote(number)}").status == 404


class TestInjections:
    """Faults that the API puts in force."""

    def test_hits_the_next_weave(self, api: Calls) -> None:
        """A fault hits the weave that follows."""
        api.post("/injections", {"fault": "status code=503"})
        with pytest.raises(EnvironmentExecutionError, match="503"):
            weave_one(answer)
        assert api.get("/injections")["injections"][0]["hits"] == 1

    def test_selectors(self, api: Calls) -> None:
        """The selectors in the body are in force."""
        made = api.post("/injections", {"fault": "status", "task": "other", "times": 2})
        assert weave_one(5) == 5
        assert (made["task"], made["times"], made["after"]) == ("other", 2, 0)

    def test_spent(self, api: Calls) -> None:
        """A fault that has hit so often is not active."""
        api.post("/injections", {"fault": "status times=1"})
        with pytest.raises(EnvironmentExecutionError):
            weave_one(answer)
        assert api.get("/injections")["injections"][0]["active"] is False

    def test_distribution(self, api: Calls) -> None:
        """A run has the number that was drawn, as a number and as text."""
        text = "slow-response delay=0.001..0.002"
        assert api.post("/injections", {"fault": text, "seed": 3})["fault"] == text
        weave_one(answer)
        run = api.get("/runs")["runs"][0]
        (seconds,) = run["drawn"][text]
        assert run["faults_text"] == f"{text} → {seconds:.3g} s"

    def test_wrong_distribution(self, api: Calls) -> None:
        """A wrong distribution is refused in one line."""
        answered = api.call("POST", "/injections", {"fault": "slow-response delay=2..1"})
        assert (answered.status, json.loads(answered.body)) == (
            400,
            {
                "error": "fault slow-response: delay=2..1 begins above its end",
                "hint": "did you mean 1..2?",
            },
        )

    def test_error_that_says_it_all(self, api: Calls) -> None:
        """An error that needs no advice has none: not that of requests at a wrong address."""
        answered = api.call("POST", "/injections", {"fault": "slow-response delay=x"})
        found = json.loads(answered.body)
        assert found["error"].startswith("fault slow-response: delay takes a number of seconds")
        assert found["hint"] == ""

    def test_drawn_number_in_the_test_of_a_run(self, api: Calls) -> None:
        """The copied test has the number that was drawn, in place of the distribution."""
        api.post("/injections", {"fault": "slow-response delay=0.001..0.002"})
        weave_one(answer)
        run = api.get("/runs")["runs"][0]
        ((seconds,),) = run["drawn"].values()
        source = api.get(f"/runs/{run['run_id']}")["pytest"]
        assert f"inject('slow-response delay={seconds!r}', " in source

    def test_several_together(self, api: Calls) -> None:
        """Several faults make one injection."""
        made = api.post("/injections", {"faults": ["slow-body", "status"]})
        assert [text.split()[0] for text in made["faults"]] == ["slow-body", "status"]

    def test_removed(self, api: Calls) -> None:
        """A fault that was removed hits nothing, and is not listed."""
        made = api.post("/injections", {"fault": "status"})
        removed = api.call("DELETE", f"/injections/{made['id']}")
        assert (removed.status, removed.body) == (204, b"")
        assert weave_one(5) == 5
        assert api.get("/injections") == {"injections": []}

    def test_id_is_not_used_again(self, api: Calls) -> None:
        """An id names one injection, also after a reset."""
        first = api.post("/injections", {"fault": "status"})
        api.post("/reset")
        assert api.post("/injections", {"fault": "status"})["id"] > first["id"]

    def test_unknown(self, api: Calls) -> None:
        """An unknown id is 404, with those that there are."""
        api.post("/injections", {"fault": "status"})
        found = api.call("DELETE", "/injections/99")
        assert (found.status, found.document["hint"]) == (404, "the only id is 1")

    def test_background(self, make_worker: MakeWorker) -> None:
        """A fault of an option is told apart from one of the API."""
        worker = make_worker(faults=["status task=a"])
        with inspector(worker) as served:
            api = Calls(worker, served.port)
            api.post("/injections", {"fault": "status task=b"})
            found = api.get("/injections")["injections"]
        assert [(each["task"], each["background"]) for each in found] == [("a", True), ("b", False)]

    def test_cannot_apply(self, api: Calls) -> None:
        """A fault that cannot act on this worker is 400."""
        found = api.call("POST", "/injections", {"fault": "ip-san-missing"})
        assert (found.status, "cannot apply to this worker" in found.error) == (400, True)

    def test_does_not_fail_a_strict_worker(self, api: Calls) -> None:
        """A person's fault that hit nothing is no failure of strict mode."""
        api.post("/injections", {"fault": "status"})
        api.worker.check()


class TestHolds:
    """Holds that the API makes."""

    def test_hold_and_release(self, api: Calls, pool: ThreadPoolExecutor) -> None:
        """A held weave ends when the hold is released by the API."""
        made = api.post("/holds", {"task": "task"})
        weave = pool.submit(weave_one, 5)
        api.worker.wait_for(state="held", timeout=TIMEOUT)
        assert (made["released"], weave.done()) == (False, False)
        released = api.post(f"/holds/{made['id']}/release")
        assert (weave.result(TIMEOUT), released["released"], released["arrived"]) == (5, True, 1)

    def test_runs(self, api: Calls, pool: ThreadPoolExecutor) -> None:
        """A hold has the ids of its runs."""
        api.post("/holds", {})
        weave = pool.submit(weave_one, 5)
        (held,) = api.worker.wait_for(state="held", timeout=TIMEOUT)
        (hold,) = api.get("/holds")["holds"]
        api.post(f"/holds/{hold['id']}/release")
        assert (hold["runs"], weave.result(TIMEOUT)) == ([held.run_id], 5)

    def test_release_when(self, api: Calls) -> None:
        """The first run releases a hold of one."""
        api.post("/holds", {"release_when": 1})
        assert weave_one(5) == 5
        assert api.get("/holds")["holds"][0]["released"] is True

    @pytest.mark.parametrize("document", [{"release_when": 0}, {"task": 1}, {"tsk": "a"}])
    def test_wrong(self, api: Calls, document: Any) -> None:
        """A hold that cannot be made is 400."""
        assert api.call("POST", "/holds", document).status == 400

    def test_unknown(self, api: Calls) -> None:
        """An unknown id is 404."""
        found = api.call("POST", "/holds/7/release")
        assert (found.status, found.document["hint"]) == (404, "there is none")

    def test_released_ones_are_forgotten(self, api: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
        """Only the newest released holds are kept, so that their number does not grow."""
        monkeypatch.setattr(control, "KEPT_HOLDS", 2)
        for _ in range(5):
            api.post(f"/holds/{api.post('/holds')['id']}/release")
        assert [hold["id"] for hold in api.get("/holds")["holds"]] == [3, 4, 5]


class TestStubs:
    """Stubs that the API makes."""

    @pytest.mark.parametrize("value", [None, 7, "text", [1, [2]], [], {"a": [1.5]}], ids=repr)
    def test_result(self, api: Calls, value: Any) -> None:
        """A weave gets the JSON value as it is, a list too, each time."""
        api.post("/stubs", {"task": "*", "result": value})
        assert [weave_one(answer), weave_one(answer)] == [value, value]

    def test_error(self, api: Calls) -> None:
        """A weave gets the built-in exception."""
        api.post("/stubs", {"task": "*", "error": {"type": "KeyError", "message": "none"}})
        with pytest.raises(KeyError, match="none"):
            weave_one(answer)

    def test_error_of_a_module(self, api: Calls) -> None:
        """A weave gets the exception of a module."""
        error = {"type": "wove_http_dev.errors.FrameError", "message": "bent"}
        api.post("/stubs", {"task": "*", "error": error})
        with pytest.raises(Exception, match="bent") as caught:
            weave_one(answer)
        assert type(caught.value).__name__ == "FrameError"

    @pytest.mark.parametrize(
        "error",
        [
            {"type": "ValueEror"},
            {"type": "print"},
            {"type": "no.such.Module"},
            {"type": "os.path"},
            {"type": "os.path.join"},
            {"type": "UnicodeDecodeError", "message": "x"},
            {"type": ""},
            {"type": "a..b"},
            {},
            "ValueError",
        ],
        ids=str,
    )
    def test_wrong_error(self, api: Calls, error: Any) -> None:
        """What is no exception is 400 in one line."""
        found = api.call("POST", "/stubs", {"task": "*", "error": error})
        assert (found.status, len(found.error.splitlines())) == (400, 1)

    @pytest.mark.parametrize(
        "document",
        [
            {"task": "a"},
            {"task": "a", "result": 1, "error": {"type": "ValueError"}},
            {"result": 1},
            {"task": "", "result": 1},
            {"task": None, "result": 1},
        ],
        ids=str,
    )
    def test_wrong(self, api: Calls, document: Any) -> None:
        """A stub of another form is 400."""
        assert api.call("POST", "/stubs", document).status == 400

    def test_listed(self, api: Calls) -> None:
        """A stub is listed with its answer."""
        made = api.post("/stubs", {"task": "a", "result": [1]})
        assert api.get("/stubs") == {"stubs": [made]}
        assert made == {"id": 1, "task": "a", "result": [1], "matched": False}

    def test_of_the_test(self, api: Calls) -> None:
        """A stub that a test made is listed as well."""
        api.worker.stub("a", result=object, unused_ok=True)
        (found,) = api.get("/stubs")["stubs"]
        assert (found["task"], found["result"]) == ("a", None)

    def test_removed(self, api: Calls) -> None:
        """After its removal the task runs again."""
        made = api.post("/stubs", {"task": "*", "result": 1})
        assert api.call("DELETE", f"/stubs/{made['id']}").status == 204
        assert weave_one(5) == 5
        assert api.call("DELETE", f"/stubs/{made['id']}").status == 404


class TestFaults:
    """The catalogue."""

    def test_names(self, api: Calls) -> None:
        """Each fault of the catalogue is listed."""
        assert [each["name"] for each in api.get("/faults")["faults"]] == list(FAULTS)

    def test_cannot_apply(self, make_worker: MakeWorker) -> None:
        """A fault that has no effect on this worker says why."""
        worker = make_worker(tls=False, security="none")
        with inspector(worker) as served:
            found = Calls(worker, served.port).get("/faults")["faults"]
        why = {each["name"]: each["cannot_apply"] for each in found}
        assert (why["handshake-stall"], why["status"]) == ("it needs tls=True", None)

    def test_fields(self, api: Calls) -> None:
        """A fault has its fields, with types, defaults and units."""
        (status,) = (each for each in api.get("/faults")["faults"] if each["name"] == "status")
        assert status["fields"][0] == {
            "name": "code",
            "type": "integer",
            "default": 503,
            "distribution": False,
            "unit": "",
            "doc": "HTTP status",
            "choices": [],
        }

    def test_field_that_takes_a_distribution(self, api: Calls) -> None:
        """A field of seconds says that it takes a distribution."""
        (slow,) = (each for each in api.get("/faults")["faults"] if each["name"] == "slow-response")
        assert [each["distribution"] for each in slow["fields"]] == [True]


class TestReset:
    """The reset by the API."""

    def test_empties(self, api: Calls) -> None:
        """Journal, faults, holds and stubs are gone."""
        run(api, "a")
        api.post("/injections", {"fault": "status"})
        api.post("/holds", {"task": "x"})
        api.post("/stubs", {"task": "x", "result": 1})
        assert api.post("/reset") == {"reset": True}
        kinds = ("runs", "exchanges", "injections", "holds", "stubs")
        assert [api.get(f"/{kind}") for kind in kinds] == [{kind: []} for kind in kinds]

    def test_releases(self, api: Calls, pool: ThreadPoolExecutor) -> None:
        """A held weave ends."""
        api.post("/holds", {})
        weave = pool.submit(weave_one, 5)
        api.worker.wait_for(state="held", timeout=TIMEOUT)
        api.post("/reset")
        assert weave.result(TIMEOUT) == 5

    def test_takes_nothing(self, api: Calls) -> None:
        """A field in its body is 400."""
        assert api.call("POST", "/reset", {"all": True}).status == 400


def test_isolated_worker(make_worker: MakeWorker, pool: ThreadPoolExecutor) -> None:
    """The API steers a worker in a child process as well."""
    worker = make_worker(isolated=True)
    with inspector(worker) as served, worker.configured():
        api = Calls(worker, served.port)
        hold = api.post("/holds", {"task": "task"})
        weave = pool.submit(weave_one, 5)
        worker.wait_for(state="held", timeout=TIMEOUT)
        api.post(f"/holds/{hold['id']}/release")
        assert weave.result(TIMEOUT) == 5
        made = api.post("/injections", {"fault": "status"})
        with pytest.raises(EnvironmentExecutionError):
            weave_one(answer)
        api.call("DELETE", f"/injections/{made['id']}")
        api.post("/injections", {"fault": "status task=other"})
        assert weave_one(5) == 5


def test_injection_after_a_removed_one(make_worker: MakeWorker) -> None:
    """In a child process too, a fault that is made after one was removed is in force."""
    worker = make_worker(isolated=True)
    with inspector(worker) as served, worker.configured():
        api = Calls(worker, served.port)
        first = api.post("/injections", {"fault": "status task=other"})
        api.post("/injections", {"fault": "status task=another"})
        api.call("DELETE", f"/injections/{first['id']}")
        api.post("/injections", {"fault": "status code=418"})
        with pytest.raises(EnvironmentExecutionError, match="418"):
            weave_one(answer)


@pytest.mark.parametrize("name", ["runs", "exchanges"])
def test_long_list(wove_http_worker: HttpWorker, name: str) -> None:
    """The entries of a list that may be as long as the journal are made as they are written."""
    found = getattr(control.Control(wove_http_worker), name)()
    assert isinstance(found[name], Iterator)


def test_started(wove_http_worker: HttpWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of the start is in seconds since the epoch."""
    monkeypatch.setattr(time, "time", lambda: 1000.5)
    assert control.Control(wove_http_worker).worker()["started"] == 1000.5


def test_in_force(make_worker: MakeWorker) -> None:
    """What acts on requests is told by the calls that make it."""
    worker = make_worker()
    worker.inject("status", times=2, unused_ok=True)
    worker.hold("render")
    worker.stub("convert", result=1)
    calls = control.Control(worker).in_force().values()
    assert sorted(calls) == ["hold('render')", "inject('status', times=2)", "stub('convert')"]


def test_not_in_force(make_worker: MakeWorker) -> None:
    """What was removed or released acts no more."""
    worker = make_worker()
    worker.inject("status").remove()
    worker.hold("render").release()
    worker.stub("convert", result=1).remove()
    assert control.Control(worker).in_force() == {}
