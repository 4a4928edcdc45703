"""``wove-http-dev faults``: the catalogue of faults on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import run, run_here
from wove_http_dev.cli.main import main
from wove_http_dev.faults import FAULTS, behaviour

pytestmark = pytest.mark.usefixtures("environ")


def test_faults_lists_all() -> None:
    """The list has every fault."""
    words = run("faults").stdout.split()
    assert set(FAULTS) - set(words) == set()


def test_a_family() -> None:
    """``faults auth`` lists the faults of that family only."""
    words = set(run_here("faults", "auth").stdout.split()) & set(FAULTS)
    assert {FAULTS[word].stage for word in words} == {"auth"}


def test_a_misspelt_family() -> None:
    """A misspelt family is answered with the one that was probably meant."""
    assert "did you mean 'auth'?" in run_here("faults", "auht").stderr


@pytest.mark.parametrize(
    "part", ["slow-response", "delay=1.0 seconds to wait", "DeliveryTimeoutError"]
)
def test_fault_in_full(part: str) -> None:
    """The page of a fault has its fields with their meaning and the expected outcome."""
    assert part in run_here("faults", "slow-response").stdout


@pytest.mark.parametrize("word", ["task=none", "times=none", "after=0", "probability=1.0"])
def test_selector_words(word: str) -> None:
    """The list has the words that every fault accepts."""
    assert word in run_here("faults").stdout.split()


@pytest.mark.parametrize("part", ["tls=True", "host='127.0.0.1'"])
def test_needs_of_a_fault(part: str) -> None:
    """The page of a fault has the worker options that it needs."""
    assert part in run_here("faults", "ip-san-missing").stdout


def test_an_uncontained_fault() -> None:
    """The page of an uncontained fault says why Wove cannot contain it."""
    shown = run_here("faults", "task-cancelled").stdout
    assert " itself cannot contain it: it cancels the weave itself: " in shown


def test_update_needs_measure(capsys: pytest.CaptureFixture[str]) -> None:
    """``--update`` without ``--measure`` is a usage error."""
    status = main(["faults", "--update"])
    assert (status, "goes with --measure" in capsys.readouterr().err) == (2, True)


def test_update_of_one_fault(behaviour_table: Path) -> None:
    """--measure --update NAME corrects the row of that fault."""
    right = behaviour_table.read_text()
    behaviour_table.write_text(right.replace('"IncompleteRead(N bytes read', '"Wrong(N bytes read'))
    main(["faults", "--measure", "--update", "truncated-body"])
    assert behaviour.recorded()["truncated-body"]["message"].startswith("IncompleteRead")


def test_another_version_of_wove(behaviour_table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The output says so if the table was measured with another version of Wove."""
    behaviour_table.write_text(behaviour_table.read_text().replace('"wove": "2.', '"wove": "1.', 1))
    main(["faults", "--measure", "empty-body"])
    assert "the table was recorded with wove 1." in capsys.readouterr().out


def test_update_of_a_missing_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing table is reported in one line on stderr with exit status 2."""
    monkeypatch.setattr(behaviour, "PATH", Path("/missing/behaviour.json"))
    status = main(["faults", "--measure", "--update", "status"])
    assert (status, len(capsys.readouterr().err.splitlines())) == (2, 1)


@pytest.mark.parametrize("options", [(), ("--measure",)], ids=["show", "measure"])
def test_broken_table(
    behaviour_table: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    """A broken table is reported in one line on stderr with exit status 2."""
    behaviour_table.write_text('{"faults": {')
    status = main(["faults", "status", *options])
    assert (status, len(capsys.readouterr().err.splitlines())) == (2, 1)
