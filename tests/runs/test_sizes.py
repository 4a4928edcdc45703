"""How many bytes a record counts for."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.run_records import make_run, returned
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.runs.capture import Capture
from wove_http_dev.runs.forwarding import UpstreamLeg
from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.runs.records import Exchange, Run
from wove_http_dev.runs.retention import size_of_exchange, size_of_run
from wove_http_dev.runs.sizes import size_of

LONG = "x" * 10_000


def run_with(**attributes: Any) -> Run:
    """A run with these attributes."""
    run = make_run()
    vars(run).update(attributes)
    return run


@pytest.mark.parametrize(
    "value",
    [
        LONG,
        LONG.encode(),
        [LONG],
        (LONG,),
        {LONG},
        {LONG: 1},
        {"a": {"b": [LONG]}},
    ],
    ids=lambda value: type(value).__name__,
)
def test_text_is_counted(value: Any) -> None:
    """A text or payload is counted wherever it is."""
    assert len(LONG) < size_of(value) < len(LONG) + 5000


@pytest.mark.parametrize(
    "exchange",
    [
        Exchange(1, 0.0, method=LONG),
        Exchange(1, 0.0, target=LONG),
        Exchange(1, 0.0, head=f"X: {LONG}"),
        Exchange(1, 0.0, run_id=LONG),
        Exchange(1, 0.0, error=LONG),
        Exchange(1, 0.0, refusal=LONG),
        Exchange(1, 0.0, events=[LONG]),
        Exchange(1, 0.0, verdict=Verdict(False, passed=(LONG,))),
        Exchange(1, 0.0, verdict=Verdict(False, reason=LONG)),
        Exchange(1, 0.0, verdict=Verdict(False, hint=LONG)),
        Exchange(1, 0.0, verdict=Verdict(False, would_match=LONG)),
        Exchange(1, 0.0, faults=[LONG]),
        Exchange(1, 0.0, upstream=[UpstreamLeg(error=LONG)]),
    ],
)
def test_text_of_an_exchange_is_counted(exchange: Exchange) -> None:
    """A text of an exchange is counted, by the measure of exchanges too."""
    for size in (size_of(exchange), size_of_exchange(exchange)):
        assert len(LONG) < size < len(LONG) + 5000


@pytest.mark.parametrize(
    "run",
    [
        make_run(run_id=LONG),
        make_run(LONG),
        make_run(args_pickle=LONG.encode()),
        make_run(callable_pickle=LONG.encode()),
        run_with(args_text=LONG),
        Run("", "", delivery={"x": LONG}, initial_value=False, args_pickle=b"", received=0.0),
        run_with(_outcome=returned(LONG)),
        run_with(_outcome=Outcome("result", result_text=LONG)),
        run_with(_outcome=Outcome("error", error={"traceback": LONG})),
        run_with(_outcome=Outcome("error", error={}, exception_pickle=LONG.encode())),
        run_with(_outcome=Outcome("error", error={}, place=LONG)),
    ],
)
def test_part_of_a_run_is_counted(run: Run) -> None:
    """A payload or text of a run is counted, by the measure of runs too."""
    for size in (size_of(run), size_of_run(run)):
        assert len(LONG) <= size < len(LONG) + 5000


def test_output_is_counted() -> None:
    """What a run has printed is counted."""
    run = make_run()
    run._capture = Capture(str)
    run._capture.write(LONG.encode())
    assert len(LONG) < size_of_run(run) < len(LONG) + 5000


def test_wide_characters() -> None:
    """A character beyond latin-1 counts for as many bytes as it takes."""
    assert size_of("\u65e5" * 1000) == sys.getsizeof("\u65e5" * 1000)


def test_cycle() -> None:
    """A list that contains itself is counted once."""
    value: list[Any] = []
    value.append(value)
    assert size_of(value) == sys.getsizeof(value)


def test_limit() -> None:
    """The count stops when it is above the limit."""
    assert size_of([LONG] * 1000, 100) < 2 * size_of([None] * 1000) + len(LONG)
