"""Runs of ``doctor`` on configurations in module files, in this process."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from wove.runtime import runtime

from tests.explain.helpers import SECRET, Diagnosis, OtherService, Settings
from wove_http_dev.cli import doctor
from wove_http_dev.cli.main import main
from wove_http_dev.client.definition import CA_VARIABLES
from wove_http_dev.client.wove_config import preserved
from wove_http_dev.worker import HttpWorker

Diagnose = Callable[..., Diagnosis]
MakeSettings = Callable[..., Settings]


@pytest.fixture(scope="package")
def listening() -> Iterator[HttpWorker]:
    """A worker with plain http and signed requests, for every test of the package."""
    with HttpWorker(tls=False, secret=SECRET, strict=False) as worker:
        yield worker


@pytest.fixture
def clean_environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable that configures a proxy, a CA or a state directory of the machine."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in (*CA_VARIABLES, "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("WORKER_SECRET", SECRET)
    # From Python 3.12 on the default opener keeps the proxies and CAs of its first use.
    monkeypatch.setattr(urllib.request, "_opener", None)


@pytest.fixture
def diagnose(
    clean_environ: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Diagnose]:
    """``diagnose(settings, *arguments)`` writes the settings to a module and runs ``doctor`` on
    it, with Wove configured by nothing else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "end_despite_threads", lambda status: None)  # of this process

    def run(settings: Settings | str, *arguments: str) -> Diagnosis:
        source = settings if isinstance(settings, str) else settings.source()
        (tmp_path / "settings.py").write_text(source, encoding="utf-8")
        # Long, because the machine may be busy; an argument of a test is the later one.
        status = main(["doctor", "settings", "--timeout", "60", *arguments])
        done = capsys.readouterr()
        return Diagnosis(status, done.out, done.err)

    with preserved():
        runtime.__init__()  # type: ignore[misc]
        yield run
    sys.modules.pop("settings", None)


@pytest.fixture
def settings(listening: HttpWorker) -> MakeSettings:
    """``settings(**changes)``: a right configuration for ``listening``, and changes to it."""

    def make(**changes: Any) -> Settings:
        return Settings(listening.url, **changes)

    return make


@pytest.fixture
def other_service() -> Iterator[OtherService]:
    """A service that is not a worker of this package."""
    with OtherService() as service:
        yield service
