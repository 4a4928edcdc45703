"""Where the traceback of a failed test ends."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import pytest
import wove

from tests.pytest_plugin.helpers import FAILING, run
from tests.support import answer
from wove_http_dev.errors import UsageError
from wove_http_dev.pytest_plugin.short_traceback import shorten_traceback
from wove_http_dev.worker import HttpWorker


def raised(function: Callable[[], object]) -> BaseException:
    """Return what ``function`` raises."""
    try:
        function()
    except BaseException as exc:
        return exc
    raise AssertionError("nothing was raised")


def unconfigured() -> None:
    """Run a weave with an environment that Wove does not have."""
    with wove.weave() as w:
        w.do(environment="not-configured")(answer)


def last_line(exc: BaseException) -> str | None:
    """The source line at which the traceback ends."""
    return traceback.extract_tb(exc.__traceback__)[-1].line


def test_error_of_this_package() -> None:
    """The traceback of an error of a wrong call ends at the call."""
    exc = raised(lambda: HttpWorker().inject("slow-respons"))
    shorten_traceback(exc)
    assert isinstance(exc, UsageError)
    assert "inject(" in str(last_line(exc))


def test_error_out_of_a_weave() -> None:
    """Wove's and asyncio's frames are left out."""
    exc = raised(unconfigured)
    shorten_traceback(exc)
    assert "with wove.weave()" in str(last_line(exc))


def test_error_that_nobody_expects(monkeypatch: pytest.MonkeyPatch) -> None:
    """The traceback of a bug of this package stays whole."""
    monkeypatch.setattr(HttpWorker, "_usable", None)
    exc = raised(lambda: HttpWorker().inject("status"))
    shorten_traceback(exc)
    assert "self._usable" in str(last_line(exc))


def test_error_of_the_test_itself() -> None:
    """A traceback that ends in a user's code stays whole."""

    def division() -> float:
        return 1 / 0

    def callback() -> None:
        with wove.weave() as w:
            w.do(division)
        assert w.result.division

    exc = raised(callback)
    shorten_traceback(exc)
    assert last_line(exc) == "return 1 / 0"


def test_cause_of_a_library() -> None:
    """A cause that was raised and caught below Wove is shown without a traceback."""
    cause = raised(unconfigured)
    while cause.__traceback__ and cause.__traceback__.tb_frame.f_globals["__name__"][:4] != "wove":
        cause.__traceback__ = cause.__traceback__.tb_next
    exc = ValueError("of a test")
    exc.__cause__ = cause
    shorten_traceback(exc)
    assert cause.__traceback__ is None


def test_circle_of_causes() -> None:
    """A circle of causes ends."""
    exc = raised(unconfigured)
    exc.__cause__ = exc
    shorten_traceback(exc)


def test_full_trace(pytester: pytest.Pytester) -> None:
    """``--full-trace`` shows every frame."""
    source = FAILING.replace("weave_one()", 'weave_one("not-configured")')
    assert "_collect_environment_definitions" in run(pytester, source, "--full-trace").stdout.str()
