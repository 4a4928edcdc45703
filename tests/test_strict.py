"""Strict mode: when ``HttpWorker.check()`` raises, and what its message says."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from concurrent.futures import ThreadPoolExecutor

import pytest
import wove
from wove.environment import EnvironmentExecutionError

from tests.support import (
    TIMEOUT,
    MakeWorker,
    answer,
    connect,
    request_bytes,
    run_frame,
    send_one,
    signed_request,
    weave_one,
)
from wove_http_dev.call_site import call_site
from wove_http_dev.errors import StrictnessError
from wove_http_dev.faults.injections import Injection
from wove_http_dev.runs.holds import Gate
from wove_http_dev.runs.stubs import Stub
from wove_http_dev.service import host
from wove_http_dev.worker import HttpWorker

# Refused requests


def refuse_one(worker: HttpWorker) -> None:
    """Send a request that is refused."""
    send_one(worker, request_bytes({}, run_frame(answer)))


def test_accepted_requests_pass(wove_http_worker: HttpWorker) -> None:
    """A worker that only had ordinary requests passes ``check()``."""
    weave_one(answer)
    wove_http_worker.check()


def test_refused_request_is_a_violation(worker: HttpWorker) -> None:
    """``check()`` raises after a refused request."""
    refuse_one(worker)
    with pytest.raises(StrictnessError, match="a request was refused"):
        worker.check()


def test_refusal_counts_before_its_answer_is_written(worker: HttpWorker) -> None:
    """A refusal is a violation before a byte of its response is sent: a client that has read the
    response may call ``check()`` at once."""
    exchange = worker.journal.open()
    exchange.refusal = "unsigned"
    worker.journal.update(exchange)
    assert worker.journal.violations == [exchange]


def test_refusal_counts_once(worker: HttpWorker) -> None:
    """A refusal is still one violation after its response was written."""
    refuse_one(worker)
    worker.stop()
    assert len(worker.journal.violations) == 1


@pytest.mark.parametrize("failure", [True, False])
def test_many_violations(worker: HttpWorker, failure: bool) -> None:
    """Of very many violations with long texts the message lists some."""
    for _ in range(100):
        exchange = worker.journal.open()
        exchange.refusal, exchange.internal_error = "\U000e0001" * 10**5, failure
        worker.journal.close(exchange)
    with pytest.raises(StrictnessError, match="\n- and 80 more of this kind\n") as caught:
        worker.check()
    assert len(str(caught.value)) < 100_000


def test_many_unfired_faults(worker: HttpWorker) -> None:
    """Of very many faults that never fired the message lists some."""
    for _ in range(100):
        worker.inject("status", times=1, task="x" * 10**5)
    with pytest.raises(StrictnessError, match="\n- and 80 more of this kind\n") as caught:
        worker.check()
    assert len(str(caught.value)) < 100_000


def test_check_shows_the_journal(worker: HttpWorker) -> None:
    """The message contains the journal."""
    refuse_one(worker)
    with pytest.raises(StrictnessError, match="journal: 1 exchange"):
        worker.check()


def test_check_says_how_to_opt_out(worker: HttpWorker) -> None:
    """The message names both ways to opt out."""
    refuse_one(worker)
    with pytest.raises(StrictnessError, match=r"strict=False .* worker\.allow_refusals\(\)"):
        worker.check()


def test_rejected_certificate_is_a_violation(
    worker: HttpWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``check()`` raises when a client rejected the worker's certificate, and says so."""
    monkeypatch.setattr(host, "SETTLE_TIME", TIMEOUT)  # a busy machine may need more than 0.2 s
    context = ssl.create_default_context()
    with connect(worker, tls=False) as sock, pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(sock, server_hostname="localhost")
    with pytest.raises(StrictnessError, match="rejected the worker's certificate"):
        worker.check()


def test_port_probe_is_not_a_violation(worker: HttpWorker) -> None:
    """A connection that sent no byte passes ``check()``."""
    connect(worker, tls=False).close()
    signed_request(worker, run_frame(answer))
    worker.check()


def test_allow_refusals(worker: HttpWorker) -> None:
    """After ``allow_refusals()`` a refused request passes."""
    worker.allow_refusals()
    refuse_one(worker)
    worker.check()


def test_reset_forgets_allow_refusals(worker: HttpWorker) -> None:
    """``reset()`` undoes ``allow_refusals()``."""
    worker.allow_refusals()
    worker.reset()
    refuse_one(worker)
    with pytest.raises(StrictnessError):
        worker.check()


def test_refusal_by_a_fault_is_not_a_violation(wove_http_worker: HttpWorker) -> None:
    """A refusal that a fault caused passes ``check()``."""
    wove_http_worker.inject("reject-auth times=1")
    with pytest.raises(Exception, match="401"):
        weave_one(answer)
    wove_http_worker.check()


# What matched nothing


USES = {
    "hold": "hold('covnert')",
    "stub": "stub('covnert')",
    "inject": "inject('slow-response', task='covnert')",
}


def use(
    worker: HttpWorker, kind: str, task: str, *, unused_ok: bool = False
) -> Gate | Stub | Injection:
    """Hold, stub, or inject a fault into, the task."""
    if kind == "hold":
        return worker.hold(task, unused_ok=unused_ok)
    if kind == "stub":
        return worker.stub(task, result=1, unused_ok=unused_ok)
    return worker.inject("slow-response", task=task, unused_ok=unused_ok)


@pytest.mark.parametrize("isolated", [False, True], ids=["in-process", "isolated"])
@pytest.mark.parametrize("kind", USES)
def test_what_matches_nothing_is_a_violation(
    make_worker: MakeWorker, kind: str, isolated: bool
) -> None:
    """A misspelt task name of a hold, stub or injection is a violation, which lists the tasks seen
    and the one that was meant."""
    worker = make_worker(isolated=isolated)
    used = use(worker, kind, "covnert")
    for task in ("convert", "store"):
        signed_request(worker, run_frame(answer, task=task))
    with pytest.raises(StrictnessError) as caught:
        worker.check()
    what = "never fired" if kind == "inject" else "matched"
    call = f"{USES[kind]} at {used.place}"
    line = f"no run matched {call}" if what == "matched" else f"{call} never fired"
    assert str(caught.value).splitlines()[1] == (
        f"- {line}; tasks seen: convert, store; did you mean 'convert'?"
    )


@pytest.mark.parametrize("kind", USES)
def test_a_block_that_ended_without_a_match(worker: HttpWorker, kind: str) -> None:
    """What was in force in a block only, and matched nothing, is a violation."""
    with use(worker, kind, "covnert"):
        pass
    with pytest.raises(StrictnessError, match=re.escape(USES[kind])):
        worker.check()


@pytest.mark.parametrize("kind", USES)
def test_unused_ok(worker: HttpWorker, kind: str) -> None:
    """``unused_ok=True`` opts out."""
    use(worker, kind, "covnert", unused_ok=True)
    worker.check()


@pytest.mark.parametrize("kind", USES)
def test_reset_forgets_what_matched_nothing(worker: HttpWorker, kind: str) -> None:
    """After ``reset()`` it is no violation."""
    use(worker, kind, "covnert")
    worker.reset()
    worker.check()


def test_what_a_stop_removed_is_a_violation(worker: HttpWorker) -> None:
    """A hold that matched nothing before the worker was stopped is a violation."""
    worker.hold("covnert")
    worker.stop()
    with pytest.raises(StrictnessError, match="no run matched"):
        worker.check()


@pytest.mark.parametrize("kind", USES)
def test_unused_ok_is_offered(worker: HttpWorker, kind: str) -> None:
    """The message says how to opt out."""
    use(worker, kind, "covnert")
    with pytest.raises(StrictnessError, match=r"unused_ok=True .* need not match\)"):
        worker.check()


@pytest.mark.parametrize("kind", ["hold", "stub"])
def test_a_refused_request_is_a_match(worker: HttpWorker, kind: str) -> None:
    """A hold or stub whose task was refused has the right name."""
    worker.allow_refusals()
    use(worker, kind, "task")
    refuse_one(worker)
    worker.check()


@pytest.mark.parametrize("kind", USES)
def test_a_fault_kept_requests_away(wove_http_worker: HttpWorker, kind: str) -> None:
    """What a fault of the connection kept from matching is no violation."""
    wove_http_worker.inject("handshake-close")
    use(wove_http_worker, kind, "answer")
    with pytest.raises(EnvironmentExecutionError):
        weave_one(answer)
    wove_http_worker.check()


@pytest.mark.parametrize("kind", ["hold", "stub"])
def test_initial_values_match_nothing(wove_http_worker: HttpWorker, kind: str) -> None:
    """A hold or stub of the name of an initial value is a violation."""
    use(wove_http_worker, kind, "data")
    with pytest.raises(StrictnessError, match=r"\('data'\) at .+; no run has arrived"):
        wove_http_worker.check()
    wove_http_worker.reset()


def test_shadowed_stub(worker: HttpWorker) -> None:
    """An older stub of the same task, whose place a newer one has, is no violation."""
    worker.stub("task", result=1)
    worker.stub("task", result=2)
    signed_request(worker, run_frame(answer))
    worker.check()


def test_injection_with_another_command(worker: HttpWorker) -> None:
    """An injection that met requests says why it hit none."""
    worker.inject("slow-cancel")
    signed_request(worker, run_frame(answer))
    with pytest.raises(
        StrictnessError,
        match=r"inject\('slow-cancel'\) at .+ never fired: run_task is not cancel_task\n",
    ):
        worker.check()


def test_injection_that_let_all_through(worker: HttpWorker) -> None:
    """An injection that let every request through is a violation."""
    worker.inject("slow-response", after=3)
    signed_request(worker, run_frame(answer))
    with pytest.raises(StrictnessError, match=r"after=3.* never fired: let through: 1 of after=3"):
        worker.check()


def test_injection_by_chance(worker: HttpWorker) -> None:
    """An injection with ``probability`` need hit nothing."""
    worker.inject("slow-response", probability=0.0)
    signed_request(worker, run_frame(answer))
    worker.check()


def test_closed_listener_need_hit_nothing(worker: HttpWorker) -> None:
    """A worker cannot see the connections that a closed listening socket refuses."""
    worker.inject("refuse-connections")
    worker.hold("task")
    worker.check()


def test_fault_of_the_options_may_have_nothing_to_hit(make_worker: MakeWorker) -> None:
    """A fault of the options is no violation if nothing arrived."""
    make_worker(faults=["slow-response task=covnert"]).check()


def test_fault_of_the_options_that_selects_nothing(make_worker: MakeWorker) -> None:
    """A fault of the options that selects none of the requests is a violation."""
    worker = make_worker(faults=["slow-response task=tusk"])
    signed_request(worker, run_frame(answer))
    with pytest.raises(StrictnessError, match=r"tasks seen: task; did you mean 'task'\?\n"):
        worker.check()


# arrived()


@pytest.mark.asyncio
async def test_arrived_without_await(worker: HttpWorker) -> None:
    """A call of ``arrived()`` that nothing awaits is a violation, which says what to do."""
    gate = worker.hold("task", unused_ok=True)
    waiting, place = gate.arrived(), call_site()
    with pytest.raises(StrictnessError) as caught:
        worker.check()
    waiting.close()
    assert str(caught.value).splitlines()[1] == (
        f"- hold('task').arrived() at {place} was never awaited, so nothing waited for a run:"
        " await it"
    )


@pytest.mark.asyncio
async def test_arrived_with_await(worker: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """A call that is awaited, as a task too, is no violation."""
    gate = worker.hold("task")
    waiting = asyncio.create_task(gate.arrived(timeout=TIMEOUT))
    sent = pool.submit(signed_request, worker, run_frame(answer))
    await waiting
    await gate.arrived(timeout=TIMEOUT)
    gate.release()
    await asyncio.wrap_future(sent)
    worker.check()


# Faults that never fired


@pytest.mark.parametrize("field", ["type", "task_id"])
def test_unfired_fault_shows_a_bounded_claim(worker: HttpWorker, field: str) -> None:
    """A long name in a request without credentials is cut in the message about a fault that never
    fired."""
    worker.allow_refusals()
    worker.inject("status", times=1, task="x", command="run_task")
    send_one(
        worker, request_bytes({}, json.dumps({"type": "run_task", field: "A" * 9999}).encode())
    )
    with pytest.raises(StrictnessError) as caught:
        worker.check()
    assert 150 < str(caught.value).partition("journal:")[0].count("A") < 250


@pytest.mark.parametrize("isolated", [False, True], ids=["in-process", "isolated"])
@pytest.mark.parametrize("field", ["type", "task_id"])
def test_unfired_fault_shows_no_secret(make_worker: MakeWorker, field: str, isolated: bool) -> None:
    """A secret in a body is not in the message about a fault that never fired."""
    worker = make_worker(secret="correct-horse", isolated=isolated)
    worker.allow_refusals()
    worker.inject("status", times=1, task="x", command="run_task")
    body = {"type": "run_task", field: "so correct-horse"}
    send_one(worker, request_bytes({}, json.dumps(body).encode()))
    with pytest.raises(StrictnessError, match=r"so \[redacted\]") as caught:
        worker.check()
    assert "horse" not in str(caught.value)


def test_check_names_the_injection_that_came_first(wove_http_worker: HttpWorker) -> None:
    """The message says that an earlier injection hit every request."""
    wove_http_worker.inject("status code=500")
    wove_http_worker.inject("status code=502", times=1)
    with pytest.raises(EnvironmentExecutionError):
        weave_one(answer)
    with pytest.raises(StrictnessError, match="an earlier injection took the request"):
        wove_http_worker.check()
    wove_http_worker.reset()


def test_check_offers_only_what_helps(worker: HttpWorker) -> None:
    """The message about a fault that never fired does not mention ``allow_refusals()``."""
    worker.inject("hang", times=1)
    with pytest.raises(StrictnessError) as caught:
        worker.check()
    assert "allow_refusals" not in str(caught.value)


# An environment that was configured away


@pytest.mark.parametrize("message", [r"https://app\.internal/tasks", "impersonate="])
def test_repointed_environment_is_a_violation(worker: HttpWorker, message: str) -> None:
    """When the application's own ``wove.config`` replaced the environment, the message names the
    new URL and offers ``impersonate``."""
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


def test_repointed_environment_shows_no_password(worker: HttpWorker) -> None:
    """The message does not show the password in the new URL."""
    url = "https://u:correct-horse@app.internal/tasks?token=correct-horse"
    with worker.configured():
        environment = {"executor": "https", "executor_config": {"url": url}}
        wove.config(environments={"workers": environment})
        with pytest.raises(StrictnessError, match=r"app\.internal/tasks") as caught:
            worker.check()
    assert "horse" not in str(caught.value)


def test_local_environment_is_a_violation(worker: HttpWorker) -> None:
    """``check()`` raises when the environment became a local one."""
    with worker.configured():
        wove.config(environments={"workers": {"executor": "local"}})
        with pytest.raises(StrictnessError, match="no longer points at this worker"):
            worker.check()


def test_environment_is_not_checked_afterwards(worker: HttpWorker) -> None:
    """After ``configured()`` has ended the environment is not checked."""
    with worker.configured():
        pass
    worker.check()


def test_stopped_worker_can_be_checked(wove_http_worker: HttpWorker) -> None:
    """``check()`` works after ``stop()``."""
    wove_http_worker.stop()
    wove_http_worker.check()
    assert not wove_http_worker.running
