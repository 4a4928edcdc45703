"""What the worker service itself could not do: in the journal, on stderr and for strict mode."""

from __future__ import annotations

import errno
import io
import sys

import pytest

from wove_http_dev.errors import NoCertificateError, NoThreadError
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.records import CODES
from wove_http_dev.runs.redaction import REDACTED
from wove_http_dev.service.failures import failure_code, record_failure


class Unprintable(Exception):
    """An exception that has no text."""

    def __str__(self) -> str:
        raise SystemExit(1)


@pytest.mark.parametrize(
    ("exc", "code"),
    [
        (NoThreadError(""), "no-thread"),
        (NoCertificateError(""), "no-certificate"),
        (OSError(errno.EMFILE, ""), "no-descriptor"),
        (OSError(errno.ENFILE, ""), "no-descriptor"),
        (OSError(errno.ENOENT, ""), "internal-error"),
        (KeyError(""), "internal-error"),
        (SystemExit(1), "internal-error"),
    ],
    ids=repr,
)
def test_failure_code(exc: BaseException, code: str) -> None:
    """Each thing that the service could not do has a code of the table."""
    assert (failure_code(exc), code in CODES) == (code, True)


def test_failure_is_an_exchange_of_its_own() -> None:
    """A failure outside of a request is one closed exchange that strict mode reports."""
    journal = Journal()
    record_failure(journal, KeyError("a"))
    (exchange,) = journal.violations
    assert exchange.internal_error
    assert exchange.duration is not None


def test_failure_of_a_request() -> None:
    """A failure while a request is served is written into the exchange of the request."""
    journal = Journal()
    exchange = journal.open()
    record_failure(journal, KeyError("a"), exchange=exchange)
    assert journal.exchanges == [exchange]
    assert (exchange.code, exchange.error) == ("internal-error", "KeyError: 'a'")


def test_no_descriptor_says_what_to_do() -> None:
    """The error of a process without a free descriptor says what to do."""
    journal = Journal()
    record_failure(journal, OSError(errno.EMFILE, "Too many open files"))
    assert journal.exchanges[0].error.endswith("or raise the limit (ulimit -n)")


def test_failure_is_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """stderr has a line that names the code and the error."""
    record_failure(Journal(), NoThreadError("no thread"))
    said = "wove-http-dev: the worker service failed (no-thread): no thread\n"
    assert capsys.readouterr().err == said


def test_traceback_of_a_bug_is_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """A bug is printed with its traceback."""
    try:
        raise KeyError("a")
    except KeyError as exc:
        record_failure(Journal(), exc)
    assert "test_failures.py" in capsys.readouterr().err


def test_secret_in_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A secret in the error's text is redacted in the journal and on stderr."""
    journal = Journal(secrets=["s3cret"])
    record_failure(journal, KeyError("s3cret"))
    assert journal.exchanges[0].error == f"KeyError: '{REDACTED}'"
    assert "s3cret" not in capsys.readouterr().err


def test_error_without_text() -> None:
    """An exception whose ``__str__`` raises is recorded by its class."""
    journal = Journal()
    record_failure(journal, Unprintable())
    assert (
        journal.exchanges[0].error == "Unprintable: <Unprintable whose __str__ raised SystemExit>"
    )


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "none"])
def test_without_stderr(monkeypatch: pytest.MonkeyPatch, closed: bool) -> None:
    """A process whose stderr is closed, or that has none, records the failure all the same."""
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream if closed else None)
    journal = Journal()
    record_failure(journal, KeyError("a"))
    assert len(journal.violations) == 1
