"""Event faults that one task alone cannot show, from the client's side."""

from __future__ import annotations

import threading
from typing import Any

from wove import weave

from tests.faults.helpers import weave_one
from wove_http_dev import HttpWorker
from wove_http_dev.pytest_plugin import Factory


def test_a_foreign_run_takes_a_result_that_is_not_its_own(
    wove_http_worker_factory: Factory,
) -> None:
    """One answer ends the other run too, with the wrong value."""
    worker = wove_http_worker_factory(timeout=1.0)
    # The victim is held until its request times out, so its own answer never comes.
    victims, thieves = worker.hold("victim"), worker.hold("thief")
    worker.inject("foreign-run", task="thief")

    def let_only_the_thief_go() -> None:
        victims.wait_arrived()
        thieves.release()

    driving = threading.Thread(target=let_only_the_thief_go)
    driving.start()
    with weave() as w:

        @w.do(environment="workers")
        def victim() -> str:
            return "mine"

        @w.do(environment="workers")
        def thief() -> str:
            return "stolen"

    driving.join()
    assert w.result.victim == "stolen"


def test_plain_json_turns_a_tuple_into_a_list(wove_http_worker: HttpWorker) -> None:
    """What JSON does not know is lost on the way."""
    wove_http_worker.inject("plain-json-result")
    assert weave_one() == [1, 2]


def test_an_unhashable_run_id_takes_every_pending_run_down(
    wove_http_worker_factory: Factory,
) -> None:
    """A run whose own answer would have been right fails as well."""
    worker = wove_http_worker_factory(timeout=0.5)  # the weave waits for the held run's request
    worker.hold("bystander")
    worker.inject("unhashable-run-id", task="broken")

    def errors(w: Any) -> list[str]:
        found = []
        for name in ("broken", "bystander"):
            try:
                getattr(w.result, name)
            except Exception as exc:
                found.append(type(exc).__name__)
        return found

    with weave() as w:

        @w.do(environment="workers")
        def bystander() -> int:
            return 1

        @w.do(environment="workers")
        def broken() -> int:
            return 2

    assert "TypeError" in errors(w)
