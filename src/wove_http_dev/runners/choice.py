"""Which runner the options of a worker name. The modules of the others are not imported."""

from __future__ import annotations

import sys
from concurrent.futures import Executor

from wove_http_dev.options import Options
from wove_http_dev.runs.runner import Runner, ThreadRunner


def upstream_secrets(options: Options) -> list[str]:
    """Return the secrets with which ``runner_of(options)`` authenticates elsewhere. Raises
    :class:`UsageError` for options of ``upstream`` that cannot be used."""
    if options.upstream is None:
        return []
    from wove_http_dev.runners.upstream import upstream_credentials

    return [upstream_credentials(options).secret.decode("utf-8", "replace")]


def runner_of(options: Options) -> Runner:
    """Return a new runner, which is not started, as the option ``runner`` names it; or the one that
    forwards to ``upstream``. Raises :class:`UsageError` for one that cannot be used."""
    if options.upstream is not None:
        from wove_http_dev.runners.upstream import UpstreamRunner

        return UpstreamRunner(options)
    runner = options.runner
    if runner == "dask":
        return _dask(options)
    if runner == "processes":
        from wove_http_dev.runners.processes import ProcessRunner

        return ProcessRunner(options.workers)
    if not isinstance(runner, Executor):
        return ThreadRunner()
    if _is_dask_executor(runner):
        return _dask(options)
    from wove_http_dev.runners.executor import ExecutorRunner

    return ExecutorRunner(runner)


def _is_dask_executor(executor: Executor) -> bool:
    # Not imported here, which is slow: where there is such an executor, its module is imported.
    module = sys.modules.get("distributed.cfexecutor")
    return module is not None and isinstance(executor, module.ClientExecutor)


def _dask(options: Options) -> Runner:
    from wove_http_dev.runners import dask_clients
    from wove_http_dev.runners.dask import DaskRunner

    source: dask_clients.ClientSource
    if isinstance(options.runner, Executor):
        source = dask_clients.GivenClient(options.runner)
    elif options.dask_scheduler is not None:
        source = dask_clients.SchedulerAddress(options.dask_scheduler)
    else:
        source = dask_clients.LocalCluster(options.workers)
    return DaskRunner(source)
