"""How to mend a worker service that fails a case of the family ``limits``."""

from __future__ import annotations

from wove_http_dev.conformance.case import Remedy
from wove_http_dev.conformance.worker.cases import CORE, FASTAPI, STDLIB

REMEDIES = (
    (
        "limits.01",
        Remedy(
            "Catch RecursionError with the other errors of json.loads(), and answer 400.",
            f"{CORE}: handle()",
        ),
    ),
    (
        "limits.05 limits.07",
        Remedy(
            "Forget a run when it is answered, and end its thread and its event loop.",
            f"{CORE}: handle()",
        ),
    ),
    (
        "limits.06",
        Remedy(
            "Keep nonces in the order in which they end and forget from the front, "
            "instead of looking through all of them, as NetworkExecutorSecurity of Wove 2.0 does: "
            "give it remember_nonces=False, and keep them yourself.",
            f"{CORE}: verify()",
        ),
    ),
    (
        "limits.11 limits.12",
        Remedy(
            "Answer 413 to a Content-Length above a limit before you read the body, and reserve "
            "memory only for bytes that have come.",
            f"{STDLIB}: Handler.do_POST()",
        ),
    ),
    (
        "limits.14",
        Remedy(
            "Limit the bytes of a request's head, of all its lines together and of a line that has"
            " not ended: 64 KiB are more than enough. uvicorn has a limit with http='h11', and none"
            " with httptools.",
            f"{FASTAPI}: main()",
        ),
    ),
    (
        "limits.15",
        Remedy(
            "Give the web framework a limit for bodies (MAX_CONTENT_LENGTH, client_max_size, …), or"
            " count while you read, and answer 413 above it.",
            f"{FASTAPI}: wove_tasks()",
        ),
    ),
    (
        "limits.13",
        Remedy(
            "Count the bytes of the chunks that come and answer 413 above the limit, or answer 411 "
            "to every body in chunks.",
            f"{FASTAPI}: wove_tasks()",
        ),
    ),
    (
        "limits.08 limits.09 limits.10",
        Remedy(
            "Leave sys.stdout to the tasks, or capture it for one run into memory that takes any "
            "bytes and any amount, and wait for the body only, in a thread of its own.",
            f"{CORE}: Run.work()",
        ),
    ),
    (
        "limits",
        Remedy(
            "Serve each connection in a thread or coroutine of its own, so that whatever goes "
            "wrong with one, also a client that has gone, ends only that connection.",
            f"{STDLIB}: main()",
        ),
    ),
)
