"""How to mend a worker service that fails a case of the family ``run``."""

from __future__ import annotations

from wove_http_dev.conformance.case import Remedy
from wove_http_dev.conformance.worker.cases import CORE, STDLIB

REMEDIES = (
    (
        "run.20",
        Remedy(
            "Give runs no time limit of your own, or one of hours: Wove has delivery_timeout, in "
            "seconds, for that, and sends a cancel_task.",
            f"{CORE}: Run.work()",
        ),
    ),
    (
        "run.02",
        Remedy(
            "Await what the call returned if inspect.isawaitable() says so, whatever "
            "kind of callable it was.",
            f"{CORE}: Run.work()",
        ),
    ),
    (
        "run.09 run.10",
        Remedy(
            "Call the task once for each run_task, and answer after that; leave retries to Wove.",
            f"{CORE}: Run.work()",
        ),
    ),
    (
        "run.21",
        Remedy(
            "Keep no outcome of a run, or for a delivery_idempotency_key only a task_result.",
            f"{CORE}: handle()",
        ),
    ),
    (
        "run.11 run.12 run.17 run.18",
        Remedy(
            "Tell runs apart by run_id alone, and reuse no answer, function or "
            "arguments of another run.",
            f"{CORE}: handle()",
        ),
    ),
    (
        "run.04 run.05 run.06 run.13 run.15 errors.19",
        Remedy(
            "Send whatever the task returned, pickled with cloudpickle, without looking"
            " at what it is.",
            f"{CORE}: Run.work()",
        ),
    ),
    (
        "run.07 run.08 run.19",
        Remedy(
            "Allow bodies and answers as large as the values of tasks: the reference "
            "workers take 64 MiB.",
            f"{STDLIB}: Handler.do_POST()",
        ),
    ),
    (
        "run.16",
        Remedy(
            "Write the answer to its connection only, so that nothing a task prints can"
            " get into it.",
            f"{STDLIB}: Handler.answer()",
        ),
    ),
    (
        "run",
        Remedy(
            "Load both pickles with cloudpickle and call function(**arguments), with no"
            " parameter of your own in between.",
            f"{CORE}: Run.work()",
        ),
    ),
)
