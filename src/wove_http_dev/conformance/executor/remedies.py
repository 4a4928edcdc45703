"""How to mend an executor that fails a case, and which method of a careful one does it right."""

from __future__ import annotations

from wove_http_dev.conformance.case import Remedy

_EXECUTOR = "tests/conformance/executor/conforming_executor.py"

REMEDIES = (
    (
        "frames.02 frames.03 frames.04 frames.12 frames.13 frames.15 frames.17 "
        "frames.09 frames.10 frames.11 frames.36 frames.25 frames.26 frames.27 frames.28",
        Remedy(
            "Read the answer as UTF-8 JSON in each of the three shapes, skip events of "
            "other types, and end the run with the first terminal frame.",
            f"{_EXECUTOR}: ConformingExecutor.read()",
        ),
    ),
    (
        "frames.18 frames.19 frames.20 frames.21 frames.22 frames.23 frames.24 frames.35",
        Remedy(
            "Let an HTTP library read the answer to its end, compare header names without their "
            "case, ask for no coding that you do not undo, and send nothing over a connection "
            "that the worker closes.",
            f"{_EXECUTOR}: ConformingExecutor.post()",
        ),
    ),
    (
        "frames.29 frames.30 frames.31 frames.32",
        Remedy(
            "Read frames only from a whole answer with a status of success and one JSON document, "
            "and make an error of every other one.",
            f"{_EXECUTOR}: ConformingExecutor._answer()",
        ),
    ),
    (
        "frames.37",
        Remedy(
            "Compare the whole run_id with that of the run_task, as it is.",
            f"{_EXECUTOR}: ConformingExecutor.read()",
        ),
    ),
    (
        "frames.05 frames.06 frames.07 frames.08 frames.16 frames.33 frames.34",
        Remedy(
            "POST Wove's frame as it is, once, to the path and query of the configured "
            "URL, with the configured headers.",
            f"{_EXECUTOR}: ConformingExecutor.post()",
        ),
    ),
    (
        "frames.38 frames.39",
        Remedy(
            "Take the host from urlsplit(), and let socket.create_connection() try its addresses.",
            f"{_EXECUTOR}: ConformingExecutor.connection()",
        ),
    ),
    (
        "frames.14",
        Remedy(
            "Skip answers with a status from 102 to 199, and 100, until the final one.",
            f"{_EXECUTOR}: ConformingExecutor.post()",
        ),
    ),
    (
        "frames",
        Remedy(
            "POST the frame and put the events of its answer into Wove's queue.",
            f"{_EXECUTOR}: ConformingExecutor._run()",
        ),
    ),
    (
        "errors.12 errors.13",
        Remedy(
            "Raise an error whose message has the status of the answer and the reason in its body.",
            f"{_EXECUTOR}: ConformingExecutor._answer()",
        ),
    ),
    (
        "errors.17",
        Remedy(
            "Mark the error of a 4xx as not retryable, and every other transport error as "
            "retryable.",
            f"{_EXECUTOR}: ConformingExecutor.failure()",
        ),
    ),
    (
        "errors.11",
        Remedy(
            "Make the error for the run whose request failed, with its run_id.",
            f"{_EXECUTOR}: ConformingExecutor.error_for()",
        ),
    ),
    (
        "errors.14 errors.15 errors.16 errors.20 errors.21 errors.22",
        Remedy(
            "Hand the task's error on as it came, and the exception only if it can be unpickled.",
            f"{_EXECUTOR}: ConformingExecutor._terminal()",
        ),
    ),
    (
        "errors.24",
        Remedy(
            "Hand the unpickled result on without comparing, printing or testing it.",
            f"{_EXECUTOR}: ConformingExecutor._terminal()",
        ),
    ),
    (
        "errors.23",
        Remedy(
            "Catch BaseException around the loading of a payload, and put only instances of "
            "Exception into Wove's queue.",
            f"{_EXECUTOR}: ConformingExecutor._terminal()",
        ),
    ),
    (
        "errors.18",
        Remedy(
            "Catch Exception around everything that the thread of a request does, and "
            "make an event of it.",
            f"{_EXECUTOR}: ConformingExecutor._run()",
        ),
    ),
    (
        "errors.26",
        Remedy(
            "Close the connection of a request however it ends, at the latest after the timeout.",
            f"{_EXECUTOR}: ConformingExecutor.post()",
        ),
    ),
    (
        "errors",
        Remedy(
            'Make an event task_error with normalize_exception(source="transport") for '
            "whatever goes wrong between POST and answer.",
            f"{_EXECUTOR}: ConformingExecutor.failure()",
        ),
    ),
    (
        "security.01 security.02 security.03 security.04 security.05 security.06 "
        "security.07 security.08 security.09 security.10 security.11 security.39",
        Remedy(
            "Send with http.client, which follows no redirect, and treat every status "
            "but 2xx as an error.",
            f"{_EXECUTOR}: ConformingExecutor._answer()",
        ),
    ),
    (
        "security.12 security.13 security.14 security.15 security.16 security.17 "
        "security.33 security.34 security.45",
        Remedy(
            "Make the credentials of each request anew with headers_for() of Wove, from"
            " the target and the bytes that are sent, and put no header over them.",
            f"{_EXECUTOR}: ConformingExecutor.credentials()",
        ),
    ),
    (
        "security.18 security.38",
        Remedy(
            "Put no header and no secret into a message, and print nothing.",
            f"{_EXECUTOR}: ConformingExecutor.failure()",
        ),
    ),
    (
        "security.19",
        Remedy(
            "Unpickle payloads only of the frame that ends the run that was asked for.",
            f"{_EXECUTOR}: ConformingExecutor._terminal()",
        ),
    ),
    (
        "security.28 security.29 security.30 security.31",
        Remedy(
            "Let start() of Wove's executor read security and check the URL and the "
            "options, or do what it does.",
            f"{_EXECUTOR}: ConformingExecutor.start()",
        ),
    ),
    (
        "security.40",
        Remedy(
            "Send with a library that refuses line breaks in headers, or refuse them.",
            f"{_EXECUTOR}: ConformingExecutor.headers()",
        ),
    ),
    (
        "security.32",
        Remedy(
            "Report a 401 or 403 as an error, and send nothing else for that frame.",
            f"{_EXECUTOR}: ConformingExecutor._answer()",
        ),
    ),
    (
        "security.41 security.42",
        Remedy(
            "Use no proxy, or leave to your HTTP library which hosts have none and how it makes a "
            "tunnel.",
            f"{_EXECUTOR}: ConformingExecutor.connection()",
        ),
    ),
    (
        "security.43",
        Remedy(
            "Put the credentials last into the headers, and turn off what your HTTP library takes "
            "from ~/.netrc (requests, aiohttp: trust_env).",
            f"{_EXECUTOR}: ConformingExecutor.headers()",
        ),
    ),
    (
        "security",
        Remedy(
            "Connect with ssl.create_default_context() for each https URL, also with "
            "insecure=True, and never try again without TLS.",
            f"{_EXECUTOR}: ConformingExecutor.connection()",
        ),
    ),
    (
        "routing.10",
        Remedy(
            "Send each frame at once, in a thread of its own.",
            f"{_EXECUTOR}: ConformingExecutor.send()",
        ),
    ),
    (
        "routing.17 routing.21",
        Remedy(
            "Close the connection after an answer, at least if it is not whole, or if more arrives "
            "on it than the answer.",
            f"{_EXECUTOR}: ConformingExecutor.close()",
        ),
    ),
    (
        "routing.18 routing.19",
        Remedy(
            "Read the configuration anew in each start(), keep it and the open connections in the "
            "instance, and let stop() end only those.",
            f"{_EXECUTOR}: ConformingExecutor.start()",
        ),
    ),
    (
        "routing.20",
        Remedy(
            "Send every frame, and recognise runs by their run_id only, never by what they hold.",
            f"{_EXECUTOR}: ConformingExecutor.send()",
        ),
    ),
    (
        "routing",
        Remedy(
            "Take from an answer only events whose whole run_id is that of the request.",
            f"{_EXECUTOR}: ConformingExecutor.read()",
        ),
    ),
    (
        "cancel.05 cancel.11",
        Remedy(
            "Ignore whatever a cancel_task is answered with.",
            f"{_EXECUTOR}: ConformingExecutor._cancel()",
        ),
    ),
    (
        "cancel.04 cancel.10",
        Remedy(
            "POST each cancel_task once, in a thread or a task of its own that stop() does not "
            "end and that does not wait for a run.",
            f"{_EXECUTOR}: ConformingExecutor._cancel()",
        ),
    ),
    (
        "cancel.12 cancel.13 cancel.14 cancel.15",
        Remedy(
            "Catch whatever goes wrong with a cancel_task where it is sent, make no event of it, "
            "and let send() raise nothing for a run that is unknown, ended or cancelled.",
            f"{_EXECUTOR}: ConformingExecutor._cancel()",
        ),
    ),
    (
        "cancel",
        Remedy(
            "POST Wove's cancel_task as it is, at once and besides all runs, to the "
            "same URL; with require_ack wait for its answer.",
            f"{_EXECUTOR}: ConformingExecutor._cancel()",
        ),
    ),
    (
        "time.16",
        Remedy(
            "Wait no longer than the timeout for the answer to a require_ack cancel_task.",
            f"{_EXECUTOR}: ConformingExecutor._cancel()",
        ),
    ),
    (
        "time.17",
        Remedy(
            "Read the secret, also that of an environment variable, anew in each start().",
            f"{_EXECUTOR}: ConformingExecutor.start()",
        ),
    ),
    (
        "time.18 time.19",
        Remedy(
            "In stop(), close the connections of open runs and end the tasks that were made "
            "for them.",
            f"{_EXECUTOR}: ConformingExecutor.stop()",
        ),
    ),
    (
        "time.14",
        Remedy(
            "Close the connection of each request, and those of open runs in stop().",
            f"{_EXECUTOR}: ConformingExecutor.stop()",
        ),
    ),
    (
        "time.15",
        Remedy(
            "Change no default timeout, no environment variable and no other setting of"
            " the process or of the event loop; log instead of printing.",
            f"{_EXECUTOR}: ConformingExecutor.tls_context()",
        ),
    ),
    (
        "time.34",
        Remedy(
            "Leave the sockets that Python makes as they are: child processes do not inherit them.",
            f"{_EXECUTOR}: ConformingExecutor.connection()",
        ),
    ),
    (
        "time.30",
        Remedy(
            "Switch the timeout of the HTTP library off if none is configured.",
            f"{_EXECUTOR}: ConformingExecutor.connection()",
        ),
    ),
    (
        "time.32",
        Remedy(
            "Wait in recv() for a queue, which the thread of a request wakes up.",
            f"{_EXECUTOR}: ConformingExecutor.deliver()",
        ),
    ),
    (
        "time.33",
        Remedy(
            "Keep nothing of a run once its terminal frame is in the queue.",
            f"{_EXECUTOR}: ConformingExecutor.post()",
        ),
    ),
    (
        "time.06",
        Remedy(
            "Make a task_error of an answer in which no terminal frame is for the run.",
            f"{_EXECUTOR}: ConformingExecutor.read()",
        ),
    ),
    (
        "time.07",
        Remedy(
            "Read the answer in blocks, and give it up when it is larger than your limit.",
            f"{_EXECUTOR}: ConformingExecutor._answer()",
        ),
    ),
    (
        "time.08 time.09 time.10 time.11 time.13 time.20 time.31",
        Remedy(
            "Do in threads of the executor's own what blocks, not in the event loop, "
            "nor in its default pool.",
            f"{_EXECUTOR}: ConformingExecutor._in_thread()",
        ),
    ),
    (
        "time.21 time.22",
        Remedy(
            "Load payloads in a thread for which nothing waits, and make a task_error of it when "
            "the timeout ends.",
            f"{_EXECUTOR}: ConformingExecutor.loading()",
        ),
    ),
    (
        "time.23 time.24 time.25",
        Remedy(
            "Let stop() end what is open and return at once, also if there is nothing to end.",
            f"{_EXECUTOR}: ConformingExecutor.stop()",
        ),
    ),
    (
        "time",
        Remedy(
            "Give each request one deadline for all of it, from connecting to the last "
            "byte, that closes its connection.",
            f"{_EXECUTOR}: ConformingExecutor.deadline()",
        ),
    ),
    (
        "retries.03",
        Remedy(
            "Before a frame is sent, look whether its run was abandoned.",
            f"{_EXECUTOR}: ConformingExecutor.post()",
        ),
    ),
    (
        "retries.04 retries.08",
        Remedy(
            "After a 503 wait as long as Retry-After says, at most the timeout, before "
            "the error is reported.",
            f"{_EXECUTOR}: ConformingExecutor.pause()",
        ),
    ),
    (
        "retries.07",
        Remedy(
            "Read Retry-After as a number or as a date, take anything else for 0, and let "
            "no wait for it hold up stop().",
            f"{_EXECUTOR}: ConformingExecutor.retry_after()",
        ),
    ),
    (
        "retries.09",
        Remedy(
            "Apply the timeout to the connection and its TLS handshake as well, and look "
            "afterwards whether the run was abandoned.",
            f"{_EXECUTOR}: ConformingExecutor.post()",
        ),
    ),
    (
        "retries",
        Remedy(
            "Send each frame once as it is, and leave retries, and their run_id, to Wove.",
            f"{_EXECUTOR}: ConformingExecutor.post()",
        ),
    ),
    (
        "outcome",
        Remedy(
            "End every run in time with an event for it: give its request a deadline, check "
            "status, JSON, shape and run_id of the answer, and make a task_error of "
            "whatever goes wrong.",
            f"{_EXECUTOR}: ConformingExecutor._run()",
        ),
    ),
)
"""For each case the first line whose globs match it."""
