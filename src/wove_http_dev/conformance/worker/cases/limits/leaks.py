"""The limit case about leaks: threads and open files that remain in the worker process after runs.

Thread pools and caches grow at first, so only a number that keeps growing by about one with each
run is reported as a leak.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.worker import commands, sources, tasks
from wove_http_dev.conformance.worker.cases.cancel.held_run import send_cancel, start_held
from wove_http_dev.conformance.worker.cases.limits import limits
from wove_http_dev.conformance.worker.context import CaseContext

BATCH, BATCH_TIME = 15, 1.2
"""The number of runs between two counts, and the seconds after which no more of them start."""
FEWEST = 10
"""The least number of runs from which growth can be told from chance."""
GARBAGE = 2
"""How many threads or files more than after the last collection of garbage are no reason for
another one."""


def _batch(step: Callable[[], object], count: int, seconds: float) -> int:
    """Call ``step`` up to ``count`` times, and no more after ``seconds``. Return how many times it
    was called."""
    ends = time.monotonic() + seconds
    for number in range(count):
        if time.monotonic() > ends:
            return number
        step()
    return count


def _steps(check: CaseContext) -> Mapping[str, Callable[[], object]]:
    """Return the kinds of requests that the case repeats: by name, a function that sends one."""
    fails = commands.run_frame(tasks.fail)
    steps: dict[str, Callable[[], object]] = {
        "sync runs": lambda: check.value(tasks.echo, {"value": 1}),
        "async runs": lambda: check.value(tasks.echo_async, {"value": 1}),
        "failed runs": lambda: check.terminal({**fails, "run_id": commands.new_run_id()}),
    }
    if check.session.callback_works():
        steps["cancelled runs"] = lambda: _cancelled(check)
    if check.service.mode != "none":
        body = commands.encode(fails)
        steps["refused requests"] = lambda: check.ask("no credentials", body, {})
    steps["cut off requests"] = lambda: _cut_off(check)
    return steps


def _cut_off(check: CaseContext) -> None:
    """Send a request without its end, and close the connection."""
    body = commands.encode(commands.run_frame(tasks.nothing))
    request = check.service.request(body, check.service.credentials(body))
    deadline = check.deadline()
    connection = check.service.connect(deadline)
    connection.send(request[:-40], deadline)
    connection.close()


def _cancelled(check: CaseContext) -> None:
    """Cancel an async run, and wait for its answer."""
    run = start_held(check, tasks.hold_async)
    send_cancel(check, run.run_id)
    run.callback.close()  # the files counted may be those of this process
    run.post.done(check.patience)


class _Counter:
    """Counts the threads and open files of the worker process. A service with many objects needs
    0.1 s to collect its garbage, so it is told to only if garbage may have been counted."""

    def __init__(self, check: CaseContext) -> None:
        self._check = check
        self._clean = self._ask(collect=True)
        """The counts after the last collection."""

    def count(self) -> dict[str, int]:
        seen = self._ask(collect=False)
        if any(count > self._clean.get(name, 0) + GARBAGE for name, count in seen.items()):
            seen = self._clean = self._ask(collect=True)
        return seen

    def _ask(self, *, collect: bool) -> dict[str, int]:
        seen = self._check.value(tasks.resources, {"collect": collect})
        if not isinstance(seen, dict) or not all(type(count) is int for count in seen.values()):
            raise NotApplicable("the task that counts threads and open files gave no counts")
        return seen


@limits.should(
    "07",
    sources.CWE_EXHAUSTION,
    scenario=f"twice {BATCH} tasks of each kind (sync, async, failing, cancelled), and as many"
    " requests that are cut off or have no credentials; between them, tasks that count the threads"
    " and open files of their process",
    expected="counts that do not keep growing",
    alone=True,
)
def nothing_left_behind(check: CaseContext) -> str:
    """A run releases the threads, event loops and files that it used."""
    limit = check.seconds(BATCH_TIME)
    most = max(FEWEST, int(BATCH * min(1.0, check.session.silence)))
    counter = _Counter(check)
    last = counter.count()
    for kind, step in _steps(check).items():
        if check.time_left() < 3 * limit:  # for two batches, and the counts between them
            raise NotApplicable("the runs take too long to tell")
        held, sizes = [last], []
        for _ in range(2):
            sizes.append(_batch(step, most, limit))
            held.append(counter.count())
        if min(sizes) < FEWEST:
            raise NotApplicable(f"{min(sizes)} runs in {limit:g} s are too few to tell")
        last = held[-1]
        for name in held[0]:
            before, middle, after = (counts.get(name, 0) for counts in held)
            if middle - before > sizes[0] / 2 and after - middle > sizes[1] / 2:
                check.fail(
                    f"the worker's {name} grow with its {kind.rpartition(' ')[2]}: {before} before,"
                    f" {middle} after {sizes[0]} {kind}, {after} after {sizes[1]} more"
                )
    return ", ".join(f"{count} {name}" for name, count in held[-1].items())
