"""Strict mode: when ``HttpWorker.check()`` raises, and what its message says."""

from __future__ import annotations

import json
import ssl

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
from wove_http_dev.errors import StrictnessError
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


# Faults that never fired


def test_fault_with_times_must_fire(worker: HttpWorker) -> None:
    """``check()`` raises when an injection with ``times`` hit nothing, and shows the nearest
    miss."""
    worker.inject("slow-response times=1 task=render_report")
    signed_request(worker, run_frame(answer))
    with pytest.raises(StrictnessError, match=r"never fired: task 'task' does not match"):
        worker.check()


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


def test_fault_without_times_may_never_fire(worker: HttpWorker) -> None:
    """An injection without ``times`` may hit nothing."""
    worker.inject("slow-response")
    worker.check()


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
