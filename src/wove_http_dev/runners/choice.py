"""Which runner the options of a worker name."""

from __future__ import annotations

from concurrent.futures import Executor

from wove_http_dev.options import Options
from wove_http_dev.runners.executor import ExecutorRunner
from wove_http_dev.runs.runner import Runner, ThreadRunner


def runner_of(options: Options) -> Runner:
    """Return a new runner, which is not started, as the option ``runner`` names it."""
    if isinstance(options.runner, Executor):
        return ExecutorRunner(options.runner)
    return ThreadRunner()
