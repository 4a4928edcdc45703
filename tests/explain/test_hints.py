"""What the exceptions that end a test mean. The texts are in ``tests/new_users_mistakes.md``."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from asyncio import CancelledError
from typing import NoReturn

import pytest
from wove import weave
from wove.environment import DeliveryTimeoutError, EnvironmentExecutionError

from wove_http_dev.explain.hints import hint
from wove_http_dev.remote_worker import RemoteWorker
from wove_http_dev.worker import HttpWorker


def failed(kind: str, message: str = "") -> EnvironmentExecutionError:
    """Wove's error for a request that failed."""
    return EnvironmentExecutionError({"kind": kind, "message": message, "source": "transport"})


def remote(secret: str | None) -> RemoteWorker:
    """The worker of another process."""
    url = "http://localhost:1/tasks"
    return RemoteWorker(url, secret=secret, token=None, ca_file=None, skip=pytest.fail)


@pytest.mark.parametrize(
    "exc",
    [
        AssertionError("assert 42 == 43"),
        NameError("name 'convert' is not defined"),
        ValueError("raised by the test itself"),
        CancelledError(),
        failed("HTTPError", "HTTP Error 503: Service Unavailable"),
        DeliveryTimeoutError("Delivery timeout exceeded for task 'convert' (1s)."),
    ],
    ids=repr,
)
def test_unknown(exc: BaseException) -> None:
    """Another exception has no hint."""
    assert hint(exc, [HttpWorker()]) == ""


class Hostile(Exception):
    """An exception whose attributes raise."""

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(name)


def test_exception_whose_attributes_raise() -> None:
    """It has no hint: pytest would end the whole session at an error here."""
    assert hint(Hostile(), [HttpWorker()]) == ""


def test_nearest_environment() -> None:
    """Of several workers, the environment that was probably meant is suggested."""
    workers = [HttpWorker(environment="billing"), HttpWorker(environment="reports")]
    exc = NameError("Environment 'report' is not configured.")
    assert "@w.do(environment='reports')" in hint(exc, workers)


def test_environment_that_was_configured() -> None:
    """The environment of a worker, which Wove has lost, is not said to be another one."""
    exc = NameError("Environment 'workers' is not configured.")
    with HttpWorker() as worker, worker.configured():
        text = hint(exc, [worker])
    assert text.startswith("Wove had the environment 'workers' when the fixture configured it")


def test_environment_that_was_never_configured() -> None:
    """A worker that was not put into Wove's configuration is not said to have been lost there."""
    exc = NameError("Environment 'workers' is not configured.")
    assert "use `with worker.configured():`" in hint(exc, [HttpWorker()])


@pytest.mark.parametrize("by", ["attribute", "key"])
def test_no_result(by: str) -> None:
    """A result that is missing because another task failed names that task and its error."""
    with weave() as w:

        @w.do
        def charge() -> NoReturn:
            raise ValueError("card declined")

        @w.do
        async def label() -> None:
            await asyncio.Event().wait()

    with pytest.raises((AttributeError, KeyError)) as caught:
        w.result.label if by == "attribute" else w.result["label"]
    text = hint(caught.value, [HttpWorker()])
    assert "its task 'charge' failed (ValueError: card declined)" in text


def test_name_without_a_result() -> None:
    """A result that no task has is not explained so."""
    with weave() as w, pytest.raises(AttributeError) as caught:
        _ = w.result.label
    assert "failed" not in hint(caught.value, [HttpWorker()])


def test_parameter_without_a_value() -> None:
    """A weave that Wove did not begin, for want of a value, is not said to lack its environment."""
    with pytest.raises(NameError) as caught, weave() as w:

        @w.do(environment="workers")
        def convert(size: int = 3) -> int:
            return size

    assert "pass it as weave(NAME=…)" in hint(caught.value, [HttpWorker()])


def test_text_is_printable() -> None:
    """A name cannot write to the terminal."""
    assert "\x1b" not in hint(NameError("Environment '\x1b[2J' is not configured."), [])


def test_remote_worker_without_credentials() -> None:
    """A refusal where none were given names the options for them."""
    exc = failed("HTTPError", "HTTP Error 401: Unauthorized")
    assert "--wove-http-secret-env NAME" in hint(exc, [remote(None)])


def test_remote_worker_with_other_credentials() -> None:
    """A refusal of those that were given says what can be wrong."""
    exc = failed("HTTPError", "HTTP Error 401: Unauthorized")
    assert "give it and --wove-http-… the same secret" in hint(exc, [remote("secret")])


def test_remote_worker_at_another_path() -> None:
    """A 404 names the path that is wrong, and the option that has it."""
    exc = failed("HTTPError", "HTTP Error 404: Not Found")
    text = "the worker service takes no tasks at /tasks: correct the path of --wove-http-url"
    assert hint(exc, [remote("secret")]) == text


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("OutOfStock", "it does not survive pickling unchanged, or is not an Exception"),
        ("TimeoutError", "Wove would take a TimeoutError for its own, and cancel the weave"),
    ],
)
def test_exception_that_is_only_described(kind: str, why: str) -> None:
    """An exception of a task that arrives as Wove's own error is explained."""
    error = {"kind": kind, "message": "2 left", "source": "task", "traceback": "Traceback …"}
    text = hint(EnvironmentExecutionError(error), [HttpWorker()])
    assert text.startswith(f"the task raised {kind}, which arrives as EnvironmentExecutionError")
    assert f"because {why}" in text


def test_process_that_ended() -> None:
    """A task's process that has ended raised nothing: its message says it all."""
    error = {"kind": "TaskProcessEnded", "message": "…", "source": "task", "traceback": ""}
    assert hint(EnvironmentExecutionError(error), [HttpWorker()]) == ""


def test_what_arrived_was_sent(wove_http_worker: HttpWorker) -> None:
    """An error of the kind that an unpicklable task has is nothing of it where a task arrived."""
    assert hint(failed("TypeError"), [wove_http_worker]) != ""
    wove_http_worker.allow_refusals()
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(wove_http_worker.url, data=b"{}")
    assert hint(failed("TypeError"), [wove_http_worker]) == ""
