"""Error cases about exceptions and results that are unusual in themselves: the service sends them,
and asks nothing else of them."""

from __future__ import annotations

from wove_http_dev.conformance.worker import answers, sources, unusual_tasks
from wove_http_dev.conformance.worker.cases.errors import errors
from wove_http_dev.conformance.worker.cases.errors.error_frames import each_way, failed_each_way
from wove_http_dev.conformance.worker.context import CaseContext

LONG = 2**20
"""The number of characters of a long message."""


@errors.must(
    "17",
    sources.CONTRACT,
    scenario="tasks, sync and async, that raise exceptions without arguments, with arguments that"
    " are no text, that are false, that cannot be compared, that are their own cause, and"
    " RecursionError",
    expected="a task_error each; the service keeps serving",
)
def unusual_exceptions(check: CaseContext) -> str:
    """Whatever an exception holds, its run ends in a task_error."""
    for what, function in (
        ("an exception without arguments", unusual_tasks.fail_without_arguments),
        ("an exception with arguments that are no text", unusual_tasks.fail_with_objects),
        ("an exception whose truth value is false", unusual_tasks.fail_false),
        ("an exception that cannot be compared", unusual_tasks.fail_incomparable),
        ("an exception that is its own cause", unusual_tasks.fail_in_a_circle),
        ("a RecursionError", unusual_tasks.fail_deeply),
    ):
        failed_each_way(check, what, function)
    return "task_error each time"


@errors.should(
    "18",
    f"{sources.CONTRACT}; RFC 8259, 8.1: JSON is UTF-8",
    scenario=f"tasks, sync and async, that raise exceptions whose message has a lone surrogate,"
    f" which UTF-8 cannot write, has {LONG} characters, or raises SystemExit",
    expected="a task_error each, with a message; the service keeps serving",
)
def any_message(check: CaseContext) -> str:
    """An error whose message UTF-8 cannot write, or that is very long, is sent too."""
    for kind, function, args in (
        ("a message that UTF-8 cannot write", unusual_tasks.fail_in_surrogates, None),
        ("a very long message", unusual_tasks.fail_at_length, {"size": LONG}),
        ("a message that raises SystemExit", unusual_tasks.fail_with_text_that_exits, None),
    ):
        for what, event in failed_each_way(check, kind, function, args):
            text = answers.error_text(event)
            if "SystemExit" not in what and "conformance" not in text:
                check.fail(f"the task_error for {what} does not hold its message: {text}")
    return "task_error each time"


@errors.must(
    "19",
    f"{sources.CONTRACT}; {sources.EVENTS}",
    scenario="tasks, sync and async, that return an object that raises if it is compared, shown or"
    " asked for its truth value; tasks that return a generator and an asynchronous generator",
    expected="task_result for the object; one terminal frame each for the others; the service keeps"
    " serving",
)
def unusual_results(check: CaseContext) -> str:
    """A result is pickled and sent, and nothing else is asked of it."""
    what = "a result that raises if it is compared, shown or asked for its truth value"
    for way, frame in each_way(unusual_tasks.prickly_result):
        event = check.terminal(frame, f"{what}{way}")
        if event.get("type") != "task_result":
            check.fail(
                f"{what}{way} was answered with {event.get('type')!r}: {answers.error_text(event)}"
            )
    for what, function in (
        ("a generator", unusual_tasks.generator),
        ("an asynchronous generator", unusual_tasks.async_generator),
    ):
        for way, frame in each_way(function):
            check.terminal(frame, f"a task that returns {what}{way}")
        check.still_serves(f"a task that returns {what}")
    return "sent"
