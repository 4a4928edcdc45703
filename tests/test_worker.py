"""The members of ``HttpWorker``, used as a test would use them."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cloudpickle
import pytest
import wove
from wove import weave
from wove.environment import EnvironmentExecutionError

from tests.support import (
    PRODUCTION_URL,
    TIMEOUT,
    MakeWorker,
    answer,
    connect,
    credentials,
    request_bytes,
    run_frame,
    send_one,
    signed_request,
    weave_one,
)
from wove_http_dev.errors import (
    NotRunningError,
    PortInUseError,
    StrictnessError,
    UsageError,
    WaitTimeoutError,
)
from wove_http_dev.runs.records import Run
from wove_http_dev.worker import HttpWorker

# Stubs


def never_runs() -> Any:
    raise AssertionError("the stub answers instead")


def test_stub_result(wove_http_worker: HttpWorker) -> None:
    """A stubbed task has the stub's value as its result, and does not run."""
    wove_http_worker.stub("never_runs", result={"total": 12})
    assert weave_one(never_runs) == {"total": 12}


def test_stub_results_in_order(wove_http_worker: HttpWorker) -> None:
    """A list of results is used up, one a run."""
    wove_http_worker.stub("never_runs", result=["first", "second"])
    assert [weave_one(never_runs) for _ in range(2)] == ["first", "second"]


def test_stub_results_used_up(wove_http_worker: HttpWorker) -> None:
    """The run after the last one fails, and says why."""
    wove_http_worker.stub("never_runs", result=["only"])
    weave_one(never_runs)
    with pytest.raises(LookupError, match="has given all of its 1 result"):
        weave_one(never_runs)


def test_stub_list_as_a_result(wove_http_worker: HttpWorker) -> None:
    """A list in the list is one result."""
    wove_http_worker.stub("never_runs", result=[[1, 2]])
    assert weave_one(never_runs) == [1, 2]


def test_stub_callable(wove_http_worker: HttpWorker) -> None:
    """A callable gets the run, arguments included."""
    wove_http_worker.stub("render_report", result=lambda run: f"stubbed {run.args['account']}")
    with weave(account=7) as w:

        @w.do(environment="workers")
        def render_report(account: int) -> str:
            return never_runs()  # type: ignore[no-any-return]  # it does not return

    assert w.result.render_report == "stubbed 7"


def test_stub_callable_that_raises(wove_http_worker: HttpWorker) -> None:
    """What the callable raises, the task raised."""

    def fails(run: Run) -> None:
        raise KeyError(run.task_id)

    wove_http_worker.stub("never_runs", result=fails)
    with pytest.raises(KeyError, match="never_runs"):
        weave_one(never_runs)


def test_stub_error(wove_http_worker: HttpWorker) -> None:
    """A stubbed error is raised where the result is read."""
    wove_http_worker.stub("never_runs", error=KeyError("no such account"))
    with pytest.raises(KeyError, match="no such account"):
        weave_one(never_runs)


def test_stub_events(worker: HttpWorker) -> None:
    """Stubbed event frames go out as they are, ids filled in where they are missing."""
    worker.stub("job", events=[{"type": "heartbeat"}, {"type": "task_result", "run_id": "other"}])
    answered = signed_request(worker, run_frame(never_runs, task="job", run_id="r-1"))
    assert answered.events == [
        {"type": "heartbeat", "run_id": "r-1", "task_id": "job"},
        {"type": "task_result", "run_id": "other", "task_id": "job"},
    ]


def test_stub_events_reach_the_executor(wove_http_worker: HttpWorker) -> None:
    """The executor takes a plain JSON result from them."""
    wove_http_worker.stub("never_runs", events=[{"type": "task_result", "result": [1, 2]}])
    assert weave_one(never_runs) == [1, 2]


def test_stub_glob(wove_http_worker: HttpWorker) -> None:
    """A task is a name or a glob."""
    wove_http_worker.stub("never_*", result=1)
    assert weave_one(never_runs) == 1


def test_newest_stub_wins(wove_http_worker: HttpWorker) -> None:
    """Of two stubs for a task the newer one answers."""
    wove_http_worker.stub("never_runs", result="old")
    wove_http_worker.stub("never_runs", result="new")
    assert weave_one(never_runs) == "new"


def test_stub_is_taken_back(wove_http_worker: HttpWorker) -> None:
    """After its ``with`` the task runs again."""
    with wove_http_worker.stub("answer", result=0):
        pass
    assert weave_one(answer) == 42


def test_stub_leaves_other_tasks_alone(wove_http_worker: HttpWorker) -> None:
    """Other tasks run."""
    wove_http_worker.stub("never_runs", result=0)
    assert weave_one(answer) == 42


def test_stubbed_run_is_in_the_journal(wove_http_worker: HttpWorker) -> None:
    """A stubbed run is a run."""
    wove_http_worker.stub("never_runs", result=7)
    weave_one(never_runs)
    assert wove_http_worker.runs.last.result == 7


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"result": 1, "error": KeyError()},
        {"result": []},
        {"error": "text"},
        {"events": {"type": "task_result"}},
        {"events": ["task_result"]},
        {"events": [{"result": object()}]},
    ],
    ids=["nothing", "two", "empty", "error-text", "one-event", "no-dicts", "no-json"],
)
def test_stub_refuses(worker: HttpWorker, words: dict[str, Any]) -> None:
    """What cannot be an answer is refused where it is written."""
    with pytest.raises(UsageError):
        worker.stub("job", **words)


# Gates


def in_thread(pool: ThreadPoolExecutor, function: Callable[..., Any] = answer) -> Any:
    return pool.submit(weave_one, function)


def test_hold_parks(wove_http_worker: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """A held run is in state ``held`` until it is released."""
    with wove_http_worker.hold("answer"):
        in_thread(pool)
        assert wove_http_worker.wait_for("answer", "held").last.started is None


def test_release(wove_http_worker: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """A released run goes on."""
    with wove_http_worker.hold("answer") as gate:
        result = in_thread(pool)
        gate.wait_arrived()
    assert result.result(TIMEOUT) == 42


def test_hold_leaves_other_tasks_alone(wove_http_worker: HttpWorker) -> None:
    """A gate is for the task it names."""
    wove_http_worker.hold("another")
    assert weave_one(answer) == 42


def test_wait_arrived_gives_the_runs(
    wove_http_worker: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """What arrived is returned."""
    with wove_http_worker.hold() as gate:
        in_thread(pool)
        assert [run.task_id for run in gate.wait_arrived()] == ["answer"]


def test_wait_arrived_times_out(worker: HttpWorker) -> None:
    """Waiting in vain ends in an error that shows the journal."""
    gate = worker.hold("answer")
    with pytest.raises(WaitTimeoutError, match="nothing arrived"):
        gate.wait_arrived(timeout=0.01)


def test_release_when(wove_http_worker: HttpWorker) -> None:
    """A gate that counts opens by itself on the n-th arrival."""
    wove_http_worker.hold("square", release_when=3)
    with weave() as w:

        @w.do(range(3), environment="workers")
        def square(item: int) -> int:
            return item * item

    assert w.result.square == [0, 1, 4]


@pytest.mark.parametrize("count", [0, -1])
def test_release_when_refuses(worker: HttpWorker, count: int) -> None:
    """It counts from one."""
    with pytest.raises(UsageError):
        worker.hold(release_when=count)


@pytest.mark.asyncio
async def test_arrived(wove_http_worker: HttpWorker) -> None:
    """An async test awaits an arrival while its weave runs in the same loop."""
    gate = wove_http_worker.hold()

    async def opened() -> int:
        runs = await gate.arrived(timeout=TIMEOUT)
        gate.release()
        return len(runs)

    opening = asyncio.create_task(opened())
    async with weave() as w:
        w.do(environment="workers")(answer)
    assert (await opening, w.result.answer) == (1, 42)


@pytest.mark.asyncio
async def test_arrived_times_out(worker: HttpWorker) -> None:
    """Awaiting in vain ends in the same error."""
    gate = worker.hold()
    with pytest.raises(WaitTimeoutError):
        await gate.arrived(timeout=0.01)


# Waiting


def test_wait_for(wove_http_worker: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """What reached the state is returned."""
    in_thread(pool)
    assert wove_http_worker.wait_for("answer", "succeeded").last.result == 42


def test_wait_for_times_out(wove_http_worker: HttpWorker) -> None:
    """Waiting in vain ends in an error that shows the journal."""
    weave_one(answer)
    with pytest.raises(WaitTimeoutError, match="run_task answer"):
        wove_http_worker.wait_for("answer", "failed", timeout=0.01)


def test_wait_for_counts(wove_http_worker: HttpWorker) -> None:
    """One run is not two."""
    weave_one(answer)
    with pytest.raises(WaitTimeoutError, match="2 run"):
        wove_http_worker.wait_for("answer", count=2, timeout=0.01)


def test_wait_for_an_unknown_state(worker: HttpWorker) -> None:
    """A state that there is not is refused at once."""
    with pytest.raises(UsageError, match="finished"):
        worker.wait_for(state="done")


# Faults


def test_inject_by_string(wove_http_worker: HttpWorker) -> None:
    """The string of the command line, selector words included, is a fault too."""
    injection = wove_http_worker.inject("reject-auth status=403 task=answer times=1")
    with pytest.raises(Exception, match="403"):
        weave_one(answer)
    assert injection.hits == 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no-such-fault", "unknown fault"),
        ("reject-auht", "did you mean 'reject-auth'"),
        ("slow-response dealy=1", "did you mean 'delay'"),
        ("slow-response delay=soon", "takes a number"),
        ("slow-response delay=-1", ">= 0"),
        ("slow-response delay=nan", "finite"),
        ("slow-response times=0", "1 or more"),
        ("slow-response 'unclosed", "quote"),
        ("slow-response command=run", "run_task or cancel_task"),
        ("", "empty"),
        (7, "instance or a string"),
    ],
)
def test_inject_refuses(worker: HttpWorker, fault: Any, message: str) -> None:
    """A fault that cannot be is refused where it is written."""
    with pytest.raises(UsageError, match=message):
        worker.inject(fault)


def test_inject_nothing(worker: HttpWorker) -> None:
    """An injection has a fault."""
    with pytest.raises(UsageError):
        worker.inject()


# Forgetting


def test_reset_forgets_the_journal(wove_http_worker: HttpWorker) -> None:
    """After a reset nothing was received."""
    weave_one(answer)
    wove_http_worker.reset()
    assert (wove_http_worker.exchanges, len(wove_http_worker.runs)) == ([], 0)


def test_reset_takes_faults_back(wove_http_worker: HttpWorker) -> None:
    """After a reset no fault is in force."""
    wove_http_worker.inject("reject-auth")
    wove_http_worker.reset()
    assert weave_one(answer) == 42


def test_reset_takes_stubs_back(wove_http_worker: HttpWorker) -> None:
    """After a reset no stub answers."""
    wove_http_worker.stub("answer", result=0)
    wove_http_worker.reset()
    assert weave_one(answer) == 42


def test_reset_opens_gates(wove_http_worker: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """A reset lets held runs go on."""
    gate = wove_http_worker.hold()
    result = in_thread(pool)
    gate.wait_arrived()
    wove_http_worker.reset()
    assert result.result(TIMEOUT) == 42


# Strictness


def refuse_one(worker: HttpWorker) -> None:
    """Send something that is refused."""
    send_one(worker, request_bytes({}, run_frame(answer)))


def test_check_of_an_innocent_worker(wove_http_worker: HttpWorker) -> None:
    """Ordinary requests are nothing to complain of."""
    weave_one(answer)
    wove_http_worker.check()


def test_check_minds_a_refusal(worker: HttpWorker) -> None:
    """A refused request is."""
    refuse_one(worker)
    with pytest.raises(StrictnessError, match="a request was refused"):
        worker.check()


def test_refusal_counts_before_its_answer_is_written(worker: HttpWorker) -> None:
    """Who has read a refusal may ``check()`` at once: it counts before a byte of it is sent."""
    exchange = worker.journal.open()
    exchange.refusal = "unsigned"
    worker.journal.update(exchange)
    assert worker.journal.violations == [exchange]


def test_refusal_counts_once(worker: HttpWorker) -> None:
    """It does not count again when the answer has been written."""
    refuse_one(worker)
    worker.stop()
    assert len(worker.journal.violations) == 1


def test_check_shows_the_journal(worker: HttpWorker) -> None:
    """The message has the journal."""
    refuse_one(worker)
    with pytest.raises(StrictnessError, match="journal: 1 exchange"):
        worker.check()


def test_check_says_how_to_opt_out(worker: HttpWorker) -> None:
    """And the ways out."""
    refuse_one(worker)
    with pytest.raises(StrictnessError, match=r"strict=False .* worker\.allow_refusals\(\)"):
        worker.check()


def test_check_minds_a_rejected_certificate(worker: HttpWorker) -> None:
    """A client that does not trust our CA is recorded as that."""
    context = ssl.create_default_context()
    with connect(worker, tls=False) as sock, pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(sock, server_hostname="localhost")
    with pytest.raises(StrictnessError, match="rejected our certificate"):
        worker.check()


def test_check_does_not_mind_a_port_probe(worker: HttpWorker) -> None:
    """A connection without a byte does not count."""
    connect(worker, tls=False).close()
    signed_request(worker, run_frame(answer))
    worker.check()


def test_check_minds_a_fault_that_never_fired(worker: HttpWorker) -> None:
    """An injection with ``times`` is expected to hit something."""
    worker.inject("slow-response times=1 task=render_report")
    signed_request(worker, run_frame(answer))
    with pytest.raises(StrictnessError, match=r"never fired: task 'task' does not match"):
        worker.check()


def test_check_does_not_mind_a_fault_without_times(worker: HttpWorker) -> None:
    """One without is just in force."""
    worker.inject("slow-response")
    worker.check()


def test_check_does_not_mind_what_a_fault_asked_for(wove_http_worker: HttpWorker) -> None:
    """A refusal by a fault is what the test wanted."""
    wove_http_worker.inject("reject-auth times=1")
    with pytest.raises(Exception, match="401"):
        weave_one(answer)
    wove_http_worker.check()


def test_allow_refusals(worker: HttpWorker) -> None:
    """``allow_refusals()`` is a way out."""
    worker.allow_refusals()
    refuse_one(worker)
    worker.check()


def test_reset_forgets_allow_refusals(worker: HttpWorker) -> None:
    """A reset closes it again."""
    worker.allow_refusals()
    worker.reset()
    refuse_one(worker)
    with pytest.raises(StrictnessError):
        worker.check()


@pytest.mark.parametrize("message", [r"https://app\.internal/tasks", "impersonate="])
def test_check_minds_a_repointed_environment(worker: HttpWorker, message: str) -> None:
    """When an application's own ``wove.config`` took the environment away, the message names the
    URL and offers ``impersonate``."""
    with worker.configured():
        wove.config(
            environments={
                "workers": {
                    "executor": "https",
                    "executor_config": {"url": "https://app.internal/tasks"},
                }
            }
        )
        with pytest.raises(StrictnessError, match=message):
            worker.check()


def test_check_minds_a_local_environment(worker: HttpWorker) -> None:
    """So it does when the environment became a local one."""
    with worker.configured():
        wove.config(environments={"workers": {"executor": "local"}})
        with pytest.raises(StrictnessError, match="no longer points at this worker"):
            worker.check()


def test_check_after_the_environment_is_gone(worker: HttpWorker) -> None:
    """Once it is no longer configured, the environment is nobody's business."""
    with worker.configured():
        pass
    worker.check()


# Other processes


CHILD = """
import os
import wove
from wove import weave

wove.config(environments={"workers": {
    "executor": "http",
    "executor_config": {
        "url": os.environ["WOVE_WORKER_URL"],
        "security": %s,
        "timeout": 10.0,
    },
}})
with weave() as w:
    @w.do(environment="workers")
    def answer():
        return 42
print(w.result.answer)
"""
SECURITIES = {
    "signed": '"env:WOVE_WORKER_SECRET"',
    "bearer": '{"type": "bearer", "token_env": "WOVE_WORKER_SECRET"}',
    "none": '"none"',
}


@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
@pytest.mark.parametrize("security", SECURITIES)
def test_client_env(make_worker: MakeWorker, tls: bool, security: str) -> None:
    """A child process reaches the worker with these variables, past a proxy of its own."""
    worker = make_worker(tls=tls, security=security)
    done = subprocess.run(
        [sys.executable, "-c", CHILD % SECURITIES[security]],
        env={**os.environ, "https_proxy": "http://127.0.0.1:1", **worker.client_env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("42\n", "")


def test_client_env_appends_to_no_proxy(
    worker: HttpWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's own exceptions stay."""
    monkeypatch.setenv("no_proxy", "example.com")
    assert worker.client_env["no_proxy"] == "example.com,localhost"


def test_client_env_of_an_open_worker(plain_worker: HttpWorker) -> None:
    """Without TLS and security there is neither a bundle nor a secret."""
    assert {"SSL_CERT_FILE", "WOVE_WORKER_SECRET"}.isdisjoint(plain_worker.client_env)


# Secrets


SHOWN: list[Callable[[HttpWorker], object]] = [
    lambda worker: worker,
    lambda worker: worker.options,
    lambda worker: worker.credentials,
    lambda worker: worker.environment_definition,
    lambda worker: worker.client_env,
    lambda worker: worker.secret,
]


@pytest.mark.parametrize(
    "shown", SHOWN, ids=["worker", "options", "credentials", "definition", "env", "secret"]
)
@pytest.mark.parametrize("security", ["signed", "bearer"])
def test_repr_shows_no_secret(
    make_worker: MakeWorker, shown: Callable[[HttpWorker], object], security: str
) -> None:
    """Nothing that a failing assert would print holds the secret."""
    worker = make_worker(security=security, secret="hush-hush-hush")
    assert "hush" not in repr(shown(worker))


def test_secret_is_a_string(worker: HttpWorker) -> None:
    """It compares as the string it is."""
    assert worker.secret == str(worker.client_env["WOVE_WORKER_SECRET"])


def test_secrets_differ(make_worker: MakeWorker) -> None:
    """Each worker has its own."""
    assert make_worker().secret != make_worker().secret


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"host": "0.0.0.0", "tls": False}, "not loopback"),
        ({"host": "0.0.0.0", "security": "none"}, "not loopback"),
        ({"host": "::", "tls": False}, "not loopback"),
        ({"sekurity": "none"}, "did you mean 'security'"),
        ({"security": "none of these"}, "security"),
        ({"secret": ""}, "empty"),
        ({"port": 70000}, "65535"),
        ({"port": "8443"}, "whole number"),
        ({"path": "tasks"}, "start with"),
        ({"path": "/tasks?x=1"}, "query"),
        ({"response_shape": "xml"}, "events, list, frame"),
        ({"timeout": 0}, "above 0"),
        ({"delivery_timeout": float("nan")}, "above 0"),
        ({"max_body": 0}, "1 or more"),
        ({"faults": "reject-auth"}, "list"),
        ({"faults": ["nonsense"]}, "unknown fault"),
        ({"impersonate": "http://workers.internal/"}, "https://"),
        ({"environment": ""}, "name"),
        ({"clock_skew": -1.0}, "clock_skew"),
        ({"key": "é"}, "ASCII"),
    ],
)
def test_option_is_refused(make_worker: MakeWorker, options: dict[str, Any], message: str) -> None:
    """An option that cannot be is refused with what to do."""
    with pytest.raises(UsageError, match=message):
        make_worker(**options)


@pytest.mark.parametrize(
    "options",
    [{"host": "0.0.0.0"}, {"host": "0.0.0.0", "tls": False, "insecure": True}],
    ids=["tls-and-signed", "insecure"],
)
def test_every_address_may_be_served(make_worker: MakeWorker, options: dict[str, Any]) -> None:
    """Beyond loopback it is served with TLS and authentication, or when told so."""
    assert signed_request(make_worker(**options), run_frame(answer)).result == 42


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_url_names_the_host(make_worker: MakeWorker, host: str) -> None:
    """The URL has the host of the option."""
    worker = make_worker(host=host)
    assert worker.url == f"https://{host}:{worker.port}/wove/tasks"


def test_faults_from_the_start(make_worker: MakeWorker) -> None:
    """Faults may be an option."""
    worker = make_worker(faults=["reject-auth status=403"])
    assert signed_request(worker, run_frame(answer)).status == 403


def test_url_before_the_start(make_worker: MakeWorker) -> None:
    """There is no URL before there is a port."""
    with pytest.raises(NotRunningError):
        _ = HttpWorker().url


def test_repr_before_the_start() -> None:
    """A worker that was not started says so."""
    assert repr(HttpWorker()) == "<HttpWorker 'workers' not started>"


def test_starting_twice(worker: HttpWorker) -> None:
    """A second start changes nothing."""
    port = worker.port
    assert worker.start().port == port


def test_own_ca_files_are_deleted() -> None:
    """A worker's own CA leaves no file behind."""
    with HttpWorker() as worker:
        path = worker.ca_file
    assert not os.path.exists(path)


def test_worker_in_a_fresh_thread(wove_http_worker: HttpWorker) -> None:
    """A weave in a thread of the user's reaches the worker as well."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(weave_one(answer)))
    thread.start()
    thread.join(TIMEOUT)
    assert results == [42]


@pytest.mark.wove_http(impersonate=PRODUCTION_URL)
def test_definition_under_impersonation(wove_http_worker: HttpWorker) -> None:
    """With the option the environment's own definition names the impersonated URL."""
    assert wove_http_worker.environment_definition["executor_config"]["url"] == PRODUCTION_URL


# Again after a stop


def test_start_after_a_stop_takes_the_same_port(worker: HttpWorker) -> None:
    """The URL is the worker's for good."""
    before = worker.url
    worker.stop()
    assert worker.start().url == before


def test_the_url_outlives_a_stop(worker: HttpWorker) -> None:
    """A stopped worker still says where it was."""
    before = worker.url
    worker.stop()
    assert worker.url == before


def test_a_weave_finds_a_worker_that_was_started_again(wove_http_worker: HttpWorker) -> None:
    """The environment points at it as before."""
    wove_http_worker.stop()
    wove_http_worker.start()
    assert weave_one(answer) == 42


def test_a_port_that_was_taken_meanwhile(worker: HttpWorker) -> None:
    """Who listens on it now is not fought: the error names the port."""
    worker.stop()
    with (
        socket.create_server(("127.0.0.1", worker.port)),
        pytest.raises(PortInUseError, match=str(worker.port)),
    ):
        worker.start()


def test_configured_needs_a_running_worker(worker: HttpWorker) -> None:
    """No environment is pointed at a worker that was stopped."""
    worker.stop()
    with pytest.raises(NotRunningError, match=r"does not run; start\(\) it"), worker.configured():
        pass


@pytest.mark.wove_http(faults=["status times=1"], strict=False)
def test_faults_of_the_options_are_used_up_once(wove_http_worker: HttpWorker) -> None:
    """A stop and a start do not renew what is spent."""
    with pytest.raises(EnvironmentExecutionError):
        weave_one(answer)
    wove_http_worker.stop()
    wove_http_worker.start()
    assert weave_one(answer) == 42


@pytest.mark.wove_http(faults=["status times=1"], strict=False)
def test_reset_renews_the_faults_of_the_options(wove_http_worker: HttpWorker) -> None:
    """After a reset the worker is as its options describe it."""
    with pytest.raises(EnvironmentExecutionError):
        weave_one(answer)
    wove_http_worker.reset()
    with pytest.raises(EnvironmentExecutionError):
        weave_one(answer)


# What strict mode says


def test_check_names_the_injection_that_came_first(wove_http_worker: HttpWorker) -> None:
    """A fault that never fired because an earlier one took every request says so."""
    wove_http_worker.inject("status code=500")
    wove_http_worker.inject("status code=502", times=1)
    with pytest.raises(EnvironmentExecutionError):
        weave_one(answer)
    with pytest.raises(StrictnessError, match="an earlier injection took the request"):
        wove_http_worker.check()
    wove_http_worker.reset()


def test_check_offers_only_what_helps(worker: HttpWorker) -> None:
    """allow_refusals() is no way out of a fault that never fired."""
    worker.inject("hang", times=1)
    with pytest.raises(StrictnessError) as caught:
        worker.check()
    assert "allow_refusals" not in str(caught.value)


# Random decisions


def test_a_seed_of_its_own_decides_alone(worker: HttpWorker) -> None:
    """The same seed= makes the same decisions, whatever was injected before."""

    def drawn() -> list[int]:
        with worker.inject("status", probability=0.5, seed=1):
            return [signed_request(worker, run_frame(answer)).status for _ in range(12)]

    first = drawn()
    worker.inject("slow-body", task="other")
    assert drawn() == first
    assert set(first) == {200, 503}


def test_a_seed_of_its_own_is_not_the_runs(worker: HttpWorker) -> None:
    """The report offers --wove-http-seed only where it would change anything."""
    worker.inject("status", probability=0.5, seed=1)
    assert "--wove-http-seed" not in worker.report()


# What a task cannot take along


def test_a_worker_cannot_travel(wove_http_worker: HttpWorker) -> None:
    """A task that uses its test's worker is told what is wrong."""

    def inside() -> int:
        return len(wove_http_worker.runs)

    with pytest.raises(EnvironmentExecutionError, match=r"a HttpWorker of .* cannot travel"):
        weave_one(inside)


@pytest.mark.parametrize("make", ["hold", "inject"])
def test_what_a_worker_gives_cannot_travel(worker: HttpWorker, make: str) -> None:
    """Neither can a gate or an injection."""
    thing = worker.hold() if make == "hold" else worker.inject("hang")
    with pytest.raises(TypeError, match="cannot travel to the worker"):
        cloudpickle.dumps(thing)


# Waiting and asking


@pytest.mark.parametrize(
    "words", [{"count": 0}, {"count": "2"}, {"timeout": -1}, {"timeout": "x"}, {"task": 3}]
)
def test_wait_for_refuses(worker: HttpWorker, words: dict[str, Any]) -> None:
    """What cannot be waited for is a usage error."""
    with pytest.raises(UsageError):
        worker.wait_for(**words)


@pytest.mark.parametrize("words", [{"n": 0}, {"n": "x"}, {"timeout": -1}])
def test_wait_arrived_refuses(worker: HttpWorker, words: dict[str, Any]) -> None:
    """The same at a gate."""
    with pytest.raises(UsageError):
        worker.hold().wait_arrived(**words)


def test_wait_arrived_in_a_loop(worker: HttpWorker) -> None:
    """A wait that blocks an event loop says what would not."""

    async def blocking() -> None:
        worker.hold().wait_arrived(timeout=0.01)

    with pytest.raises(WaitTimeoutError, match=r"use await gate\.arrived\(\)"):
        asyncio.run(blocking())


def test_last_of_a_task_that_did_not_run(wove_http_worker: HttpWorker) -> None:
    """The error names the task, and what did arrive."""
    weave_one(answer)
    with pytest.raises(LookupError, match=r"no run of 'nope' has arrived, but <runs: <Run answer"):
        _ = wove_http_worker.runs["nope"].last


# Impersonating


@pytest.mark.parametrize(
    "url",
    [
        "https://workers internal/x",
        "https://user:pw@workers.internal/x",
        "https://workers.internal/ä",
        "https://a..b/x",
        f"https://{'a' * 64}.internal/x",
    ],
)
def test_impersonate_refuses(worker: HttpWorker, url: str) -> None:
    """A URL that no executor could use is told at once."""
    with pytest.raises(UsageError, match="impersonate"), worker.impersonate(url):
        pass


def test_a_wrong_path_is_told_all_right_ones(worker: HttpWorker) -> None:
    """The worker's own and those it impersonates."""
    with worker.impersonate("https://workers.internal/other"):
        body = run_frame(answer)
        target = "/nowhere"
        headers = credentials(worker, body, target)
        refused = send_one(worker, request_bytes(headers, body, target=target))
    assert "/wove/tasks or /other" in refused.error
