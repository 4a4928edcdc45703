"""Finds out whether the executor that is checked takes http:// URLs. One that takes https:// URLs
only, as Wove's ``https``, is checked over TLS throughout."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from wove_http_dev.conformance.case import CaseFailed

if TYPE_CHECKING:
    from wove_http_dev.conformance.executor.context import Session


class PlainHttp:
    """Whether the executor of ``session`` sends to an http:// URL. It is tried once, with a weave
    of one task."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._taken: bool | None = None

    @property
    def taken(self) -> bool:
        """Whether a request arrived at an http:// URL; true also if that could not be tried. Blocks
        until it is known."""
        with self._lock:
            if self._taken is None:
                # In a thread of its own, because a case notes the time limits of its thread.
                trying = threading.Thread(target=self._try, name="conformance-plain", daemon=True)
                trying.start()
                trying.join()
            return self._taken is not False

    def _try(self) -> None:
        with self._session.case() as check:
            worker = check.worker(tls=False)
            with suppress(CaseFailed):  # the prerequisite reports an executor that hangs
                check.run_one_weave(worker)
            self._taken = any(exchange.kind == "request" for exchange in worker.exchanges)
