"""The urllib opener that sends requests for a worker to that worker."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wove.environment import EnvironmentExecutionError

from tests.support import MakeWorker, answer, weave_one
from wove_http_dev.client import urllib_opener
from wove_http_dev.errors import RestoreWarning
from wove_http_dev.worker import HttpWorker

LOCAL = "https://localhost:1/wove/tasks"


@pytest.fixture
def context(worker: HttpWorker) -> ssl.SSLContext:
    """A client context that trusts the session's CA."""
    return ssl.create_default_context(cafile=worker.ca_file)


class Recorder(urllib.request.OpenerDirector):
    """An opener that only records the URLs of requests."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def open(self, fullurl: Any, data: Any = None, timeout: Any = None) -> Any:
        self.urls.append(fullurl if isinstance(fullurl, str) else fullurl.full_url)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """A :class:`Recorder` installed as urllib's opener."""
    mine = Recorder()
    monkeypatch.setattr(urllib.request, "_opener", mine)
    return mine


def test_the_opener_of_the_application(recorder: Recorder, context: ssl.SSLContext) -> None:
    """installed_opener() returns what the application has installed, also while requests are
    routed."""
    assert urllib_opener.installed_opener() is recorder
    with urllib_opener.route_requests(LOCAL, context):
        assert urllib_opener.installed_opener() is recorder


def test_other_urls_go_to_the_previous_opener(recorder: Recorder, context: ssl.SSLContext) -> None:
    """A URL of another origin goes to the opener that was installed before."""
    with urllib_opener.route_requests(LOCAL, context):
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
    """A request goes to the worker only if scheme, host and port match."""
    with urllib_opener.route_requests(LOCAL, context):
        urllib.request.urlopen(url)
    assert recorder.urls == [url]


def test_worker_does_not_go_to_the_previous_opener(recorder: Recorder, worker: HttpWorker) -> None:
    """A request to the worker does not use the opener that was installed before."""
    with worker.configured():
        weave_one(answer)
    assert recorder.urls == []


def test_request_object_is_routed(recorder: Recorder, context: ssl.SSLContext) -> None:
    """A ``Request`` object is routed as its URL is."""
    with urllib_opener.route_requests(LOCAL, context):
        urllib.request.urlopen(urllib.request.Request("https://example.com/", b"x"))
    assert recorder.urls == ["https://example.com/"]


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy"])
@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
def test_worker_is_not_reached_through_a_proxy(
    make_worker: MakeWorker, monkeypatch: pytest.MonkeyPatch, name: str, tls: bool
) -> None:
    """A request to the worker does not use the proxy that the environment names."""
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setattr(urllib.request, "_opener", None)
    worker = make_worker(tls=tls)
    with worker.configured():
        assert weave_one(answer) == 42


def test_previous_opener_keeps_its_proxy(
    worker: HttpWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other URLs use the proxy as before: one that does not listen refuses the connection."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setattr(urllib.request, "_opener", None)
    with worker.configured(), pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen("http://example.invalid/")


def test_other_worker_is_not_trusted(worker: HttpWorker, make_worker: MakeWorker) -> None:
    """Configuring one worker does not make this process trust the CA of another."""
    stranger = HttpWorker()  # a CA of its own
    with stranger, worker.configured(), pytest.raises(urllib.error.URLError, match="CERTIFICATE"):
        urllib.request.urlopen(stranger.url)


class TestInstallOpener:
    """``urllib.request.install_opener()``, called by an application while a worker is
    configured."""

    @pytest.fixture
    def installed(self, worker: HttpWorker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
        """An opener that was installed inside ``configured()``."""
        monkeypatch.setattr(urllib.request, "_opener", None)
        opener = Recorder()
        with worker.configured():
            urllib.request.install_opener(opener)
            yield opener

    def test_worker_is_reached(self, installed: Recorder) -> None:
        """Requests to the worker still reach it."""
        assert weave_one(answer) == 42

    def test_others_use_it(self, installed: Recorder) -> None:
        """All other requests go to the installed opener."""
        urllib.request.urlopen("https://example.com/")
        assert installed.urls == ["https://example.com/"]

    def test_it_stays(self, worker: HttpWorker, monkeypatch: pytest.MonkeyPatch) -> None:
        """Afterwards the installed opener is urllib's, as without a worker."""
        monkeypatch.setattr(urllib.request, "_opener", None)
        opener = Recorder()
        with worker.configured():
            urllib.request.install_opener(opener)
        assert urllib.request._opener is opener  # type: ignore[attr-defined]  # no public getter

    def test_function_is_restored(self, worker: HttpWorker) -> None:
        """Afterwards the function is urllib's own, also after nested blocks."""
        before = urllib.request.install_opener
        with worker.configured(), worker.configured():
            pass
        assert urllib.request.install_opener is before


class Replayed(http.client.HTTPConnection):
    """A stand-in for VCR's classes: no request is sent."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise AssertionError("replayed")


@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
def test_worker_is_not_replayed(
    make_worker: MakeWorker, monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    """A request to the worker reaches it while VCR has replaced the classes of connections."""
    worker = make_worker(tls=tls)
    monkeypatch.setattr(http.client, "HTTPSConnection", Replayed)
    monkeypatch.setattr(http.client, "HTTPConnection", Replayed)
    with worker.configured():
        assert weave_one(answer) == 42


def test_cassette_of_vcr(worker: HttpWorker, tmp_path: Path) -> None:
    """In a cassette of VCR every weave reaches the worker, and nothing of it is recorded."""
    vcr = pytest.importorskip("vcr")
    with worker.configured():
        for _ in range(2):
            with vcr.use_cassette(str(tmp_path / "cassette.yaml"), record_mode="once"):
                assert weave_one(answer) == 42
    assert list(tmp_path.iterdir()) == []


def test_redirect_target_goes_to_the_previous_opener(
    recorder: Recorder, make_worker: MakeWorker
) -> None:
    """A redirect to another origin goes to the opener that was installed before."""
    worker = make_worker(strict=False)
    worker.inject("redirect target=https://example.com/elsewhere")
    with worker.configured(), pytest.raises(EnvironmentExecutionError):
        weave_one(answer)
    assert recorder.urls == ["https://example.com/elsewhere"]


def test_foreign_opener_is_left_alone(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An opener that replaces the worker's inside the block stays, and a warning says so."""
    monkeypatch.setattr(urllib.request, "_opener", None)
    installed = Recorder()
    with (
        pytest.warns(RestoreWarning, match="install_opener"),
        urllib_opener.route_requests(LOCAL, context),
    ):
        urllib.request._opener = installed  # type: ignore[attr-defined]  # no public getter
    assert urllib.request._opener is installed  # type: ignore[attr-defined]  # no public getter
