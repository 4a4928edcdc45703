"""Recording what an executor prints."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from tests.support import TIMEOUT
from wove_http_dev.conformance.executor.printed import record_printed

WARNS = """
import warnings
from wove_http_dev.conformance.executor.printed import record_printed
texts = []
with record_printed(texts):
    warnings.warn("deprecated")
print(texts)
"""


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_what_is_printed_is_recorded(stream: str) -> None:
    """Text that is printed to a stream is recorded."""
    texts: list[str] = []
    with record_printed(texts):
        print("sent", file=getattr(sys, stream))
    assert "".join(texts) == "sent\n"


def test_what_is_recorded_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Recorded text appears on neither stream."""
    with record_printed([]):
        print("sent", file=sys.stderr)
    assert capsys.readouterr() == ("", "")


def test_a_warning_is_not_recorded() -> None:
    """A warning is shown, and not recorded."""
    # In a process of its own, because pytest shows no warning at once.
    done = subprocess.run(
        [sys.executable, "-c", WARNS], capture_output=True, text=True, check=True, timeout=TIMEOUT
    )
    assert (done.stdout, "UserWarning: deprecated" in done.stderr) == ("[]\n", True)


def test_a_log_record_is_not_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    """A record that logging writes to stderr, for want of a handler, is shown and not recorded."""
    texts: list[str] = []
    logger = logging.Logger("without handlers")
    with record_printed(texts):
        logger.warning("refused")
    assert (texts, capsys.readouterr().err) == ([], "refused\n")


def test_an_exception_in_a_finalizer_is_not_recorded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception in a finalizer is shown, and not recorded."""

    class Fails:
        def __del__(self) -> None:
            raise ValueError("boom")

    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    texts: list[str] = []
    with record_printed(texts):
        Fails()
    assert (texts, "boom" in capsys.readouterr().err) == ([], True)


def test_the_hook_is_restored() -> None:
    """The previous ``sys.unraisablehook`` is restored on exit."""
    before = sys.unraisablehook
    with record_printed([]):
        pass
    assert sys.unraisablehook is before
