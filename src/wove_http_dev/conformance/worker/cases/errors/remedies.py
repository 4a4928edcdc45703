"""How to mend a worker service that fails a case of the family ``errors``."""

from __future__ import annotations

from wove_http_dev.conformance.case import Remedy
from wove_http_dev.conformance.worker.cases import CORE, FASTAPI

REMEDIES = (
    (
        "errors.05 errors.06 errors.08",
        Remedy(
            "Send exception_pickle only if it loads again, as an Exception that is "
            "neither a TimeoutError nor a StopIteration.",
            f"{CORE}: error_event()",
        ),
    ),
    (
        "errors.01 errors.02 errors.13 errors.15 errors.17",
        Remedy(
            "Make kind, message, traceback, retryable and source from "
            "traceback.TracebackException, which survives a __str__ that raises.",
            f"{CORE}: error_event()",
        ),
    ),
    (
        "errors.18",
        Remedy(
            "Write the JSON of an answer in ASCII, as json.dumps() does, because UTF-8 cannot "
            "write a lone surrogate, and make texts with traceback.TracebackException.",
            f"{FASTAPI}: wove_tasks()",
        ),
    ),
    (
        "errors.16",
        Remedy(
            "Add run_id and task_id to the task_error in the place where all events get them.",
            f"{CORE}: handle()",
        ),
    ),
    (
        "errors",
        Remedy(
            "Load, call, await and pickle in one try block that catches BaseException, "
            "and answer with a task_error.",
            f"{CORE}: Run.work()",
        ),
    ),
)
