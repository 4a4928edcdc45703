"""Runs and exchanges made from what the control API tells."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controlled.helpers import Skipped, skip
from wove_http_dev.controlled.records import ControlledRun, update_exchange
from wove_http_dev.errors import NotFoundError
from wove_http_dev.inspector import shapes
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.runs.forwarding import UpstreamLeg
from wove_http_dev.runs.records import Exchange, Run

DONE = {"state": "succeeded", "result": "42", "started": 2.0, "finished": 3.0, "executions": 1}
FAILED = {**DONE, "state": "failed", "result": None, "error": "ValueError: too: large"}


def record(**changes: Any) -> dict[str, Any]:
    """What the API tells of a run that was received, with ``changes``."""
    run = Run("r:1", "t", delivery={}, initial_value=False, args_pickle=b"", received=1.0)
    return {**shapes.run_json(run, [7]), **changes}


def made(told: dict[str, Any], *later: dict[str, Any]) -> ControlledRun:
    """A run of which the API tells ``told``, and then ``later``, again and again."""
    answers = [*later, *[(later or (told,))[-1]] * 100]
    return ControlledRun(told, skip=skip, read=lambda run_id: answers.pop(0))


def test_fields() -> None:
    """A run has the fields of the record."""
    run = made(record(**DONE, args="n=1"))
    assert (run.state, run.args_text, run.result_text) == ("succeeded", "n=1", "42")


def test_error() -> None:
    """A failed run has its error as text."""
    assert made(record(**FAILED)).error_text == "ValueError: too: large"


def test_number_of_its_exchange() -> None:
    """A run has the number of the exchange that delivered it."""
    assert made(record()).exchange_number == 7


@pytest.mark.parametrize("name", ["args", "result", "error"])
def test_no_pickles(name: str) -> None:
    """To read an object that is only in the other process skips the test."""
    with pytest.raises(Skipped, match=f"run.{name} is in the process of the worker"):
        getattr(made(record(**FAILED)), name)


def test_no_error() -> None:
    """A run that did not fail has no error."""
    assert made(record(**DONE)).error is None


def test_state_is_fetched() -> None:
    """The state of a run that has not ended is fetched when it is read."""
    assert made(record(), record(**DONE)).state == "succeeded"


def test_older_record_is_ignored() -> None:
    """A record that another thread fetched earlier does not take a run back."""
    run = made(record(**DONE, answered=4.0))
    run.update(record(state="running", started=2.0))
    assert run.state == "succeeded"


def test_whole_text() -> None:
    """A traceback that a list cuts is read whole."""
    whole = record(**FAILED, traceback="all of it", answered=4.0)
    assert made({**whole, "traceback": "all…"}, whole).traceback == "all of it"


def test_whole_output() -> None:
    """Output that a list cuts is read whole."""
    whole = record(**DONE, output="all of it", answered=4.0)
    assert made({**whole, "output": "all…"}, whole).output == "all of it"


def test_dropped_run() -> None:
    """A run that the worker has dropped stays as it was told last."""

    def dropped(run_id: str) -> dict[str, Any]:
        raise NotFoundError("no such run")

    assert ControlledRun(record(**DONE), skip=skip, read=dropped).state == "succeeded"


def accepted() -> Exchange:
    """A request that was answered."""
    verdict = Verdict(True, passed=("signature",))
    return Exchange(5, 1.0, duration=0.5, accepted=True, verdict=verdict, status=200, events=["e"])


def refused() -> Exchange:
    """A refused request."""
    reason = "signature: it differs"
    verdict = Verdict(False, reason, hint="sign it", code="signature-mismatch")
    return Exchange(
        5,
        1.0,
        duration=0.5,
        head="a: b",
        frame_type="run_task",
        task_id="t",
        run_id="r",
        accepted=False,
        refusal="wrong",
        code="signature-mismatch",
        verdict=verdict,
        status=401,
    )


def copied(exchange: Exchange) -> Exchange:
    """``exchange`` as the API tells of it."""
    copy = Exchange(exchange.number, 0.0)
    update_exchange(copy, shapes.exchange_json(exchange))
    return copy


def test_exchange() -> None:
    """An exchange says of itself what it says in the worker's process."""
    assert copied(accepted()).line() == accepted().line()


def test_forwarded_exchange() -> None:
    """An exchange that was forwarded has the requests to upstream."""
    exchange = accepted()
    exchange.upstream = [UpstreamLeg(status=200, seconds=0.5, sent=7, reused=True)]
    assert copied(exchange).upstream == exchange.upstream


def test_violation() -> None:
    """Strict mode reports an exchange that it reports in the worker's process."""
    assert (copied(refused()).violation, copied(accepted()).violation) == (True, False)


def test_hint() -> None:
    """The line of a refusal has the advice that the API gives."""
    assert shapes.exchange_json(refused())["hint"] in copied(refused()).line()


def test_verdict() -> None:
    """The step that failed can be asked for."""
    verdict = copied(refused()).verdict
    assert verdict is not None
    assert [step.code for step in verdict.steps if not step.ok] == ["signature-mismatch"]
