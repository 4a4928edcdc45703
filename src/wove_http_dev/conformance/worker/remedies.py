"""How to mend a worker service that fails a case, and which reference worker does it right."""

from __future__ import annotations

from wove_http_dev.conformance.case import Remedy

_STD = "examples/worker_stdlib.py"
_CORE = "examples/worker_core.py"
_FLASK = "examples/worker_flask.py"
_FASTAPI = "examples/worker_fastapi.py"

REMEDIES = (
    (
        "transport.01",
        Remedy(
            "Listen at the host and port of the URL and answer with HTTP/1.1; for "
            "https, send the certificate with its whole chain.",
            f"{_STD}: main()",
        ),
    ),
    (
        "transport.02",
        Remedy(
            "Serve https and require a secret or a token, before the service is reached"
            " from other machines.",
            f"{_STD}: main()",
        ),
    ),
    (
        "transport.03 transport.09",
        Remedy(
            "Send Content-Type: application/json with every answer.",
            f"{_STD}: Handler.answer()",
        ),
    ),
    (
        "transport.04 limits.03",
        Remedy(
            "Read as many bytes as Content-Length says, in as many reads as it takes, "
            "and run nothing if fewer came.",
            f"{_STD}: Handler.do_POST()",
        ),
    ),
    (
        "transport.05",
        Remedy(
            "Route only POST to the tasks, and answer every other method with 405.",
            f"{_FLASK}: wove_tasks()",
        ),
    ),
    (
        "transport.06",
        Remedy(
            "Do the TLS handshake and each read in the connection's own thread or "
            "coroutine, never where connections are accepted.",
            f"{_STD}: main()",
        ),
    ),
    (
        "transport.08",
        Remedy(
            "Write each answer in one place, which encodes the body, counts its bytes for "
            "Content-Length, and sends no other header about its length.",
            f"{_STD}: Handler.answer()",
        ),
    ),
    (
        "transport.10 transport.15 transport.22",
        Remedy(
            "Read each body to its end, or close the connection with the refusal, and keep nothing "
            "of a request for the next one of its connection.",
            f"{_STD}: Handler.do_POST()",
        ),
    ),
    (
        "transport.11 transport.12 transport.16 transport.17 transport.18 transport.19"
        " transport.24",
        Remedy(
            "Leave HTTP to a server library: header names are case-insensitive, a request says "
            "whether its connection stays open, and one without a length has no body.",
            f"{_STD}: Handler.do_POST()",
        ),
    ),
    (
        "transport.20 transport.21 transport.23",
        Remedy(
            "Answer 400 and close the connection if a request has Transfer-Encoding beside "
            "Content-Length, two lengths, one that is not digits alone, or a chunk that is not as "
            "long as it says. cheroot and werkzeug's own server take the last of two lengths, and "
            "0x1f for a chunk's: refuse chunks there, or have another server in front.",
            f"{_STD}: Handler.do_POST()",
        ),
    ),
    (
        "transport.13 transport.14",
        Remedy(
            "Send 100 Continue when the head of a request asks for it, before its body is read, "
            "and flush it.",
            f"{_STD}: Handler.handle_expect_100()",
        ),
    ),
    (
        "transport.07",
        Remedy(
            "Read the whole body before you refuse a request, or close the connection "
            "with the refusal.",
            f"{_STD}: Handler.do_POST()",
        ),
    ),
    (
        "auth.02 auth.28",
        Remedy(
            "Verify signature, timestamp and nonce first, and parse and unpickle the "
            "body only after that.",
            f"{_STD}: Handler.do_POST()",
        ),
    ),
    (
        "auth.03 auth.04 auth.05 auth.32 auth.33 auth.45",
        Remedy(
            "Verify the body and the target byte for byte as they arrived, however large the "
            "body is: no parsed JSON, no decoded path, and with the query.",
            f"{_STD}: Handler.do_POST()",
        ),
    ),
    (
        "auth.10 auth.31 auth.38",
        Remedy(
            "Verify every request of every connection, a cancel_task too, in the one "
            "place where requests are read, before the path or the method is looked at.",
            f"{_STD}: Handler.do_POST()",
        ),
    ),
    (
        "auth.11 auth.12 auth.13 auth.24 auth.25 auth.29 auth.30 auth.34 auth.39 auth.40 auth.44",
        Remedy(
            "When a signature was found to be right, remember its nonce, and nothing else with it,"
            " under one lock for all connections and processes, until its timestamp is too old,"
            " whatever becomes of the task.",
            f"{_CORE}: verify()",
        ),
    ),
    (
        "auth.14 auth.15 auth.16 auth.17 auth.27 auth.35",
        Remedy(
            "Accept a timestamp only if it is a finite number, at most 300 s before or "
            "after the service's clock.",
            f"{_CORE}: verify()",
        ),
    ),
    (
        "auth.26",
        Remedy(
            "Remember the nonce, not the run or the body, and only after the signature was found"
            " to be right.",
            f"{_CORE}: verify()",
        ),
    ),
    (
        "auth.36 auth.37 auth.43 auth.46",
        Remedy(
            "Accept the configured kind of credentials only, and look at nothing else in a request"
            " before they are verified; refuse to start without a secret.",
            f"{_CORE}: verify()",
        ),
    ),
    (
        "auth.42",
        Remedy(
            "Require a secret or a token; without one, refuse a Content-Type other than"
            " application/json, any Origin, and a Host that is not the service's own.",
            f"{_CORE}: verify()",
        ),
    ),
    (
        "auth.18 auth.19",
        Remedy(
            "Turn everything that goes wrong while credentials are read into a refusal "
            "with 401 or 403.",
            f"{_CORE}: verify()",
        ),
    ),
    (
        "auth.20 auth.21",
        Remedy(
            "Say in a refusal only what was wrong: no traceback, and nothing that would"
            " have been right.",
            f"{_STD}: Handler.do_POST()",
        ),
    ),
    (
        "auth.47",
        Remedy(
            "Send an error's kind, message and traceback, without the values of variables, the"
            " environment or the configuration.",
            f"{_CORE}: error_event()",
        ),
    ),
    (
        "auth.48",
        Remedy(
            "Show runs, their arguments and results only to who has credentials; without them, a"
            " health check says that the service is up, and nothing else.",
            f"{_STD}: Handler.do_POST()",
        ),
    ),
    (
        "auth.23",
        Remedy(
            "Look headers up by their names in lower case.",
            f"{_CORE}: verify()",
        ),
    ),
    (
        "auth",
        Remedy(
            "Verify with NetworkExecutorSecurity.verify_headers() of Wove, and refuse "
            "what lacks a header, names another key or matches only in part.",
            f"{_CORE}: verify()",
        ),
    ),
    (
        "frames.03 frames.04 frames.05 frames.18 frames.20 frames.21",
        Remedy(
            "Copy run_id and task_id of the command into every event frame, unchanged.",
            f"{_CORE}: handle()",
        ),
    ),
    (
        "frames.02 frames.06 frames.07 frames.19",
        Remedy(
            "Answer a run with task_started and then exactly one of task_result, "
            "task_error and task_cancelled.",
            f"{_CORE}: handle()",
        ),
    ),
    (
        "frames.26",
        Remedy(
            "Turn the debug mode of the web framework off, and answer what you did not expect with"
            " 500 and a fixed text; the traceback belongs into the service's log.",
            f"{_CORE}: handle()",
        ),
    ),
    (
        "frames.25",
        Remedy(
            "Keep runs by their run_id as it came, and look the run of a cancel_task up by it.",
            f"{_CORE}: handle()",
        ),
    ),
    (
        "frames.08",
        Remedy(
            "Read the fields that you need, and leave the others alone.",
            f"{_CORE}: handle()",
        ),
    ),
    (
        "frames.12 frames.16",
        Remedy(
            "Decode payloads with base64.b64decode(text, validate=True), and answer 400"
            " if that fails.",
            f"{_CORE}: handle()",
        ),
    ),
    (
        "frames.09 frames.10 frames.11 frames.13 frames.14 frames.22 frames.23 frames.24",
        Remedy(
            "Read the body as a JSON object and check type, run_id and payloads before "
            "anything is run, and answer 400 with what is wrong.",
            f"{_CORE}: handle()",
        ),
    ),
    (
        "frames",
        Remedy(
            'Answer with 200 and the JSON object {"events": [...]}, whose task_result '
            "has the base64 of the pickled value as result_pickle.",
            f"{_CORE}: handle()",
        ),
    ),
    (
        "run.20",
        Remedy(
            "Give runs no time limit of your own, or one of hours: Wove has delivery_timeout for "
            "that, and sends a cancel_task.",
            f"{_CORE}: Run.work()",
        ),
    ),
    (
        "run.02",
        Remedy(
            "Await what the call returned if inspect.isawaitable() says so, whatever "
            "kind of callable it was.",
            f"{_CORE}: Run.work()",
        ),
    ),
    (
        "run.09 run.10",
        Remedy(
            "Call the task once for each run_task, and answer after that; leave retries to Wove.",
            f"{_CORE}: Run.work()",
        ),
    ),
    (
        "run.11 run.12 run.17 run.18",
        Remedy(
            "Tell runs apart by run_id alone, and reuse no answer, function or "
            "arguments of another run.",
            f"{_CORE}: handle()",
        ),
    ),
    (
        "run.04 run.05 run.06 run.13 run.15 errors.19",
        Remedy(
            "Send whatever the task returned, pickled with cloudpickle, without looking"
            " at what it is.",
            f"{_CORE}: Run.work()",
        ),
    ),
    (
        "run.07 run.08 run.19",
        Remedy(
            "Allow bodies and answers as large as the values of tasks: the reference "
            "workers take 64 MiB.",
            f"{_STD}: Handler.do_POST()",
        ),
    ),
    (
        "run.16",
        Remedy(
            "Write the answer to its connection only, so that nothing a task prints can"
            " get into it.",
            f"{_STD}: Handler.answer()",
        ),
    ),
    (
        "run",
        Remedy(
            "Load both pickles with cloudpickle and call function(**arguments), with no"
            " parameter of your own in between.",
            f"{_CORE}: Run.work()",
        ),
    ),
    (
        "errors.05 errors.06 errors.08",
        Remedy(
            "Send exception_pickle only if it loads again, as an Exception that is "
            "neither a TimeoutError nor a StopIteration.",
            f"{_CORE}: error_event()",
        ),
    ),
    (
        "errors.01 errors.02 errors.13 errors.15 errors.17",
        Remedy(
            "Make kind, message, traceback, retryable and source from "
            "traceback.TracebackException, which survives a __str__ that raises.",
            f"{_CORE}: error_event()",
        ),
    ),
    (
        "errors.18",
        Remedy(
            "Write the JSON of an answer in ASCII, as json.dumps() does, because UTF-8 cannot "
            "write a lone surrogate, and make texts with traceback.TracebackException.",
            f"{_FASTAPI}: wove_tasks()",
        ),
    ),
    (
        "errors.16",
        Remedy(
            "Add run_id and task_id to the task_error in the place where all events get them.",
            f"{_CORE}: handle()",
        ),
    ),
    (
        "errors",
        Remedy(
            "Load, call, await and pickle in one try block that catches BaseException, "
            "and answer with a task_error.",
            f"{_CORE}: Run.work()",
        ),
    ),
    (
        "cancel.02 cancel.13 cancel.16 cancel.17 cancel.18",
        Remedy(
            "Let the first outcome of a run count, under a lock, and answer the run's "
            "own POST with it.",
            f"{_CORE}: Run.settle()",
        ),
    ),
    (
        "cancel.03",
        Remedy(
            "Cancel the asyncio task of the run from its own event loop, with "
            "call_soon_threadsafe().",
            f"{_CORE}: Run.cancel()",
        ),
    ),
    (
        "cancel.06 cancel.07 cancel.08",
        Remedy(
            "With require_ack, ask the body to stop, wait until it has ended, and say "
            "task_cancelled only then.",
            f"{_CORE}: Run.cancel()",
        ),
    ),
    (
        "cancel.21",
        Remedy(
            "With require_ack, wait a second or two for the end of the body; if it still runs "
            "then, answer without events.",
            f"{_CORE}: Run.cancel()",
        ),
    ),
    (
        "cancel.15 cancel.20",
        Remedy(
            "Know a run by its run_id before its pickles are loaded, and look whether it was "
            "cancelled meanwhile when its body would start.",
            f"{_CORE}: Run.work()",
        ),
    ),
    (
        "cancel.14",
        Remedy(
            "Keep a thread for cancel_task while every run waits: from a pool of its own, "
            "or from one with more threads than Wove sends runs at once.",
            f"{_FASTAPI}: wove_tasks()",
        ),
    ),
    (
        "cancel",
        Remedy(
            "Find the run by its whole run_id, ask it to stop, and answer at once; "
            "answer an unknown or ended run without events.",
            f"{_CORE}: handle()",
        ),
    ),
    (
        "concurrency.03",
        Remedy(
            "Keep everything about a run in an object of its own, found by its run_id.",
            f"{_CORE}: handle()",
        ),
    ),
    (
        "concurrency.05",
        Remedy(
            "Load and pickle where the task runs, in its own thread or process, not in the event "
            "loop that serves requests and not under a lock.",
            f"{_CORE}: Run.work()",
        ),
    ),
    (
        "concurrency.06",
        Remedy(
            "Send what tasks print in no answer, or capture it for each run by a context variable "
            "or in a process of its own, because sys.stdout is one for all runs.",
            f"{_CORE}: handle()",
        ),
    ),
    (
        "concurrency",
        Remedy(
            "Serve each request in a thread of its own, or from a pool with more "
            "threads than Wove sends requests.",
            f"{_FASTAPI}: wove_tasks()",
        ),
    ),
    (
        "limits.01",
        Remedy(
            "Catch RecursionError with the other errors of json.loads(), and answer 400.",
            f"{_CORE}: handle()",
        ),
    ),
    (
        "limits.05 limits.07",
        Remedy(
            "Forget a run when it is answered, and end its thread and its event loop.",
            f"{_CORE}: handle()",
        ),
    ),
    (
        "limits.06",
        Remedy(
            "Keep nonces in the order in which they end and forget from the front, "
            "instead of looking through all of them.",
            f"{_CORE}: verify()",
        ),
    ),
    (
        "limits.11 limits.12",
        Remedy(
            "Answer 413 to a Content-Length above a limit before you read the body, and reserve "
            "memory only for bytes that have come.",
            f"{_STD}: Handler.do_POST()",
        ),
    ),
    (
        "limits.14",
        Remedy(
            "Limit the bytes of a request's head, not only of each line: 64 KiB are more than"
            " enough. uvicorn has a limit with http='h11', and none with httptools.",
            f"{_FASTAPI}: main()",
        ),
    ),
    (
        "limits.15",
        Remedy(
            "Give the web framework a limit for bodies (MAX_CONTENT_LENGTH, client_max_size, …), or"
            " count while you read, and answer 413 above it.",
            f"{_FASTAPI}: wove_tasks()",
        ),
    ),
    (
        "limits.13",
        Remedy(
            "Count the bytes of the chunks that come and answer 413 above the limit, or answer 411 "
            "to every body in chunks.",
            f"{_FASTAPI}: wove_tasks()",
        ),
    ),
    (
        "limits.08 limits.09 limits.10",
        Remedy(
            "Leave sys.stdout to the tasks, or capture it for one run into memory that takes any "
            "bytes and any amount, and wait for the body only, in a thread of its own.",
            f"{_CORE}: Run.work()",
        ),
    ),
    (
        "limits",
        Remedy(
            "Serve each connection in a thread or coroutine of its own, so that whatever goes "
            "wrong with one, also a client that has gone, ends only that connection.",
            f"{_STD}: main()",
        ),
    ),
)
"""For each case the first line whose globs match it."""
