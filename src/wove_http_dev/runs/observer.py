"""``JournalObserver``: what a journal calls when it changes."""

from __future__ import annotations

from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.runs.records import Exchange, Run


class JournalObserver:
    """Base class for observers of a journal; every method does nothing.

    The journal calls the methods in the thread that makes the change, without holding its lock.
    An exception is reported on stderr and by strict mode, and changes nothing else.
    """

    def exchange_opened(self, exchange: Exchange) -> None:
        """Called when ``exchange``, a request or a failed connection, was added."""

    def exchange_updated(self, exchange: Exchange) -> None:
        """Called when ``exchange`` has a run or is to cancel one; and when it has a reply, before
        the reply is written."""

    def exchange_closed(self, exchange: Exchange) -> None:
        """Called when ``exchange`` has ended."""

    def run_added(self, run: Run) -> None:
        """Called when ``run`` is about to be added, while its payload is complete."""

    def run_changed(self, run: Run) -> None:
        """Called when the state or another attribute of ``run`` may have changed."""

    def run_finished(self, run: Run, outcome: Outcome) -> None:
        """Called once for each run that ended with an outcome."""

    def run_lost(self, run: Run) -> None:
        """Called once for each run that ended without an outcome."""
