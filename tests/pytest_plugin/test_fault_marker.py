"""``@pytest.mark.wove_http_faults``: a test once per fault."""

from __future__ import annotations

import pytest

from tests.support import weave_one
from wove_http_dev import HttpWorker, assert_contained
from wove_http_dev.faults.response import Status


@pytest.mark.wove_http_faults("auth", "status")
def test_the_marker_puts_each_fault_in_force(
    wove_http_worker: HttpWorker, wove_http_fault: str
) -> None:
    """The fault in the test's id hits the weave."""
    with assert_contained(wove_http_worker, within=5.0):
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
    result = pytester.runpytest_inprocess("-rs", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, skipped=2)
    result.stdout.fnmatch_lines(["*self-signed cannot apply: it needs tls=True*"])


@pytest.mark.wove_http_faults("status code=502", Status(code=504))
def test_the_marker_takes_faults_with_fields(
    wove_http_worker: HttpWorker, wove_http_fault: object
) -> None:
    """A fault with fields, as text or instance, is in force with them."""
    with assert_contained(wove_http_worker):
        weave_one()
    assert f"code={wove_http_worker.exchanges[0].status}" in str(wove_http_fault)
