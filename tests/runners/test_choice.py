"""Which runner the options name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from wove_http_dev.errors import UsageError
from wove_http_dev.options import Options
from wove_http_dev.runners.choice import runner_of
from wove_http_dev.runners.processes import ProcessRunner
from wove_http_dev.runs.runner import ThreadRunner


def test_default() -> None:
    """Without the option, bodies run in threads."""
    assert isinstance(runner_of(Options()), ThreadRunner)


UPSTREAM = "http://localhost:8080/wove/tasks"


@pytest.mark.parametrize("runner", ["thread", 3, None, []])
def test_wrong_value(runner: object) -> None:
    """A value that is no runner is refused with the possible ones."""
    with pytest.raises(UsageError, match="runner takes threads"):
        Options(runner=runner)


def test_unlike_every_runner() -> None:
    """The possible values are said once where none is spelled like it."""
    with pytest.raises(UsageError) as caught:
        Options(runner="celery")
    assert str(caught.value).count("processes") == 1


def test_client_of_dask() -> None:
    """A client of Dask is refused with the call that gives its executor."""
    with pytest.raises(UsageError, match=r"this SimpleNamespace: call its get_executor\(\)"):
        Options(runner=SimpleNamespace(get_executor=None))


def test_processes() -> None:
    """``processes`` has as many of them as ``workers`` says."""
    runner = runner_of(Options(runner="processes", workers=3))
    assert isinstance(runner, ProcessRunner)
    assert runner.workers == 3


def test_workers_without_processes() -> None:
    """``workers`` without ``runner="processes"`` is refused with what it needs."""
    with pytest.raises(UsageError, match="workers is the number of processes: it needs runner="):
        Options(workers=3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"dask_scheduler": "tcp://127.0.0.1:8786"}, "dask_scheduler goes with runner 'dask'"),
        ({"runner": "dask", "dask_scheduler": "127.0.0.1"}, "such as tcp://10.0.0.5:8786, not"),
        (
            {"runner": "dask", "dask_scheduler": "tcp://127.0.0.1:8786", "workers": 2},
            "workers does not go with dask_scheduler",
        ),
        ({"runner": "dask", "workers": 0}, "workers takes a whole number"),
        ({"runner": "dask", "isolated": True}, "runner 'dask' needs isolated=False"),
        ({"upstream": UPSTREAM, "runner": "processes"}, "runner and workers do not go with upstr"),
        ({"upstream": UPSTREAM, "workers": 2}, "runner and workers do not go with upstream"),
        ({"runner": "process", "workers": 2}, "did you mean 'processes'"),
    ],
)
def test_options_that_do_not_go_together(words: dict[str, Any], message: str) -> None:
    """Options of runners that do not go together are refused, with what to do."""
    with pytest.raises(UsageError, match=message):
        Options(**words)
