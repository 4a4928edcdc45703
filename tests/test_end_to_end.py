"""Weaves through Wove's real executor to the worker of the fixture."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
import wove
from wove import weave
from wove.environment import EnvironmentExecutionError

from tests.support import PRODUCTION_URL, answer, weave_one
from wove_http_dev.pytest_plugin.fixtures import WorkerFactory
from wove_http_dev.worker import HttpWorker

MEGABYTE = 2**20


def test_result(wove_http_worker: HttpWorker) -> None:
    """The result of the weave is the task's return value."""
    assert weave_one(answer) == 42


def test_task_ran_on_the_worker(wove_http_worker: HttpWorker) -> None:
    """The body runs in a thread of the worker."""

    def thread() -> str:
        return threading.current_thread().name

    assert weave_one(thread).startswith("wove-http-dev-")


def test_dependency(wove_http_worker: HttpWorker) -> None:
    """One remote task's result is the other's argument."""
    with weave() as w:

        @w.do(environment="workers")
        def base() -> int:
            return 20

        @w.do(environment="workers")
        def doubled(base: int) -> int:
            return base * 2

    assert w.result.doubled == 40


def test_arguments_in_the_journal(wove_http_worker: HttpWorker) -> None:
    """The run's arguments are those that Wove resolved for the call."""
    with weave(left="L") as w:

        @w.do
        def right() -> str:
            return "R"

        @w.do(environment="workers")
        def joined(left: str, right: str) -> str:
            return left + right

    assert wove_http_worker.runs["joined"].last.args == {"left": "L", "right": "R"}


def test_async_task(wove_http_worker: HttpWorker) -> None:
    """An async task is awaited on the worker."""

    async def slept() -> str:
        await asyncio.sleep(0)
        return "awake"

    assert weave_one(slept) == "awake"


@pytest.mark.asyncio
async def test_async_weave(wove_http_worker: HttpWorker) -> None:
    """``async with weave()`` gets its results from the worker as well."""
    async with weave() as w:

        @w.do(environment="workers")
        def task() -> int:
            return 42

    assert w.result.task == 42


def test_mapped_task(wove_http_worker: HttpWorker) -> None:
    """A mapped task has its 100 results in the order of the items."""
    with weave() as w:

        @w.do(range(100), environment="workers")
        def square(item: int) -> int:
            return item * item

    assert w.result.square == [item * item for item in range(100)]


def test_large_argument(wove_http_worker: HttpWorker) -> None:
    """An argument of 20 MB arrives whole."""
    with weave(blob=b"x" * (20 * MEGABYTE)) as w:

        @w.do(environment="workers")
        def size(blob: bytes) -> int:
            return len(blob)

    assert w.result.size == 20 * MEGABYTE


def test_large_result(wove_http_worker: HttpWorker) -> None:
    """A result of 20 MB comes back whole."""

    def blob() -> bytes:
        return b"x" * (20 * MEGABYTE)

    assert len(weave_one(blob)) == 20 * MEGABYTE


def test_exception_type_and_message(wove_http_worker: HttpWorker) -> None:
    """An ordinary exception is raised as itself where the result is read."""

    def fails() -> NoReturn:
        raise KeyError("no such account")

    with pytest.raises(KeyError, match="no such account"):
        weave_one(fails)


def divide() -> NoReturn:
    """A task that fails."""
    raise ZeroDivisionError("nothing to share")


@pytest.mark.parametrize("isolated", [False, True], ids=["in-process", "isolated"])
def test_traceback_names_the_line_of_the_task(
    wove_http_worker_factory: WorkerFactory, isolated: bool
) -> None:
    """A task that is defined in the test fails at a line of the test's file."""

    def fails() -> NoReturn:
        raise KeyError("no such account")

    worker = wove_http_worker_factory(isolated=isolated)
    with pytest.raises(KeyError):
        weave_one(fails)
    text = worker.runs.last.traceback or ""
    assert f'File "{__file__}"' in text
    assert 'raise KeyError("no such account")' in text


def test_traceback_starts_at_the_task(wove_http_worker: HttpWorker) -> None:
    """The worker's own calls are not in the traceback."""

    async def fails() -> NoReturn:
        raise KeyError("no such account")

    with pytest.raises(KeyError):
        weave_one(fails)
    text = wove_http_worker.runs.last.traceback or ""
    assert text.count("  File ") == 1


def test_no_traceback_without_a_failure(wove_http_worker: HttpWorker) -> None:
    """A run that succeeded has no traceback."""
    weave_one(answer)
    assert wove_http_worker.runs.last.traceback is None


def test_exception_has_the_traceback_as_its_cause(wove_http_worker: HttpWorker) -> None:
    """The exception as it travelled has the worker's traceback as its cause. What the weave raises
    does not: Wove 2.0 raises it ``from None``, which removes the cause."""

    def fails() -> NoReturn:
        raise KeyError("no such account")

    with pytest.raises(KeyError):
        weave_one(fails)
    error = wove_http_worker.runs.last.error
    assert error is not None
    assert 'raise KeyError("no such account")' in str(error.__cause__)


def test_tracebacks_can_be_left_out(wove_http_worker_factory: WorkerFactory) -> None:
    """With ``tracebacks=False`` the exception has no cause."""
    worker = wove_http_worker_factory(tracebacks=False)
    with pytest.raises(ZeroDivisionError):
        weave_one(divide)
    error = worker.runs.last.error
    assert error is not None
    assert error.__cause__ is None


def test_log_record_names_the_file_of_the_task(
    wove_http_worker: HttpWorker, caplog: pytest.LogCaptureFixture
) -> None:
    """A log record that a task makes in process has the file of the task's source."""

    def logs() -> None:
        import logging

        logging.getLogger("task").warning("low on paper")

    weave_one(logs)
    assert [record.pathname for record in caplog.records if record.name == "task"] == [__file__]


def test_failed_run_in_the_journal(wove_http_worker: HttpWorker) -> None:
    """The run of a task that raised has the exception."""

    def fails() -> NoReturn:
        raise KeyError("no such account")

    with pytest.raises(KeyError):
        weave_one(fails)
    assert isinstance(wove_http_worker.runs.last.error, KeyError)


# Tasks whose outcome cannot be pickled as it is


class TwoArguments(Exception):
    """Does not survive pickling: its ``__init__`` takes more arguments than ``args`` has."""

    def __init__(self, left: str, right: str) -> None:
        super().__init__(f"{left} and {right}")


class NotImportable:
    """Pickles to an import that fails where it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return importlib.import_module, ("no_such_module_zz",)


def unpicklable_result() -> Any:
    return threading.Lock()


def not_round_tripping() -> NoReturn:
    raise TwoArguments("this", "that")


def exits() -> NoReturn:
    raise SystemExit(3)


def interrupts() -> NoReturn:
    raise KeyboardInterrupt("ctrl-c")


def times_out() -> NoReturn:
    raise TimeoutError("too late")


def stops_iteration() -> NoReturn:
    raise StopIteration("done")


def _not_importable() -> Callable[[], str]:
    closed_over = NotImportable()

    def needs_a_module() -> str:
        return repr(closed_over)

    return needs_a_module


AWKWARD = [
    pytest.param(unpicklable_result, "TypeError", "lock", id="unpicklable-result"),
    pytest.param(not_round_tripping, "TwoArguments", "this and that", id="exception-2-args"),
    pytest.param(exits, "SystemExit", "3", id="SystemExit"),
    pytest.param(interrupts, "KeyboardInterrupt", "ctrl-c", id="KeyboardInterrupt"),
    pytest.param(times_out, "TimeoutError", "too late", id="TimeoutError"),
    pytest.param(stops_iteration, "StopIteration", "done", id="StopIteration"),
    pytest.param(_not_importable(), "ModuleNotFoundError", "no_such_module_zz", id="import"),
]
awkward = pytest.mark.parametrize(("task", "kind", "message"), AWKWARD)


def weave_error(task: Callable[..., Any]) -> EnvironmentExecutionError:
    with pytest.raises(EnvironmentExecutionError) as caught:
        weave_one(task)
    error: EnvironmentExecutionError = caught.value
    return error


@awkward
def test_awkward_outcome_kind(
    wove_http_worker: HttpWorker, task: Callable[..., Any], kind: str, message: str
) -> None:
    """An outcome that cannot be pickled fails only its task, with its own kind of error."""
    assert weave_error(task).payload["kind"] == kind


@awkward
def test_awkward_outcome_message(
    wove_http_worker: HttpWorker, task: Callable[..., Any], kind: str, message: str
) -> None:
    """The user gets the message of the original error."""
    assert message in str(weave_error(task))


@awkward
def test_awkward_outcome_is_a_task_error(
    wove_http_worker: HttpWorker, task: Callable[..., Any], kind: str, message: str
) -> None:
    """An outcome that cannot be pickled is sent as a task_error event."""
    weave_error(task)
    assert wove_http_worker.exchanges[-1].events == ["task_started", "task_error"]


@awkward
def test_awkward_outcome_is_not_an_http_error(
    wove_http_worker: HttpWorker, task: Callable[..., Any], kind: str, message: str
) -> None:
    """The status is 200: the task failed, not the service."""
    weave_error(task)
    assert wove_http_worker.exchanges[-1].status == 200


@awkward
def test_service_survives_an_awkward_outcome(
    wove_http_worker: HttpWorker, task: Callable[..., Any], kind: str, message: str
) -> None:
    """After an outcome that cannot be pickled the next task is served."""
    weave_error(task)
    assert weave_one(answer) == 42


# Options


@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
@pytest.mark.parametrize("security", ["signed", "bearer", "none"])
def test_transport_and_security(
    wove_http_worker_factory: WorkerFactory, tls: bool, security: str
) -> None:
    """The executor gets its result over http and https with every kind of credentials."""
    wove_http_worker_factory(tls=tls, security=security)
    assert weave_one(answer) == 42


@pytest.mark.parametrize("shape", ["events", "list", "frame"])
def test_response_shape(wove_http_worker_factory: WorkerFactory, shape: str) -> None:
    """The executor reads each of the three response shapes."""
    wove_http_worker_factory(response_shape=shape)
    assert weave_one(answer) == 42


@pytest.mark.wove_http(headers={"X-Tenant": "blue"})
def test_extra_headers_arrive(wove_http_worker: HttpWorker) -> None:
    """The executor sends the headers of the ``headers`` option."""
    weave_one(answer)
    assert ("X-Tenant", "blue") in wove_http_worker.exchanges[-1].headers


def test_two_workers_in_one_weave(wove_http_worker_factory: WorkerFactory) -> None:
    """Tasks of one weave go to the environments that they name."""
    workers = [wove_http_worker_factory(), wove_http_worker_factory()]
    with weave() as w:

        @w.do(environment="workers")
        def left() -> str:
            return "L"

        @w.do(environment="workers-2")
        def right(left: str) -> str:
            return left + "R"

    assert [w.result.right, *(run.task_id for one in workers for run in one.runs)] == [
        "LR",
        "left",
        "right",
    ]


def test_retry_after_a_fault(wove_http_worker: HttpWorker) -> None:
    """A retry succeeds after a fault that hit once."""
    wove_http_worker.inject("reject-auth times=1")
    assert weave_one(answer, retries=1) == 42


def test_retry_is_a_new_run(wove_http_worker: HttpWorker) -> None:
    """A retry has a new run id."""
    wove_http_worker.inject("truncated-body times=1")
    weave_one(answer, retries=1)
    assert len({run.run_id for run in wove_http_worker.runs}) == 2


# Wove's initial values


def weave_with_initial_values() -> Any:
    """The result of a weave that sends its initial values ``data`` and ``x`` as runs."""
    with weave(environment="workers", x=5) as w:

        @w.do
        def plus_one(x: int) -> int:
            return x + 1

    return w.result


def test_initial_values_are_served(wove_http_worker: HttpWorker) -> None:
    """The worker returns Wove's initial values."""
    assert weave_with_initial_values().plus_one == 6


def test_initial_values_are_recognised(wove_http_worker: HttpWorker) -> None:
    """The runs of Wove's initial values have ``initial_value`` set."""
    weave_with_initial_values()
    initial_values = {run.task_id for run in wove_http_worker.all_runs if run.initial_value}
    assert initial_values == {"data", "x"}


def test_initial_values_are_left_out_of_runs(wove_http_worker: HttpWorker) -> None:
    """``runs`` has only the user's tasks."""
    weave_with_initial_values()
    assert [run.task_id for run in wove_http_worker.runs] == ["plus_one"]


def test_faults_do_not_hit_initial_values(wove_http_worker: HttpWorker) -> None:
    """A fault without a selector hits the task and not the initial values."""
    wove_http_worker.inject("reject-auth")
    with pytest.raises(EnvironmentExecutionError, match="401"):
        _ = weave_with_initial_values().plus_one
    hit = {e.task_id for e in wove_http_worker.exchanges if e.status == 401}
    assert hit == {"plus_one"}


def test_faults_hit_initial_values_when_selected(wove_http_worker: HttpWorker) -> None:
    """With ``initial_values=True`` a fault hits initial values."""
    injection = wove_http_worker.inject("reject-auth", task="x", initial_values=True)
    with pytest.raises(EnvironmentExecutionError, match="401"):
        _ = weave_with_initial_values().x
    assert injection.hits == 1


def test_holds_do_not_hold_initial_values(wove_http_worker: HttpWorker) -> None:
    """A gate for every task holds the user's task and no initial value."""
    gate = wove_http_worker.hold(release_when=1)
    weave_with_initial_values()
    assert [run.task_id for run in gate.runs] == ["plus_one"]


def test_user_lambda_is_not_an_initial_value(wove_http_worker: HttpWorker) -> None:
    """A user's lambda is an ordinary run."""
    with weave() as w:
        w.do(environment="workers")(lambda: 7)
    assert not wove_http_worker.runs.last.initial_value


# The configuration of Wove's http page, unchanged


def configure_as_the_http_page(url: str) -> None:
    """Configure Wove for ``url`` as Wove's http page does."""
    wove.config(
        default_environment="workers",
        environments={
            "workers": {
                "executor": "http",
                "executor_config": {
                    "url": url,
                    "security": "env:WOVE_WORKER_SECRET",
                    "timeout": 30.0,
                },
                "delivery_timeout": 35.0,
            }
        },
    )


def render_report() -> str:
    return "report"


@pytest.mark.parametrize("query", ["", "?tenant=7&zone=a%2Fb"])
def test_http_page_configuration(wove_http_worker: HttpWorker, query: str) -> None:
    """With ``impersonate`` an application's own configuration reaches the worker unchanged."""
    with wove_http_worker.impersonate(PRODUCTION_URL + query):
        configure_as_the_http_page(PRODUCTION_URL + query)
        assert weave_one(render_report) == "report"
        wove_http_worker.check()
    wove_http_worker.reset()
    wove.config(environments={"workers": wove_http_worker.environment_definition})


@pytest.mark.wove_http(impersonate=PRODUCTION_URL)
def test_http_page_configuration_by_marker(wove_http_worker: HttpWorker) -> None:
    """The ``impersonate`` option does so for a whole test, including strict mode."""
    configure_as_the_http_page(PRODUCTION_URL)
    assert weave_one(render_report) == "report"


@pytest.mark.wove_http(impersonate=PRODUCTION_URL)
def test_impersonated_query_is_accepted(wove_http_worker: HttpWorker) -> None:
    """A query in the application's URL is accepted although the option has none, even in strict
    mode."""
    configure_as_the_http_page(PRODUCTION_URL + "?tenant=7")
    assert weave_one(render_report) == "report"


@pytest.mark.parametrize(
    ("url", "security", "message"),
    [
        ("http://workers.internal/wove/tasks", "env:WOVE_WORKER_SECRET", "insecure network"),
        (PRODUCTION_URL, "none", "requires executor_config.security"),
    ],
    ids=["no-tls", "no-security"],
)
@pytest.mark.wove_http(impersonate=PRODUCTION_URL)
def test_non_local_policy_is_in_force(
    wove_http_worker: HttpWorker, url: str, security: str, message: str
) -> None:
    """The executor applies its policy for hosts that are not local to the impersonated host."""
    wove.config(
        environments={
            "careless": {
                "executor": "http",
                "executor_config": {"url": url, "security": security},
            }
        }
    )
    with pytest.raises(ValueError, match=message):
        weave_one(answer, environment="careless")
