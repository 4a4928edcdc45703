"""``@pytest.mark.wove_http_faults``: a test once per fault."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.helpers import INI, without_others
from tests.support import TIMEOUT, weave_one
from wove_http_dev import HttpWorker, assert_contained
from wove_http_dev.faults.response import Status

patient = pytest.mark.wove_http(timeout=TIMEOUT, delivery_timeout=TIMEOUT)
"""For faults that answer: on a busy machine the client would give up before its request arrives."""


@patient
@pytest.mark.wove_http_faults("auth", "status")
def test_the_marker_puts_each_fault_in_force(
    wove_http_worker: HttpWorker, wove_http_fault: str
) -> None:
    """The fault in the test's id hits the weave."""
    with assert_contained(wove_http_worker, within=TIMEOUT):
        weave_one()
    assert wove_http_worker.exchanges[0].faults == [wove_http_fault]


def test_the_marker_skips_what_cannot_apply(pytester: pytest.Pytester) -> None:
    """A fault that cannot apply to the worker's options skips with the reason."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.wove_http(tls=False, security="none")
        @pytest.mark.wove_http_faults("self-signed", "wrong-secret", "status")
        def test_it(wove_http_worker):
            pass
        """
    )
    result = pytester.runpytest_inprocess("-rs", *without_others("asyncio"))
    result.assert_outcomes(passed=1, skipped=2)
    result.stdout.fnmatch_lines(["*self-signed cannot apply: it needs tls=True*"])


@patient
@pytest.mark.wove_http_faults("status code=502", Status(code=504))
def test_the_marker_takes_faults_with_fields(
    wove_http_worker: HttpWorker, wove_http_fault: object
) -> None:
    """A fault with fields, as text or instance, is in force with them."""
    with assert_contained(wove_http_worker, within=TIMEOUT):
        weave_one()
    assert f"code={wove_http_worker.exchanges[0].status}" in str(wove_http_fault)


def test_a_marked_fault_need_not_act(pytester: pytest.Pytester) -> None:
    """A test that a fault cannot reach, because it sends no cancel_task, passes; also one that
    injects the fault itself."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.wove_http_faults("slow-cancel")
        def test_it(wove_http_worker):
            pass

        @pytest.mark.wove_http_faults("slow-cancel")
        def test_by_hand(wove_http_worker_factory, wove_http_fault):
            wove_http_worker_factory().inject(wove_http_fault)
        """
    )
    result = pytester.runpytest_inprocess(*without_others("asyncio"))
    result.assert_outcomes(passed=2)


@pytest.mark.wove_http_faults("all", exclude=["foreign-run"])  # it needs a second run
def test_all_can_be_green(wove_http_worker: HttpWorker) -> None:
    """A test of one task passes with every fault, or is an expected failure."""
    with assert_contained(wove_http_worker, within=TIMEOUT):
        weave_one()


@patient
@pytest.mark.wove_http_faults("reject-auth")
def test_what_a_marked_fault_prevents_is_not_missed(wove_http_worker: HttpWorker) -> None:
    """A hold of a task that is not sent, because the fault ended the weave before, is no strict
    failure."""
    wove_http_worker.hold("sent_later")
    with assert_contained(wove_http_worker, within=TIMEOUT):
        weave_one()


@pytest.mark.wove_http_faults("auth", "status code=502", exclude=["reject-auth", "clock-skew"])
def test_exclude(wove_http_fault: str) -> None:
    """The excluded faults are left out."""
    assert wove_http_fault not in ("reject-auth", "clock-skew")


def test_what_wove_cannot_contain_is_an_expected_failure(pytester: pytest.Pytester) -> None:
    """A fault that the installed Wove cannot contain is an expected failure with the reason; a test
    that it does not disturb passes, also with xfail_strict."""
    pytester.makeini(f"{INI}xfail_strict = true\n")
    pytester.makepyfile(
        """
        import pytest
        from wove import weave

        @pytest.mark.wove_http_faults("status", "task-cancelled")
        @pytest.mark.parametrize("sent", [True, False])
        def test_it(wove_http_worker, sent):
            if sent:
                with weave(error_mode="return") as w:
                    @w.do(environment="workers")
                    def answer():
                        return 42
        """
    )
    result = pytester.runpytest_inprocess("-rx", *without_others("asyncio"))
    result.assert_outcomes(passed=2, xfailed=1, xpassed=1)
    result.stdout.fnmatch_lines(
        ["XFAIL *Wove * cannot contain task-cancelled: it cancels the weave itself: *"]
    )


def test_a_result_of_another_task_is_an_expected_failure(pytester: pytest.Pytester) -> None:
    """``foreign-run`` is an expected failure of a test of two tasks, which takes the result of one
    for the other's; it waits until both have arrived."""
    pytester.makepyfile(
        """
        import pytest
        from wove import weave

        @pytest.mark.wove_http_faults("foreign-run wait=60")
        def test_it(wove_http_worker):
            with weave() as w:
                @w.do([1, 2], environment="workers")
                def same(item):
                    return item
            assert w.result.same == [1, 2]
        """
    )
    result = pytester.runpytest_inprocess(*without_others("asyncio"))
    result.assert_outcomes(xfailed=1)
