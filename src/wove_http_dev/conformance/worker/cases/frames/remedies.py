"""How to mend a worker service that fails a case of the family ``frames``."""

from __future__ import annotations

from wove_http_dev.conformance.case import Remedy
from wove_http_dev.conformance.worker.cases import CORE

REMEDIES = (
    (
        "frames.03 frames.04 frames.05 frames.18 frames.20 frames.21",
        Remedy(
            "Copy run_id and task_id of the command into every event frame, unchanged.",
            f"{CORE}: handle()",
        ),
    ),
    (
        "frames.02 frames.06 frames.07 frames.19",
        Remedy(
            "Answer a run with task_started and then exactly one of task_result, "
            "task_error and task_cancelled.",
            f"{CORE}: handle()",
        ),
    ),
    (
        "frames.26",
        Remedy(
            "Turn the debug mode of the web framework off, and answer what you did not expect with"
            " 500 and a fixed text; the traceback belongs into the service's log.",
            f"{CORE}: handle()",
        ),
    ),
    (
        "frames.25",
        Remedy(
            "Keep runs by their run_id as it came, and look the run of a cancel_task up by it.",
            f"{CORE}: handle()",
        ),
    ),
    (
        "frames.08",
        Remedy(
            "Read the fields that you need, and leave the others alone.",
            f"{CORE}: handle()",
        ),
    ),
    (
        "frames.12 frames.16",
        Remedy(
            "Decode payloads with base64.b64decode(text, validate=True), and answer 400"
            " if that fails.",
            f"{CORE}: handle()",
        ),
    ),
    (
        "frames.09 frames.10 frames.11 frames.13 frames.14 frames.22 frames.23 frames.24",
        Remedy(
            "Read the body as a JSON object and check type, run_id and payloads before "
            "anything is run, and answer 400 with what is wrong.",
            f"{CORE}: handle()",
        ),
    ),
    (
        "frames",
        Remedy(
            'Answer with 200 and the JSON object {"events": [...]}, whose task_result '
            "has the base64 of the pickled value as result_pickle.",
            f"{CORE}: handle()",
        ),
    ),
)
