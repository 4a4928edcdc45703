"""``wove-http-dev faults``: the catalogue of faults on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import run
from wove_http_dev.cli.main import main
from wove_http_dev.faults import FAULTS, behaviour

pytestmark = pytest.mark.usefixtures("environ")


def test_faults_lists_all() -> None:
    """The catalogue has every fault."""
    words = run("faults").stdout.split()
    assert set(FAULTS) - set(words) == set()


@pytest.mark.parametrize(
    "part", ["slow-response", "delay=1.0 seconds to wait", "DeliveryTimeoutError"]
)
def test_fault_in_full(part: str) -> None:
    """One fault is shown with its fields, what they mean, and the expected outcome."""
    assert part in run("faults", "slow-response").stdout


@pytest.mark.parametrize("word", ["task=none", "times=none", "after=0", "probability=1.0"])
def test_selector_words(word: str) -> None:
    """The catalogue has the words that every fault takes."""
    assert word in run("faults").stdout.split()


@pytest.mark.parametrize("part", ["tls=True", "host='127.0.0.1'"])
def test_needs_of_a_fault(part: str) -> None:
    """One fault is shown with the options that it needs."""
    assert part in run("faults", "ip-san-missing").stdout


def test_a_fault_that_cannot_be_contained() -> None:
    """One fault is shown with why Wove does not let an application contain it."""
    assert "no application can contain it with Wove 2.0" in run("faults", "task-cancelled").stdout


def test_update_needs_measure(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing can be updated that was not measured."""
    status = main(["faults", "--update"])
    assert (status, "goes with --measure" in capsys.readouterr().err) == (2, True)


def test_update_of_one_fault(behaviour_table: Path) -> None:
    """--measure --update NAME corrects the row of that fault."""
    right = behaviour_table.read_text()
    behaviour_table.write_text(right.replace('"IncompleteRead(N bytes read', '"Wrong(N bytes read'))
    main(["faults", "--measure", "--update", "truncated-body"])
    assert behaviour.recorded()["truncated-body"]["message"].startswith("IncompleteRead")


def test_another_version_of_wove(behaviour_table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table of another Wove than the installed one is named."""
    behaviour_table.write_text(behaviour_table.read_text().replace('"wove": "2.', '"wove": "1.', 1))
    main(["faults", "--measure", "empty-body"])
    assert "the table was recorded with wove 1." in capsys.readouterr().out


def test_update_of_a_table_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is not there is one line on stderr and exit status 2."""
    monkeypatch.setattr(behaviour, "PATH", Path("/missing/behaviour.json"))
    status = main(["faults", "--measure", "--update", "status"])
    assert (status, len(capsys.readouterr().err.splitlines())) == (2, 1)
