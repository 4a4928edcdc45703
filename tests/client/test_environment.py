"""What is changed in the user's process, and that all of it comes back."""

from __future__ import annotations

import os
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from copy import deepcopy
from typing import Any

import pytest
import wove
from wove import weave
from wove.environment import EnvironmentExecutionError
from wove.runtime import runtime

from tests.support import PRODUCTION_URL, MakeWorker, answer, weave_one
from wove_http_dev.client import dns, environ, urllib_opener, wove_config
from wove_http_dev.errors import RestoreWarning, UsageError
from wove_http_dev.worker import HttpWorker


def process_state() -> dict[str, Any]:
    """Everything of this process that the environment side may touch."""
    return {
        "default_environment": runtime.default_environment,
        "environments": deepcopy(runtime.environments),
        "global_defaults": dict(runtime.global_defaults),
        "environ": dict(os.environ),
        "opener": getattr(urllib.request, "_opener", None),
        "getaddrinfo": socket.getaddrinfo,
    }


class Interruption(BaseException):
    """Stands for KeyboardInterrupt, which pytest would act on."""


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


@ways
def test_everything_is_restored(worker: HttpWorker, enter: Entered) -> None:
    """After an ordinary exit the process is as it was."""
    before = process_state()
    with enter(worker):
        pass
    assert process_state() == before


@ways
def test_something_was_changed(worker: HttpWorker, enter: Entered) -> None:
    """In between it is not: there is something to restore."""
    before = process_state()
    with enter(worker):
        assert process_state() != before


@ways
@pytest.mark.parametrize("kind", [RuntimeError, Interruption])
def test_everything_is_restored_after_an_exception(
    worker: HttpWorker, enter: Entered, kind: type[BaseException]
) -> None:
    """After an exception too, also one that is no ``Exception``."""
    before = process_state()
    with pytest.raises(kind), enter(worker):
        raise kind
    assert process_state() == before


@ways
def test_restored_after_a_weave(worker: HttpWorker, enter: Entered) -> None:
    """And after the executor has used what was there."""
    before = process_state()
    with worker.configured(), enter(worker):
        weave_one(answer)
    assert process_state() == before


def test_runtime_is_restored_in_place(worker: HttpWorker) -> None:
    """Wove's own objects stay the same objects: others hold references to them."""
    before = [id(runtime), id(runtime.environments), id(runtime.global_defaults)]
    with worker.configured():
        pass
    assert [id(runtime), id(runtime.environments), id(runtime.global_defaults)] == before


def test_nested_workers_are_both_reached(make_worker: MakeWorker) -> None:
    """Two workers configured at once each serve their own environment."""
    one, two = make_worker(environment="one"), make_worker(environment="two")
    with one.configured(), two.configured():
        results = [weave_one(answer, environment=name) for name in ("one", "two")]
    assert (results, len(one.runs), len(two.runs)) == ([42, 42], 1, 1)


def test_outer_worker_is_reached_after_the_inner(make_worker: MakeWorker) -> None:
    """When the inner one leaves, the outer one is still configured."""
    one, two = make_worker(), make_worker()
    with one.configured():
        with two.configured():
            pass
        weave_one(answer)
    assert len(one.runs) == 1


def test_inner_worker_replaces_one_of_its_name(make_worker: MakeWorker) -> None:
    """Of two environments of one name the inner one is in effect."""
    one, two = make_worker(), make_worker()
    with one.configured(), two.configured():
        weave_one(answer)
    assert len(two.runs) == 1


def test_workers_may_leave_in_any_order(make_worker: MakeWorker) -> None:
    """The first may leave before the second; then everything is restored all the same."""
    before = process_state()
    first, second = ExitStack(), ExitStack()
    first.enter_context(make_worker(environment="one").configured())
    second.enter_context(make_worker(environment="two").configured())
    first.close()
    second.close()
    assert process_state() == before


def test_remaining_worker_is_reached(make_worker: MakeWorker) -> None:
    """The one that stays is still reached."""
    two = make_worker(environment="two")
    first = ExitStack()
    first.enter_context(make_worker(environment="one").configured())
    with two.configured():
        first.close()
        assert weave_one(answer, environment="two") == 42


# Wove's configuration


def test_wove_config_inside_is_undone(worker: HttpWorker) -> None:
    """What a test configures itself goes with the worker."""
    before = process_state()
    with worker.configured():
        wove.config(
            default_environment="mine",
            environments={"mine": {"executor": "local"}},
            max_workers=7,
            retries=3,
        )
    assert process_state() == before


def test_existing_environment_comes_back(worker: HttpWorker) -> None:
    """An environment of the same name is replaced and restored."""
    with wove_config.preserved():
        wove.config(environments={"workers": {"executor": "local", "retries": 2}})
        with worker.configured():
            pass
        assert runtime.environments["workers"] == {"executor": "local", "retries": 2}


def timeout_inside(*workers: HttpWorker) -> Any:
    with ExitStack() as stack:
        for one in workers:
            stack.enter_context(one.configured())
        return runtime.global_defaults["delivery_timeout"]


def test_global_delivery_timeout_is_set(make_worker: MakeWorker) -> None:
    """The global delivery timeout is the option where there was none."""
    assert timeout_inside(make_worker(delivery_timeout=3.5)) == 3.5


def test_global_delivery_timeout_of_the_user_stays(make_worker: MakeWorker) -> None:
    """One that was set before is left alone."""
    with wove_config.preserved():
        wove.config(delivery_timeout=99.0)
        assert timeout_inside(make_worker(delivery_timeout=3.5)) == 99.0


@pytest.mark.parametrize("timeouts", [(2.0, 5.0), (5.0, 2.0)])
def test_largest_delivery_timeout_wins(
    make_worker: MakeWorker, timeouts: tuple[float, float]
) -> None:
    """Of several workers the most patient one decides."""
    workers = [make_worker(delivery_timeout=t, environment=f"w{t:g}") for t in timeouts]
    assert timeout_inside(*workers) == 5.0


def test_delivery_timeout_may_be_left_out(make_worker: MakeWorker) -> None:
    """With ``delivery_timeout=None`` the global one stays unset."""
    assert timeout_inside(make_worker(delivery_timeout=None)) is None


# The opener


LOCAL = "https://localhost:1/wove/tasks"


@pytest.fixture
def context(worker: HttpWorker) -> ssl.SSLContext:
    """A client context that trusts the session's CA."""
    return ssl.create_default_context(cafile=worker.ca_file)


class Recorder(urllib.request.OpenerDirector):
    """An opener that only notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def open(self, fullurl: Any, data: Any = None, timeout: Any = None) -> Any:
        self.urls.append(fullurl if isinstance(fullurl, str) else fullurl.full_url)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """A recorder in the place of urllib's opener."""
    mine = Recorder()
    monkeypatch.setattr(urllib.request, "_opener", mine)
    return mine


def test_other_urls_go_to_the_previous_opener(recorder: Recorder, context: ssl.SSLContext) -> None:
    """Only the worker's origin is routed; everything else is somebody else's."""
    with urllib_opener.routed(LOCAL, context):
        urllib.request.urlopen("https://example.com/")
    assert recorder.urls == ["https://example.com/"]


@pytest.mark.parametrize(
    "url",
    ["https://localhost:2/wove/tasks", "https://workers.internal:1/", "http://127.0.0.1:1/"],
    ids=["port", "host", "address"],
)
def test_near_miss_goes_to_the_previous_opener(
    recorder: Recorder, context: ssl.SSLContext, url: str
) -> None:
    """Host and port must both be the worker's."""
    with urllib_opener.routed(LOCAL, context):
        urllib.request.urlopen(url)
    assert recorder.urls == [url]


def test_worker_does_not_go_to_the_previous_opener(recorder: Recorder, worker: HttpWorker) -> None:
    """The worker's own requests pass the previous opener by."""
    with worker.configured():
        weave_one(answer)
    assert recorder.urls == []


def test_request_object_is_routed(recorder: Recorder, context: ssl.SSLContext) -> None:
    """A ``Request`` is told apart as a URL is."""
    with urllib_opener.routed(LOCAL, context):
        urllib.request.urlopen(urllib.request.Request("https://example.com/", b"x"))
    assert recorder.urls == ["https://example.com/"]


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy"])
@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
def test_proxies_are_not_for_the_worker(
    make_worker: MakeWorker, monkeypatch: pytest.MonkeyPatch, name: str, tls: bool
) -> None:
    """A proxy of the user's is not asked for the worker."""
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setattr(urllib.request, "_opener", None)
    worker = make_worker(tls=tls)
    with worker.configured():
        assert weave_one(answer) == 42


def test_previous_opener_keeps_its_proxy(
    worker: HttpWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For other URLs the user's proxy is asked as before: a dead one refuses."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setattr(urllib.request, "_opener", None)
    with worker.configured(), pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen("http://example.invalid/")


def test_system_trust_is_not_ours(worker: HttpWorker, make_worker: MakeWorker) -> None:
    """A worker that is not configured is not trusted by virtue of another's being so."""
    stranger = HttpWorker()  # a CA of its own
    with stranger, worker.configured(), pytest.raises(urllib.error.URLError, match="CERTIFICATE"):
        urllib.request.urlopen(stranger.url)


def test_redirect_leaves_the_route(recorder: Recorder, make_worker: MakeWorker) -> None:
    """What a redirect sends elsewhere goes to the opener that was there."""
    worker = make_worker(strict=False)
    worker.inject("redirect target=https://example.com/elsewhere")
    with worker.configured(), pytest.raises(EnvironmentExecutionError):
        weave_one(answer)
    assert recorder.urls == ["https://example.com/elsewhere"]


def test_foreign_opener_is_left_alone(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An opener that somebody installed meanwhile stays, and a warning says so."""
    monkeypatch.setattr(urllib.request, "_opener", None)
    theirs = Recorder()
    with pytest.warns(RestoreWarning, match="install_opener"), urllib_opener.routed(LOCAL, context):
        urllib.request.install_opener(theirs)
    assert urllib.request._opener is theirs  # type: ignore[attr-defined]  # no public getter


# Host names


TARGET = ("127.0.0.1", 4711)


def resolved(host: Any, port: Any) -> Any:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4]


@pytest.mark.parametrize("host", ["workers.internal", "WORKERS.internal", b"workers.internal"])
@pytest.mark.parametrize("port", [443, "443"])
def test_name_is_mapped(host: Any, port: Any) -> None:
    """The pair is found in every spelling that clients use."""
    with dns.mapped("workers.internal", 443, TARGET):
        assert resolved(host, port) == TARGET


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 443), ("127.0.0.1", None)])
def test_other_names_are_resolved_as_before(host: str, port: int | None) -> None:
    """Other pairs are the original's business."""
    before = resolved(host, port)
    with dns.mapped("workers.internal", 443, TARGET):
        assert resolved(host, port) == before


def test_other_port_is_not_mapped() -> None:
    """The name on another port stays unknown."""
    with dns.mapped("workers.invalid", 443, TARGET), pytest.raises(socket.gaierror):
        resolved("workers.invalid", 444)


def test_name_is_not_mapped_afterwards() -> None:
    """Afterwards the name is unknown again."""
    with dns.mapped("workers.invalid", 443, TARGET):
        pass
    with pytest.raises(socket.gaierror):
        resolved("workers.invalid", 443)


def test_foreign_lookup_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up that somebody put in place meanwhile stays, and a warning says so."""
    monkeypatch.setattr(socket, "getaddrinfo", socket.getaddrinfo)

    def theirs(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("not called")

    with (
        pytest.warns(RestoreWarning, match="getaddrinfo"),
        dns.mapped("workers.internal", 443, TARGET),
    ):
        socket.getaddrinfo = theirs
    assert socket.getaddrinfo is theirs


def test_lookup_that_wraps_ours_maps_nothing_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours, kept alive by a wrapper, passes everything through once it is over."""
    monkeypatch.setattr(socket, "getaddrinfo", socket.getaddrinfo)
    mapping = dns.mapped("workers.invalid", 443, TARGET)
    mapping.__enter__()
    ours: Any = socket.getaddrinfo
    socket.getaddrinfo = lambda *args, **kwargs: ours(*args, **kwargs)
    with pytest.warns(RestoreWarning):
        mapping.__exit__(None, None, None)
    with pytest.raises(socket.gaierror):
        resolved("workers.invalid", 443)


# Environment variables


VARIABLE = "WOVE_HTTP_DEV_TEST"


@pytest.mark.parametrize("before", [None, "old"])
def test_variable_comes_back(monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    """A variable is what it was, also if it was not there."""
    if before is not None:
        monkeypatch.setenv(VARIABLE, before)
    with environ.variable(VARIABLE, "new"):
        pass
    assert os.environ.get(VARIABLE) == before


def test_variable_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """In between it has the value."""
    with environ.variable(VARIABLE, "new"):
        assert os.environ[VARIABLE] == "new"


def test_foreign_value_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that somebody set meanwhile stays, and a warning names the variable."""
    monkeypatch.setenv(VARIABLE, "old")
    with pytest.warns(RestoreWarning, match=VARIABLE), environ.variable(VARIABLE, "new"):
        monkeypatch.setenv(VARIABLE, "theirs")
    assert os.environ[VARIABLE] == "theirs"


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ({}, "localhost"),
        ({"no_proxy": "example.com"}, "example.com,localhost"),
        ({"NO_PROXY": "example.com"}, "example.com,localhost"),
        ({"no_proxy": "localhost"}, "localhost"),
        ({"no_proxy": " a , b ,"}, "a,b,localhost"),
    ],
)
def test_no_proxy_is_appended_to(before: dict[str, str], expected: str) -> None:
    """Both spellings have the worker's host besides what was there."""
    assert environ.without_proxy("localhost", before) == {
        "no_proxy": expected,
        "NO_PROXY": expected,
    }


# Impersonation


def test_impersonate_sets_the_secret(worker: HttpWorker) -> None:
    """The variable that the application reads holds this worker's secret."""
    with worker.impersonate(PRODUCTION_URL):
        assert os.environ["WOVE_WORKER_SECRET"] == worker.secret


def test_impersonate_another_variable(worker: HttpWorker) -> None:
    """Its name is an argument."""
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
def test_impersonate_refuses(worker: HttpWorker, url: str) -> None:
    """Only an https URL with a host name can be impersonated."""
    with pytest.raises(UsageError), worker.impersonate(url):
        pass


def test_impersonate_needs_tls(plain_worker: HttpWorker) -> None:
    """A worker without TLS cannot impersonate."""
    with pytest.raises(UsageError, match="tls=True"), plain_worker.impersonate(PRODUCTION_URL):
        pass


def test_impersonated_port_and_path(worker: HttpWorker) -> None:
    """The URL's own port and path lead to the worker."""
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
