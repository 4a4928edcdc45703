"""How to mend an executor that fails a case of the family ``errors``."""

from __future__ import annotations

from wove_http_dev.conformance.case import Remedy
from wove_http_dev.conformance.executor.cases import EXAMPLE

REMEDIES = (
    (
        "errors.12 errors.13",
        Remedy(
            "Raise an error whose message has the status of the answer and the reason in its body.",
            f"{EXAMPLE}: ConformingExecutor._answer()",
        ),
    ),
    (
        "errors.17",
        Remedy(
            "Mark the error of a 4xx as not retryable, and every other transport error as "
            "retryable.",
            f"{EXAMPLE}: ConformingExecutor.failure()",
        ),
    ),
    (
        "errors.11",
        Remedy(
            "Make the error for the run whose request failed, with its run_id.",
            f"{EXAMPLE}: ConformingExecutor.error_for()",
        ),
    ),
    (
        "errors.14 errors.15 errors.16 errors.20 errors.21 errors.22",
        Remedy(
            "Load error_pickle as error and exception_pickle as exception, hand the error on as it "
            "came, and the exception only if it can be unpickled.",
            f"{EXAMPLE}: ConformingExecutor._terminal()",
        ),
    ),
    (
        "errors.24",
        Remedy(
            "Hand the unpickled result on without comparing, printing or testing it.",
            f"{EXAMPLE}: ConformingExecutor._terminal()",
        ),
    ),
    (
        "errors.23",
        Remedy(
            "Catch BaseException around the loading of a payload, and put only instances of "
            "Exception into Wove's queue.",
            f"{EXAMPLE}: ConformingExecutor._terminal()",
        ),
    ),
    (
        "errors.18",
        Remedy(
            "Catch Exception around everything that the thread of a request does, and "
            "make an event of it.",
            f"{EXAMPLE}: ConformingExecutor._run()",
        ),
    ),
    (
        "errors.26",
        Remedy(
            "Close the connection of a request however it ends, at the latest after the timeout.",
            f"{EXAMPLE}: ConformingExecutor.post()",
        ),
    ),
    (
        "errors",
        Remedy(
            'Make an event task_error with normalize_exception(source="transport") for '
            "whatever goes wrong between POST and answer.",
            f"{EXAMPLE}: ConformingExecutor.failure()",
        ),
    ),
)
