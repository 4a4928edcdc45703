"""What outsiders have broken once, so that it stays mended."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from werkzeug.datastructures import Headers

from tests.faults.helpers import weave_one
from tests.support import MakeWorker, request_bytes, send_one
from wove_http_dev import HttpWorker, UsageError
from wove_http_dev.cli.serve import _how_to_reach
from wove_http_dev.pytest_plugin import Factory
from wove_http_dev.remote_worker import RemoteWorker
from wove_http_dev.runs.journal import TEXT_LIMIT, Journal

LONG = "A" * 100_000


@pytest.mark.parametrize("word", ["type", "task_id", "run_id"])
def test_a_refused_bodys_claims_are_bounded(worker: HttpWorker, word: str) -> None:
    """Who is refused cannot fill the journal."""
    frame = {"type": "run_task", "task_id": "t", "run_id": "r", word: LONG}
    send_one(worker, request_bytes({}, json.dumps(frame).encode()))
    assert len(repr(worker.exchanges[0])) < 3000


def test_a_long_header_is_clipped() -> None:
    """A header's value takes no more room than any text."""
    journal = Journal()
    exchange = journal.open()
    journal.record_headers(exchange, list(Headers([("X-Long", LONG)])))
    assert len(exchange.headers[0][1]) == TEXT_LIMIT


def test_a_long_task_name_is_clipped_in_print(wove_http_worker: HttpWorker) -> None:
    """A line stays a line."""
    wove_http_worker.stub("*", result=1)
    exchange = wove_http_worker.journal.open()
    exchange.task_id = LONG
    assert len(exchange.line()) < 500


@pytest.mark.wove_http(isolated=True, impersonate="https://workers.internal/other")
def test_an_isolated_worker_impersonates_another_path(wove_http_worker: HttpWorker) -> None:
    """The child accepts the impersonated URL's path."""
    assert weave_one() == (1, 2)


def test_a_stopped_worker_can_be_checked(wove_http_worker: HttpWorker) -> None:
    """A test that stops its worker passes at teardown."""
    wove_http_worker.stop()
    wove_http_worker.check()
    assert not wove_http_worker.running


def test_concurrent_restarts_leave_a_worker_that_serves(wove_http_worker: HttpWorker) -> None:
    """Starts and stops happen one at a time."""
    for _ in range(10):
        threads = [threading.Thread(target=wove_http_worker.restart) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert weave_one() == (1, 2)


class Skipped(Exception):
    """Stands for pytest.skip."""


def skip(reason: str) -> None:
    """What the plugin hands in, as an exception."""
    raise Skipped(reason)


def remote(**options: Any) -> RemoteWorker:
    """A worker service that somebody else runs."""
    return RemoteWorker(
        "http://localhost:1/",
        secret=None,
        token=None,
        ca_file=None,
        skip=skip,  # type: ignore[arg-type]  # raises, as NoReturn promises
        members=dir(HttpWorker),
        **options,
    )


@pytest.mark.parametrize(
    "options",
    [{"impersonate": "https://workers.internal/x"}, {"isolated": True}, {"faults": ["hang"]}],
)
def test_what_needs_our_worker_skips_elsewhere(options: dict[str, Any]) -> None:
    """An option that only our own worker has is no silent no-op."""
    with pytest.raises(Skipped, match="needs a worker of our own"):
        remote(**options)


def test_a_typo_is_no_skip() -> None:
    """A member that no worker has is an AttributeError."""
    with pytest.raises(AttributeError, match="injct"):
        _ = remote().injct


def test_printed_paths_are_quoted(make_worker: MakeWorker, tmp_path: Path) -> None:
    """A state directory with a blank in its name survives the shell."""
    state = tmp_path / "two words"
    state.mkdir()
    worker = make_worker()
    line = next(text for text in _how_to_reach(worker, state).splitlines() if "cat " in text)
    assert shlex.quote(str(state / f"secret-{worker.port}")) in line


def test_a_secret_with_a_line_break_is_refused() -> None:
    """A shell would strip it."""
    with pytest.raises(UsageError, match="line breaks"):
        HttpWorker(secret="a\nb\n")


@pytest.mark.wove_http(tls=False)
def test_the_marker_counts_for_the_factory(wove_http_worker_factory: Factory) -> None:
    """Its options are the defaults of every worker of the test."""
    assert wove_http_worker_factory().url.startswith("http://")


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """No traceback for a path that is wrong."""
    done = subprocess.run(
        [sys.executable, "-m", "wove_http_dev", "faults", "--measure", "status", "--write", "/n/x"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    "options",
    [
        {"tls": "no"},
        {"path": None},
        {"host": 7},
        {"impersonate": 5},
        {"faults": 5},
        {"headers": ["a"]},
        {"headers": {"a b": "c"}},
        {"headers": {"X-A": "a\r\nb"}},
        {"timeout": True},
        {"secret": 5},
        {"security": "sgined"},
    ],
    ids=str,
)
def test_an_option_that_cannot_be_is_a_usage_error(options: dict[str, Any]) -> None:
    """Every option is checked before anything starts."""
    with pytest.raises(UsageError):
        HttpWorker(**options)


def test_a_word_given_twice_is_a_usage_error(worker: HttpWorker) -> None:
    """The string and the keyword must not say different things."""
    with pytest.raises(UsageError, match="given twice"):
        worker.inject("status times=1", times=2)


def test_an_unfired_injection_says_what_it_waited_for(worker: HttpWorker) -> None:
    """The complaint shows the selector."""
    assert "task=render times=1" in repr(worker.inject("status", task="render", times=1))
