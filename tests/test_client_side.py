"""Changes that ``configured()`` and ``impersonate()`` make in this process, and restoring them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import pytest
import wove
from wove import weave
from wove.runtime import runtime

from tests.support import (
    PRODUCTION_URL,
    MakeWorker,
    answer,
    credentials,
    process_state,
    request_bytes,
    run_frame,
    send_one,
    weave_one,
)
from wove_http_dev.errors import NotRunningError, UsageError
from wove_http_dev.worker import HttpWorker

# Everything that is changed in this process is restored


Entered = Callable[[HttpWorker], AbstractContextManager[Any]]


def configured(worker: HttpWorker) -> AbstractContextManager[Any]:
    return worker.configured()


def impersonating(worker: HttpWorker) -> AbstractContextManager[Any]:
    return worker.impersonate(PRODUCTION_URL)


@contextmanager
def everything(worker: HttpWorker) -> Iterator[None]:
    with worker.configured(), worker.impersonate(PRODUCTION_URL), worker.configured():
        yield


ways = pytest.mark.parametrize("enter", [configured, impersonating, everything])

VARIABLE = "WOVE_HTTP_DEV_TEST"


class Interruption(BaseException):
    """Used instead of KeyboardInterrupt, on which pytest would stop."""


@ways
def test_everything_is_restored(worker: HttpWorker, enter: Entered) -> None:
    """After an ordinary exit the process is unchanged."""
    before = process_state()
    with enter(worker):
        pass
    assert process_state() == before


@ways
def test_something_was_changed(worker: HttpWorker, enter: Entered) -> None:
    """Inside the block the process differs, so the other tests compare something."""
    before = process_state()
    with enter(worker):
        assert process_state() != before


@ways
@pytest.mark.parametrize("kind", [RuntimeError, Interruption])
def test_everything_is_restored_after_an_exception(
    worker: HttpWorker, enter: Entered, kind: type[BaseException]
) -> None:
    """After an exception, even a BaseException, the process is unchanged."""
    before = process_state()
    with pytest.raises(kind), enter(worker):
        raise kind
    assert process_state() == before


@ways
def test_restored_after_a_weave(worker: HttpWorker, enter: Entered) -> None:
    """After a weave inside the block the process is unchanged."""
    before = process_state()
    with worker.configured(), enter(worker):
        weave_one(answer)
    assert process_state() == before


def test_runtime_is_restored_in_place(worker: HttpWorker) -> None:
    """Wove's runtime objects are the same objects afterwards, because other code refers to them."""
    before = [id(runtime), id(runtime.environments), id(runtime.global_defaults)]
    with worker.configured():
        pass
    assert [id(runtime), id(runtime.environments), id(runtime.global_defaults)] == before


# Several workers


def test_nested_workers_are_both_reached(make_worker: MakeWorker) -> None:
    """Two workers configured at once each serve their own environment."""
    one, two = make_worker(environment="one"), make_worker(environment="two")
    with one.configured(), two.configured():
        results = [weave_one(answer, environment=name) for name in ("one", "two")]
    assert (results, len(one.runs), len(two.runs)) == ([42, 42], 1, 1)


def test_outer_worker_is_reached_after_the_inner(make_worker: MakeWorker) -> None:
    """After the inner ``configured()`` ends, the outer worker is still configured."""
    one, two = make_worker(), make_worker()
    with one.configured():
        with two.configured():
            pass
        weave_one(answer)
    assert len(one.runs) == 1


def test_inner_worker_replaces_one_of_its_name(make_worker: MakeWorker) -> None:
    """Of two environments with the same name the inner one is used."""
    one, two = make_worker(), make_worker()
    with one.configured(), two.configured():
        weave_one(answer)
    assert len(two.runs) == 1


def test_workers_may_be_deconfigured_in_any_order(make_worker: MakeWorker) -> None:
    """The first worker may end its ``configured()`` before the second; afterwards the process is
    unchanged."""
    before = process_state()
    first, second = ExitStack(), ExitStack()
    first.enter_context(make_worker(environment="one").configured())
    second.enter_context(make_worker(environment="two").configured())
    first.close()
    second.close()
    assert process_state() == before


def test_remaining_worker_is_reached(make_worker: MakeWorker) -> None:
    """A worker is still reached after one that was configured before it has ended."""
    two = make_worker(environment="two")
    first = ExitStack()
    first.enter_context(make_worker(environment="one").configured())
    with two.configured():
        first.close()
        assert weave_one(answer, environment="two") == 42


# Impersonation


def test_impersonate_sets_the_secret(worker: HttpWorker) -> None:
    """``WOVE_WORKER_SECRET`` holds the worker's secret inside the block."""
    with worker.impersonate(PRODUCTION_URL):
        assert os.environ["WOVE_WORKER_SECRET"] == worker.secret


def test_impersonate_sets_the_variable_of_secret_env(worker: HttpWorker) -> None:
    """``secret_env=`` names the variable that holds the secret."""
    with worker.impersonate(PRODUCTION_URL, secret_env=VARIABLE):
        assert os.environ[VARIABLE] == worker.secret


@pytest.mark.parametrize(
    "url",
    [
        "http://workers.internal/wove/tasks",
        "https://10.0.0.1/wove/tasks",
        "https://[fd00::1]/wove/tasks",
        "workers.internal",
        "https:///wove/tasks",
        "https://workers.internal:x/",
    ],
)
def test_impersonate_needs_an_https_url_with_a_name(worker: HttpWorker, url: str) -> None:
    """Only an https URL with a host name can be impersonated."""
    with pytest.raises(UsageError), worker.impersonate(url):
        pass


def test_impersonate_needs_tls(plain_worker: HttpWorker) -> None:
    """A worker without TLS cannot impersonate."""
    with pytest.raises(UsageError, match="tls=True"), plain_worker.impersonate(PRODUCTION_URL):
        pass


def test_impersonated_port_and_path(worker: HttpWorker) -> None:
    """The port and path of the impersonated URL lead to the worker."""
    url = "https://workers.internal:8443/api/v2/tasks"
    with worker.configured(), worker.impersonate(url):
        wove.config(
            environments={
                "app": {
                    "executor": "https",
                    "executor_config": {"url": url, "security": "env:WOVE_WORKER_SECRET"},
                }
            }
        )
        with weave() as w:
            w.do(environment="app")(answer)
    assert worker.exchanges[-1].target == "/api/v2/tasks"


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
def test_impersonate_refuses_what_no_executor_could_use(worker: HttpWorker, url: str) -> None:
    """A URL that no executor could use is a usage error."""
    with pytest.raises(UsageError, match="impersonate"), worker.impersonate(url):
        pass


def test_404_lists_every_path(worker: HttpWorker) -> None:
    """A 404 lists the worker's own path and the impersonated ones."""
    with worker.impersonate("https://workers.internal/other"):
        body = run_frame(answer)
        target = "/nowhere"
        headers = credentials(worker, body, target)
        refused = send_one(worker, request_bytes(headers, body, target=target))
    assert "/wove/tasks or /other" in refused.error


def test_configured_needs_a_running_worker(worker: HttpWorker) -> None:
    """``configured()`` raises while the worker is stopped."""
    worker.stop()
    with pytest.raises(NotRunningError, match=r"is not running: start\(\) it"), worker.configured():
        pass
