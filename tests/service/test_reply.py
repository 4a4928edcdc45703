"""The end of a reply, as the journal records it."""

from __future__ import annotations

from typing import Any

import pytest

from wove_http_dev.faults.plan import NO_PLAN
from wove_http_dev.protocol.messages import Reply
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.records import Exchange
from wove_http_dev.service.reply import ServiceReply


def reply(**changes: Any) -> ServiceReply:
    """A reply that no fault acts on, of an exchange with these attributes."""
    journal = Journal()
    exchange = journal.open()
    for name, value in changes.items():
        setattr(exchange, name, value)
    return ServiceReply(Reply(), NO_PLAN, exchange, journal)


def ended(pending: ServiceReply, error: str = "") -> Exchange:
    """The exchange after the reply was written, or was not because of ``error``."""
    pending.done(error, "reply-not-taken" if error else "")
    return pending.exchange


def test_written_reply() -> None:
    """An exchange whose reply was written has a duration and no error."""
    exchange = ended(reply())
    assert (exchange.duration is not None, exchange.error, exchange.code) == (True, "", "")


def test_reply_that_was_not_taken() -> None:
    """An exchange whose reply was not written says why, with a code."""
    exchange = ended(reply(), "gone")
    assert (exchange.error, exchange.code) == ("gone", "reply-not-taken")


def test_code_of_a_refusal_stays() -> None:
    """The code of a refusal whose reply was not written stays the refusal's."""
    assert ended(reply(code="unknown-key"), "gone").code == "unknown-key"


def test_failure_while_writing(capsys: pytest.CaptureFixture[str]) -> None:
    """An exception while the reply is written is a failure of the service."""
    pending = reply()
    pending.failed(KeyError("a bug"))
    assert pending.exchange.internal_error


@pytest.mark.parametrize(("faults", "early"), [([], False), (["redirect"], True)])
def test_reply_that_a_fault_may_cut(faults: list[str], early: bool) -> None:
    """A reply may end early only if a fault acts on its request."""
    assert reply(faults=faults).ends_early is early


@pytest.mark.parametrize("written", [True, False])
def test_whether_it_was_written(written: bool) -> None:
    """The exchange says whether the reply was written."""
    pending = reply()
    pending.done(written=written)
    assert pending.exchange.written is written
