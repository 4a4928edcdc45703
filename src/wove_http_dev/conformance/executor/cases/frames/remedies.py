"""How to mend an executor that fails a case of the family ``frames``."""

from __future__ import annotations

from wove_http_dev.conformance.case import Remedy
from wove_http_dev.conformance.executor.cases import EXAMPLE

REMEDIES = (
    (
        "frames.01",
        Remedy(
            "start() gets executor_config itself, as environment_config: read url, security, "
            "timeout, headers and insecure from it. send() gets a frame with Python objects: for "
            "JSON put callable and args, pickled with cloudpickle and in base64, into "
            "callable_pickle and args_pickle, sign exactly the bytes that you POST, and put the "
            "events of the answer, with result_pickle loaded as result, where recv() takes them.",
            f"{EXAMPLE}: ConformingExecutor._run()",
        ),
    ),
    (
        "frames.02 frames.03 frames.04 frames.12 frames.13 frames.15 frames.17 "
        "frames.09 frames.10 frames.11 frames.36 frames.25 frames.26 frames.27 frames.28",
        Remedy(
            "Read the answer as UTF-8 JSON in each of the three shapes, skip events of "
            "other types, and end the run with the first terminal frame.",
            f"{EXAMPLE}: ConformingExecutor.read()",
        ),
    ),
    (
        "frames.18 frames.19 frames.20 frames.21 frames.22 frames.23 frames.24 frames.35",
        Remedy(
            "Let an HTTP library read the answer to its end, compare header names without their "
            "case, ask for no coding that you do not undo, and send nothing over a connection "
            "that the worker closes.",
            f"{EXAMPLE}: ConformingExecutor.post()",
        ),
    ),
    (
        "frames.29 frames.30 frames.31 frames.32",
        Remedy(
            "Read frames only from a whole answer with a status of success and one JSON document, "
            "and make an error of every other one.",
            f"{EXAMPLE}: ConformingExecutor._answer()",
        ),
    ),
    (
        "frames.37",
        Remedy(
            "Compare the whole run_id with that of the run_task, as it is.",
            f"{EXAMPLE}: ConformingExecutor.read()",
        ),
    ),
    (
        "frames.05 frames.06 frames.07 frames.08 frames.16 frames.33 frames.34",
        Remedy(
            "POST Wove's frame as it is, once, to the path and query of the configured "
            "URL (a path that is empty is sent as /), with the configured headers.",
            f"{EXAMPLE}: ConformingExecutor.post()",
        ),
    ),
    (
        "frames.38 frames.39",
        Remedy(
            "Take the host from urlsplit(), and let socket.create_connection() try its addresses.",
            f"{EXAMPLE}: ConformingExecutor.connection()",
        ),
    ),
    (
        "frames.14",
        Remedy(
            "Skip answers with a status from 102 to 199, and 100, until the final one.",
            f"{EXAMPLE}: ConformingExecutor.post()",
        ),
    ),
)
