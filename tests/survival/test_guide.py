"""The guide to ``--wove-http-faults`` on the plugin's page says and shows what the code does; its
figures are those of the run that it shows."""

from __future__ import annotations

import json
import re

import pytest

from tests.test_readme import PAGES, REFERENCE
from wove_http_dev.faults import FAULTS
from wove_http_dev.survival.matrix import Matrix, counts, family
from wove_http_dev.survival.summary import LETTERS, explained, headline
from wove_http_dev.survival.terminal import terminal_lines
from wove_http_dev.survival.verdicts import SHOWN, Cell, Verdict

GUIDE = PAGES[REFERENCE].partition("\n## A suite against every fault\n")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"```text\n(.*?)```", GUIDE, re.DOTALL)
OUTPUT = next(block for block in BLOCKS if block.startswith("tests in"))
REPORT = next(block for block in BLOCKS if block.startswith("{"))


def sums_shown() -> dict[str, dict[Verdict, int]]:
    """The table of sums in the output that is shown."""
    lines = OUTPUT.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("connection "))
    words = re.findall(r"RAN TWICE|\w+", lines[start - 1])
    verdicts: list[Verdict] = [each for word in words for each in SHOWN if SHOWN[each] == word]
    return {
        name: dict(zip(verdicts, map(int, numbers), strict=True))
        for name, *numbers in map(str.split, lines[start : start + 6])
    }


@pytest.fixture(scope="module")
def rebuilt() -> Matrix:
    """A matrix with the sums that are shown, whatever tests and faults they come from."""
    wove, python, seed = re.search(  # type: ignore[union-attr]
        r"Wove (\S+), Python (\S+), --wove-http-seed=(\d+)", OUTPUT
    ).groups()
    matrix = Matrix(FAULTS, wove=wove, python=python, seed=int(seed))
    tests = int(re.search(r"(\d+) tests x", OUTPUT)[1])  # type: ignore[index]
    for name, found in sums_shown().items():
        verdicts = [verdict for verdict, number in found.items() for _ in range(number)]
        places = [(n, fault) for n in range(tests) for fault in FAULTS if family(fault) == name]
        for (number, fault), verdict in zip(places, verdicts, strict=True):
            matrix.add(f"test_{number}", fault, Cell(verdict, "why", 0.1, "customer"))
    return matrix


def test_each_verdict_has_a_row() -> None:
    """The table of verdicts has each with its letter."""
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|", GUIDE, re.MULTILINE)
    assert dict(rows) == {SHOWN[verdict]: LETTERS[verdict] for verdict in SHOWN}


def test_legend_and_sums_are_those_of_the_code(rebuilt: Matrix) -> None:
    """The heading of the table, its legend and the table of sums are as the code writes them."""
    lines = terminal_lines(rebuilt, 80)
    legend = next(number for number, line in enumerate(lines) if line.startswith("W WRONG"))
    end = next(number for number, line in enumerate(lines) if line.startswith("The worst first"))
    assert "\n".join(lines[legend : end + 1]) in OUTPUT


def test_heading_is_that_of_the_code(rebuilt: Matrix) -> None:
    """The columns are the families of faults."""
    heading = terminal_lines(rebuilt, 80)[0]
    assert heading.split() in [line.split() for line in OUTPUT.splitlines()]


def test_titles_are_those_of_the_code(rebuilt: Matrix) -> None:
    """What was expected or skipped has the title that the code gives it."""
    titles = explained(rebuilt, rebuilt.entries())
    assert [f"\n{title}:\n" in OUTPUT for title in titles] == [True] * len(titles)


def test_sums_are_those_of_the_headline(rebuilt: Matrix) -> None:
    """The figures that are shown are of one run."""
    assert headline(rebuilt) in OUTPUT.replace("\n", " ")
    assert sum(counts(rebuilt.entries()).values()) == 72 * len(rebuilt.tests)


def test_report_that_is_shown() -> None:
    """The JSON that is shown has the form of a report."""
    document = json.loads(REPORT)
    assert Matrix.from_json(document).as_json() == document


def test_every_verdict_of_the_report_is_named() -> None:
    """The words of the JSON form are all named."""
    named = re.search(r"`verdict` is one of (.*?)\.", GUIDE, re.DOTALL)
    assert named is not None
    assert set(re.findall("`([^`]+)`", named[1])) == set(SHOWN)
