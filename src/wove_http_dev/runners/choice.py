"""Which runner the options of a worker name."""

from __future__ import annotations

from concurrent.futures import Executor

from wove_http_dev.options import Options
from wove_http_dev.runners.executor import ExecutorRunner
from wove_http_dev.runners.processes import ProcessRunner
from wove_http_dev.runners.upstream import UpstreamRunner, upstream_credentials
from wove_http_dev.runs.runner import Runner, ThreadRunner


def upstream_secrets(options: Options) -> list[str]:
    """Return the secrets with which ``runner_of(options)`` authenticates elsewhere. Raises
    :class:`UsageError` for options of ``upstream`` that cannot be used."""
    if options.upstream is None:
        return []
    return [upstream_credentials(options).secret.decode("utf-8", "replace")]


def runner_of(options: Options) -> Runner:
    """Return a new runner, which is not started, as the option ``runner`` names it; or the one that
    forwards to ``upstream``. Raises :class:`UsageError` for options of it that cannot be used."""
    if options.upstream is not None:
        return UpstreamRunner(options)
    if isinstance(options.runner, Executor):
        return ExecutorRunner(options.runner)
    if options.runner == "processes":
        return ProcessRunner(options.workers)
    return ThreadRunner()
