"""The runner: time limits of a check, measured with a fake clock, and several cases at a time."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from wove_http_dev import conformance
from wove_http_dev.conformance import perform, runner
from wove_http_dev.conformance.case import Case, CaseFailed, Family, NotApplicable, Result
from wove_http_dev.conformance.executor.suite import EXECUTOR_CASES
from wove_http_dev.conformance.runner import Checking
from wove_http_dev.conformance.worker.suite import WORKER_CASES


class Clock:
    """A fake clock that advances only when a case adds seconds."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that the runner uses in this test."""
    clock = Clock()
    for module in (runner, perform):
        monkeypatch.setattr(module, "time", clock)
    return clock


def cases(clock: Clock, count: int, seconds: float, *, pass_: bool) -> list[Case]:
    """Return ``count`` cases that take ``seconds`` each, and pass or fail."""
    family = Family("made-up")

    def body(check: object) -> str:
        """It takes some time."""
        clock.now += seconds
        if not pass_:
            raise CaseFailed("short")
        return "passed"

    for number in range(count):
        name = f"case-{number:02}"
        family.must(name[-2:], "a test", scenario="nothing", expected="a pass", name=name)(body)
    return list(family.cases)


def results(chosen: list[Case]) -> list[Result]:
    """Run the cases with a limit of 30 s in all, and 10 s for cases that fail."""

    return Checking(nullcontext, budget=30.0, losses=10.0, alive=lambda: True).run(chosen, [])


def test_a_slow_service_has_all_of_the_time(clock: Clock) -> None:
    """Cases that pass do not count for the limit of cases that do not."""
    statuses = [result.status for result in results(cases(clock, 8, 4.0, pass_=True))]
    assert statuses == ["passed"] * 8


def test_a_service_that_hangs_has_a_part_of_it(clock: Clock) -> None:
    """After cases that fail have used up the smaller limit, no case is run, and the reason says
    so."""
    done = results(cases(clock, 8, 4.0, pass_=False))
    assert [result.status for result in done] == ["failed"] * 3 + ["not run"] * 5
    assert "the 10 s for cases that fail were used up" in done[-1].actual


def test_a_case_that_could_not_measure_has_used_up_nothing(clock: Clock) -> None:
    """On a busy machine a case with a healthy service may take long, and then be skipped."""
    family = Family("measured")

    @family.must("01", "a test", scenario="nothing", expected="a number")
    def a_measurement(check: object) -> str:
        """It takes long."""
        clock.now += 15.0
        raise NotApplicable("it could not be timed")

    chosen = [*family.cases, *cases(clock, 1, 1.0, pass_=True)]
    assert [result.status for result in results(chosen)] == ["skipped", "passed"]


def test_no_case_begins_after_the_budget(clock: Clock) -> None:
    """After the whole time is used up no case is run, and the reason names the longest cases."""
    done = results(cases(clock, 6, 8.0, pass_=True))
    assert [result.status for result in done] == ["passed"] * 4 + ["not run"] * 2
    assert "the 30 s for the whole check were used up" in done[-1].actual
    assert "made-up.00 8.0 s" in done[-1].actual


def after_death(clock: Clock, restarted: str | None) -> list[Result]:
    """Run two cases; the first one fails and ends the service, which ``restarted`` is about."""
    first, second = cases(clock, 1, 1.0, pass_=False), cases(clock, 2, 1.0, pass_=True)[1:]
    checking = Checking(
        nullcontext,
        budget=30.0,
        alive=lambda: False,
        restart=lambda: restarted,
        printed=lambda: lambda: "its last words",
    )
    return checking.run([*first, *second], [])


def test_after_a_restart_the_rest_is_run(clock: Clock) -> None:
    """If the service was started again, the next case is run, and the failed one says so."""
    failed, passed = after_death(clock, None)
    assert passed.status == "passed"
    assert failed.actual.endswith("did not answer any more, and was started again")


def test_without_a_restart_the_rest_is_not_run(clock: Clock) -> None:
    """If the service could not be started again, the other cases are not run, with the reason."""
    last = after_death(clock, "the port is taken")[-1]
    assert (last.status, last.actual) == (
        "not run",
        "the service does not answer any more since made-up.00-case-00: the port is taken",
    )


def test_a_failed_case_has_what_the_service_printed(clock: Clock) -> None:
    """A failed case has what was printed while it ran, and one that passed has nothing."""
    assert [result.printed for result in after_death(clock, None)] == ["its last words", ""]


class Service:
    """A service that can end, and be started again, and the cases that use it.

    Each of ``bodies`` gets this object; its name is the name of the case.
    """

    def __init__(self, *bodies: Callable[[Service], object], alone: Sequence[str] = ()) -> None:
        self.up = True
        self.restarts = 0
        self.reports: list[str] = []
        self.runs: Counter[str] = Counter()
        self.together = threading.Barrier(2)
        self.ended = threading.Event()
        family = Family("made-up")
        for number, body in enumerate(bodies):
            name = body.__name__
            family.must(
                *(f"{number:02}", "a test"),
                scenario="nothing",
                expected="a pass",
                name=name,
                alone=name in alone,
            )(self._counting(body))
        self.cases = family.cases

    def _counting(self, body: Callable[[Service], object]) -> Callable[[object], str]:
        def counted(check: object) -> str:
            """It does something."""
            self.runs[body.__name__] += 1
            return str(body(self) or "")

        return counted

    def first_time(self, name: str) -> bool:
        """Whether the case runs for the first time."""
        return self.runs[name] == 1

    def meet(self) -> None:
        """Wait until another case of the same round waits as well."""
        self.together.wait(60)

    def restart(self) -> None:
        """Start it again."""
        self.up, self.restarts = True, self.restarts + 1

    def check(self, jobs: int = 2, restart: str | None = None, **more: Any) -> list[Result]:
        """Return the results of all cases; ``restart`` says why it cannot be started again."""
        checking = Checking(
            nullcontext,
            budget=60.0,
            jobs=jobs,
            alive=lambda: self.up,
            restart=self.restart if restart is None else lambda: restart,
            observer=lambda result: self.reports.append(result.case.name),
            **more,
        )
        return checking.run(self.cases, [])


def meets(service: Service) -> None:
    """Pass, if another case runs at the same time."""
    if service.first_time("meets"):
        service.meet()


def meets_too(service: Service) -> None:
    """Pass, if another case runs at the same time."""
    service.meet()


def test_cases_run_at_the_same_time() -> None:
    """With two jobs two cases run at the same time."""
    assert statuses(Service(meets, meets_too).check()) == ["passed", "passed"]


def statuses(results: Sequence[Result]) -> list[str]:
    """The status of each of ``results``."""
    return [result.status for result in results]


def mixed_up(service: Service) -> None:
    """Fail while another case runs, otherwise pass."""
    if service.first_time("mixed_up"):
        service.meet()
        raise CaseFailed("the wrong run")


def test_what_fails_only_beside_others_is_a_failure() -> None:
    """A case that fails beside another one, and passes alone, has failed, and says so."""
    result = Service(mixed_up, meets).check()[0]
    assert (result.status, result.actual) == (
        "failed",
        "failed while 1 other case ran (made-up.01), passed alone: the wrong run",
    )


def late(service: Service) -> None:
    """Fail on a time limit at the first time."""
    if service.first_time("late"):
        service.meet()
        raise CaseFailed("no answer within 1 s", late=True)


def test_what_was_late_beside_others_may_pass_alone() -> None:
    """The second run of a case that failed on a time limit counts, and the result says that there
    were two."""
    result = Service(late, meets).check()[0]
    assert (result.status, result.again) == (
        "passed",
        "it passed alone; at first while 1 other case ran (made-up.01): no answer within 1 s",
    )


def late_alone(service: Service) -> None:
    """Fail on a time limit at the first time, without another case."""
    if service.first_time("late_alone"):
        raise CaseFailed("no answer within 1 s", late=True)


def test_what_was_late_alone_is_run_again_too() -> None:
    """The machine may have been busy with something else than this check."""
    result = Service(late_alone).check(jobs=1)[0]
    assert (result.status, result.again) == (
        "passed",
        "it passed alone; at first: no answer within 1 s",
    )


def always_late(service: Service) -> None:
    """Fail on a time limit each time."""
    raise CaseFailed("no answer within 1 s", late=True)


def test_what_is_late_twice_has_failed() -> None:
    """A case that fails on a time limit alone as well has failed."""
    result = Service(always_late).check()[0]
    assert (result.status, result.again) == (
        "failed",
        "it failed alone as well; at first: no answer within 1 s",
    )


def test_nothing_is_run_again_if_not_wanted() -> None:
    """Without second runs the first result counts."""
    service = Service(late_alone)
    assert statuses(service.check(again=False)) == ["failed"]


@pytest.mark.parametrize("listed", ["known", "flaky"])
def test_what_is_listed_is_not_run_again(listed: str) -> None:
    """A case that fails as a list says is run once."""
    service = Service(late_alone)
    lists: dict[str, Any] = {listed: ["made-up.00"]}
    service.check(**lists)
    assert service.runs["late_alone"] == 1


def test_nothing_is_run_again_once_the_time_is_used_up() -> None:
    """A service that hangs is given up: what could not be run again says so."""
    (result,) = Service(always_late).check(losses=0.0)
    assert (result.status, result.again.partition(";")[0]) == (
        "failed",
        "it was not run again alone: the 0 s for cases that fail were used up before this case",
    )


def late_beside(service: Service) -> None:
    """Fail on a time limit each time, at first beside another case."""
    if service.first_time("late_beside"):
        service.meet()
    raise CaseFailed("no answer within 1 s", late=True)


def late_beside_too(service: Service) -> None:
    """Fail on a time limit each time, at first beside another case."""
    if service.first_time("late_beside_too"):
        service.meet()
    raise CaseFailed("no answer within 1 s", late=True)


def test_a_service_that_hangs_fails_what_was_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much time first runs took, a case that is late has its second run, and fails; for the
    next one the time is used up, so it is not decided."""
    monkeypatch.setattr(runner, "SECOND_RUNS", 1e-9)
    results = Service(late_beside, late_beside_too).check(losses=1e-8)
    assert sorted(statuses(results)) == ["failed", "not run"]


def test_second_runs_have_time_of_their_own(clock: Clock) -> None:
    """A case that was late when the time for the whole check was used up is run again."""
    family = Family("made-up")

    @family.must("01", "a test", scenario="nothing", expected="a pass")
    def late_by_40_seconds(check: object) -> None:
        """It takes longer than the whole check may."""
        clock.now += 40.0
        raise CaseFailed("no answer within 40 s", late=True)

    assert results(family.cases)[0].again.startswith("it failed alone as well")


def test_the_reason_of_what_was_not_run_names_the_option() -> None:
    """If cases were late beside others, the reason why no more are run says what to do."""
    service = Service(late_beside, late_beside_too, lonely, alone=["lonely"])
    reason = service.check(losses=0.0)[2].actual
    assert reason.endswith("; --jobs 1 is for a service that handles one request at a time")


def wrong(service: Service) -> None:
    """Fail each time."""
    if service.first_time("wrong"):
        service.meet()
    raise CaseFailed(f"wrong, time {service.runs['wrong']}")


def test_the_result_alone_is_shown_of_what_fails_always() -> None:
    """Of a case that fails beside others and alone the second result is shown."""
    results = Service(wrong, meets).check()
    assert results[0].actual == "wrong, time 2"


def lonely(service: Service) -> None:
    """Fail if another case has not ended."""
    if "meets" not in service.reports or "meets_too" not in service.reports:
        raise CaseFailed("another case had not ended")


def test_a_case_that_must_be_alone_runs_after_the_others() -> None:
    """A case with ``alone`` runs when those that run together have ended."""
    service = Service(lonely, meets, meets_too, alone=["lonely"])
    assert statuses(service.check(jobs=3)) == ["passed"] * 3


def test_results_are_in_the_order_of_the_cases() -> None:
    """Results are returned in the order of the suite, whichever case ended first."""
    results = Service(lonely, meets, meets_too, alone=["lonely"]).check()
    assert [result.case.name for result in results] == ["lonely", "meets", "meets_too"]


def needs_another(service: Service) -> None:
    """Be skipped at the first time, although what it needs passes."""
    if service.first_time("needs_another"):
        service.meet()
        raise NotApplicable("it never began", needs=["made-up.01"])


def test_what_was_skipped_beside_others_is_run_again() -> None:
    """A case that could not be run beside others, although what it needs passed, is run alone."""
    assert statuses(Service(needs_another, meets).check()) == ["passed", "passed"]


def kills(service: Service) -> None:
    """End the service."""
    if service.first_time("kills"):
        service.meet()
    service.up = False
    raise CaseFailed("no answer")


def disturbed(service: Service) -> None:
    """Fail if the service ends meanwhile."""
    if service.first_time("disturbed"):
        service.meet()
        while service.up:
            time.sleep(0.001)
    if not service.up:
        raise CaseFailed("reset")


def afterwards(service: Service) -> None:
    """Fail if the service does not run."""
    if not service.up:
        raise CaseFailed("refused")


def test_the_case_that_ends_the_service_is_found() -> None:
    """Of the cases that ran when the service ended the one is named that ends it alone as well."""
    results = Service(disturbed, kills, afterwards).check()
    assert statuses(results) == ["passed", "failed", "passed"]


def test_what_ended_the_service_says_so() -> None:
    """The failure of the case that ended the service says that it was started again."""
    results = Service(disturbed, kills).check()
    then = "no answer; afterwards the service did not answer any more, and was started again"
    assert results[1].actual == then


def kills_beside_others(service: Service) -> None:
    """End the service, but only while another case runs."""
    if service.first_time("kills_beside_others"):
        service.meet()
        service.up = False
        raise CaseFailed("no answer")


def test_a_service_that_ends_only_under_load_has_failed() -> None:
    """If no case ends the service alone, the failure says beside which ones it ended."""
    result = Service(kills_beside_others, meets).check()[0]
    assert result.actual == (
        "failed while 1 other case ran (made-up.01), after which the service did not answer any"
        " more, passed alone: no answer"
    )


def test_without_a_restart_those_that_ran_have_failed() -> None:
    """If the service cannot be started again, the failed cases name the ones beside them."""
    result = Service(disturbed, kills, afterwards).check(restart="")[1]
    assert result.actual == (
        "no answer; afterwards the service did not answer any more, while 1 other case ran"
        " (made-up.00)"
    )


def test_without_a_restart_no_further_case_is_run() -> None:
    """If the service cannot be started again, the reason names the cases that ran."""
    result = Service(disturbed, kills, afterwards).check(restart="the port is taken")[2]
    assert re.fullmatch(
        r"the service does not answer any more since these ran: made-up\.0[01], made-up\.0[01]:"
        r" the port is taken",
        result.actual,
    )


def ends_with_a_death(service: Service) -> None:
    """Pass, as soon as another case has ended the service."""
    service.meet()
    assert service.ended.wait(60)


def kills_and_tells(service: Service) -> None:
    """End the service while another case runs."""
    service.meet()
    service.up = False
    service.ended.set()
    raise CaseFailed("no answer")


def test_without_a_restart_the_reason_names_what_passed_meanwhile_too() -> None:
    """A case that passed may have ended the service as well: the reason names it."""
    service = Service(kills_and_tells, ends_with_a_death, afterwards, alone=["afterwards"])
    assert "since these ran: made-up.00, made-up.01" in service.check(restart="")[2].actual


def test_without_a_restart_the_reason_says_how_to_find_the_case() -> None:
    """If the check cannot start the service, the reason says how to find what ended it."""
    result = Service(disturbed, kills, afterwards).check(restart="")[2]
    assert result.actual.endswith(" (--jobs 1 shows which one ends it)")


def busy(service: Service) -> None:
    """Fail while the service is too busy to answer the checker."""
    if service.first_time("busy"):
        service.meet()
        service.up = False
        threading.Timer(0.05, service.restart).start()
        raise CaseFailed("wrong")


def test_a_service_that_is_only_busy_is_not_started_again() -> None:
    """A service that does not answer beside the other cases, but when they have ended, lives."""
    service = Service(busy, meets)

    def waiting() -> bool:
        up = service.up
        while not service.up:
            time.sleep(0.001)
        return up

    checking = Checking(nullcontext, budget=60.0, jobs=2, alive=waiting, restart=lambda: "never")
    assert statuses(checking.run(service.cases, [])) == ["failed", "passed"]


def dependent_and_failing(number_of_the_failing: str) -> list[Case]:
    """Return a case that needs ``made-up.05``, and one of the given number that fails after it."""
    family = Family("made-up")

    @family.must("01", "a test", scenario="nothing", expected="a pass")
    def dependent(check: object) -> str:
        """It needs another one."""
        raise NotApplicable("it never began", needs=["made-up.05"])

    @family.must(number_of_the_failing, "a test", scenario="nothing", expected="a pass")
    def failing(check: object) -> str:
        """It fails."""
        raise CaseFailed("short")

    return list(family.cases)


def test_a_skipped_case_names_the_failed_one_that_it_needs(clock: Clock) -> None:
    """A case that cannot be run because another failed says which, also if that one ran later."""
    assert results(dependent_and_failing("05"))[0].reason == "made-up.05 failed: it never began"


def test_a_skipped_case_names_no_other_failed_one(clock: Clock) -> None:
    """A failed case that a skipped one does not need is not its reason."""
    assert results(dependent_and_failing("06"))[0].reason == "it never began"


def test_needed_cases_exist() -> None:
    """Every case that another one names as needed is in the suites."""
    folder = Path(str(conformance.__file__)).parent
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*/**/*.py"))
    needed = {
        case for found in re.findall(r"needs=\[([^\]]+)\]", text) for case in found.split(", ")
    }
    assert needed
    assert {each.strip('"') for each in needed} <= {
        case.id for case in (*WORKER_CASES, *EXECUTOR_CASES)
    }
