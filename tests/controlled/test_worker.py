"""``ControlledWorker``: the members of ``HttpWorker`` for a worker of another process."""

from __future__ import annotations

import importlib.metadata
import pickle
from dataclasses import dataclass
from typing import Any

import pytest

from tests.controlled.helpers import Skipped, controlled
from tests.scripted_server import answer as reply
from tests.scripted_server import scripted
from tests.support import answer, weave_one
from wove_http_dev.assertions import assert_contained
from wove_http_dev.controlled.worker import ControlledWorker, check_control
from wove_http_dev.errors import StrictnessError, UsageError, WaitTimeoutError
from wove_http_dev.faults import FAULTS, Status
from wove_http_dev.faults.fault import Fault
from wove_http_dev.faults.text import parse_fault
from wove_http_dev.inspector.client import ControlClient
from wove_http_dev.worker import HttpWorker

VERSION = importlib.metadata.version("wove-http-dev")


@pytest.mark.parametrize("name", sorted(n for n in dir(HttpWorker) if not n.startswith("_")))
def test_has_every_member(name: str) -> None:
    """Every public member of HttpWorker is declared, so that using it either skips or works."""
    assert hasattr(ControlledWorker, name)


@pytest.mark.parametrize(
    "name", ["start", "stop", "restart", "crash", "impersonate", "order", "orders"]
)
def test_member_of_a_local_worker_skips(worker: ControlledWorker, name: str) -> None:
    """A member that the control API cannot serve skips the test with its name."""
    with pytest.raises(Skipped, match=rf"worker\.{name} needs a worker of this process"):
        getattr(worker, name)


@pytest.mark.parametrize("option", [{"isolated": True}, {"impersonate": "https://a.internal/"}])
def test_option_of_a_local_worker_skips(
    theirs: HttpWorker, client: ControlClient, option: dict[str, Any]
) -> None:
    """An option that only a worker of the test's process can have skips the test."""
    with pytest.raises(Skipped, match="needs a worker of this process"):
        controlled(client, theirs, **option)


SERVED = {"max_body": 1000, "port": 8443, "hosts": ["a.internal"]}


@pytest.mark.parametrize("option", [{"max_body": 1000}, {"port": 0}, {"hosts": ["a.internal"]}])
def test_option_of_the_service(
    theirs: HttpWorker, client: ControlClient, option: dict[str, Any]
) -> None:
    """A test runs with an option that the running service has too."""
    controlled(client, theirs, served=SERVED, **option)


@pytest.mark.parametrize("option", [{"max_body": 5}, {"port": 8444}, {"hosts": ["b.internal"]}])
def test_other_option_of_the_service(
    theirs: HttpWorker, client: ControlClient, option: dict[str, Any]
) -> None:
    """A test with an option that the running service does not have skips, and says what it has."""
    [name] = option
    with pytest.raises(Skipped, match=f"--wove-http-control, which has {name}="):
        controlled(client, theirs, served=SERVED, **option)


def test_option_faults(theirs: HttpWorker, client: ControlClient) -> None:
    """The faults of the options are in force during the test."""
    with controlled(client, theirs, faults=["hang"]) as worker:
        assert [injection.background for injection in worker.injections] == [True]


def test_cannot_be_pickled(worker: ControlledWorker) -> None:
    """A handle cannot be pickled: its secret would go where the pickle goes."""
    with pytest.raises(TypeError, match="of wove-http-dev"):
        pickle.dumps(worker)


def test_wait_ends(worker: ControlledWorker) -> None:
    """A wait ends after its timeout, with what arrived in the message."""
    weave_one(answer)
    with pytest.raises(WaitTimeoutError, match=r"1 of 2 runs of 'answer'[\s\S]*run_task answer"):
        worker.wait_for("answer", count=2, timeout=0.01)


def test_strict(worker: ControlledWorker) -> None:
    """A fault that nothing met is a failure of strict mode, with its place."""
    worker.inject("hang")
    with pytest.raises(StrictnessError, match=r"inject\('hang'\) at .*test_worker.py:\d+ never"):
        worker.check()


def test_report_without_serve(theirs: HttpWorker) -> None:
    """The report of a test whose ``serve`` has ended says so."""
    with scripted() as server:
        worker = controlled(ControlClient(server.url, "t"), theirs)
    worker._host._open = True
    assert "no serve answers at" in worker.report()


def test_faults_are_sent_whole() -> None:
    """The text of each fault of the catalogue is that fault."""
    assert [name for name, kind in FAULTS.items() if parse_fault(str(kind()))[0] != kind()] == []


def test_own_fault_skips(worker: ControlledWorker) -> None:
    """A fault of a test's own cannot be sent."""

    class Own(Fault):
        stage = "response"

    with pytest.raises(Skipped, match="the fault own is not in the catalogue"):
        worker.inject(Own())


def test_crash_skips(worker: ControlledWorker) -> None:
    """A fault that ends the worker skips the test."""
    crash = next(name for name, kind in FAULTS.items() if kind.crashes)
    with pytest.raises(Skipped, match="would end the worker of others"):
        worker.why_not(crash)


def test_why_not(client: ControlClient, theirs: HttpWorker) -> None:
    """Why a fault cannot apply is what the worker says of it."""
    with controlled(client, theirs) as worker:
        said = {name: theirs.why_not(name) for name, kind in FAULTS.items() if not kind.crashes}
        assert {name: worker.why_not(name) for name in said} == said


def test_assert_contained(worker: ControlledWorker) -> None:
    """``assert_contained`` works with a fault in force there."""
    worker.inject(Status(code=503))
    with assert_contained(worker) as contained:  # type: ignore[arg-type]
        weave_one(answer)
    assert contained.error is not None


def test_attempts(worker: ControlledWorker) -> None:
    """``assert_contained`` counts how often a task ran with the same arguments."""
    checked = assert_contained(worker)  # type: ignore[arg-type]
    checked.__enter__()
    weave_one(answer)
    weave_one(answer)
    with pytest.raises(AssertionError, match="'answer' ran 2 times with the same arguments"):
        checked.__exit__(None, None, None)


@dataclass
class Setup:
    """What a control API tells of its worker, and what is wrong with it."""

    told: Any
    url: str | None
    error: str


RIGHT = {"version": VERSION, "url": "https://localhost:8443/wove/tasks"}


@pytest.mark.parametrize(
    "setup",
    [
        Setup({**RIGHT, "version": "0.0.1"}, None, "is wove-http-dev 0.0.1, and the tests have"),
        Setup({}, None, "another version"),
        Setup(RIGHT, "https://localhost:8445/wove/tasks", "is not that of --wove-http-url"),
        Setup(RIGHT, "https://localhost:8443/", "is not that of --wove-http-url"),
        Setup(RIGHT, "http://localhost:8443/wove/tasks", "is not that of --wove-http-url"),
    ],
    ids=["version", "no-version", "port", "path", "scheme"],
)
def test_wrong_control(setup: Setup) -> None:
    """A control API that is not that of the worker is an error."""
    with scripted(reply(200, setup.told)) as server, pytest.raises(UsageError, match=setup.error):
        check_control(ControlClient(server.url, "t"), setup.url)


@pytest.mark.parametrize("url", [None, RIGHT["url"], "https://127.0.0.1:8443/wove/tasks"])
def test_right_control(url: str | None) -> None:
    """The host of the URL may have another name."""
    with scripted(reply(200, RIGHT)) as server:
        assert check_control(ControlClient(server.url, "t"), url) == RIGHT
