"""The code that ``demo`` shows and runs: an application, and what a test can do with its worker."""

from __future__ import annotations

import wove
from wove import weave

from wove_http_dev.worker import HttpWorker

CUSTOMERS = {1: "Ada", 2: "Grace", 3: "Barbara"}


def letters(numbers: list[int]) -> str:
    with weave() as w:

        @w.do(numbers, environment="workers", retries=1)
        def write(number: int) -> str:
            return f"Dear {CUSTOMERS[number]}"

        @w.do
        def pile(write: list[str]) -> str:
            return " / ".join(write)

    return str(w.result.pile)


def runs_on_the_worker(worker: HttpWorker) -> str:
    return letters([1, 2, 3])


def is_retried(worker: HttpWorker) -> str:
    worker.inject("status code=503", task="write", times=1)
    return letters([1])


# Plain http, because on a busy machine a TLS handshake may take longer than the timeout.
def fails_in_time(worker: HttpWorker) -> str:
    slow = HttpWorker(tls=False, timeout=0.3, faults=["hang"])
    with slow, slow.configured():
        return letters([1])


def is_refused(worker: HttpWorker) -> str:
    worker.inject("expired-certificate")
    return letters([1])


def fails_on_the_worker(worker: HttpWorker) -> str:
    return letters([404])


def takes_production_settings(worker: HttpWorker) -> str:
    url = "https://workers.internal/wove/tasks"
    security = "env:WOVE_WORKER_SECRET"
    with worker.impersonate(url):
        wove.config(
            environments={
                "workers": {
                    "executor": "https",
                    "executor_config": {"url": url, "security": security},
                }
            }
        )
        return letters([2])


APPLICATION = letters
STEPS = (
    (
        runs_on_the_worker,
        "Tasks really run on the worker",
        "'Dear Ada / Dear Grace / Dear Barbara'",
    ),
    (is_retried, "One answer is 503, and the task has retries=1", "'Dear Ada'"),
    (fails_in_time, "A worker that never answers is an error, not a hang", "timed out"),
    (is_refused, "A worker whose certificate has expired", "certificate has expired"),
    (fails_on_the_worker, "An exception of the task arrives as itself", "KeyError: 404"),
    (takes_production_settings, "Settings for production reach this worker", "'Dear Grace'"),
)
"""What the demo does with the application, in order: a function that is called with the worker, the
heading that is shown, and a text in what the function returns or raises."""
