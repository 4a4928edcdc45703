"""``faults --markdown``, the reference page of all faults."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.commands import run_here
from wove_http_dev import faults
from wove_http_dev.cli.faults_page import page
from wove_http_dev.faults import FAULTS

FILE = Path(str(faults.__file__)).parent / "README.md"


@pytest.mark.skipif(
    sys.version_info < (3, 11), reason="timeout-exception is another fault for Python 3.10"
)
def test_the_file_is_current() -> None:
    """The page in the repository is what the command prints today."""
    assert FILE.read_text(encoding="utf-8") == page(), (
        "write it again: python -m wove_http_dev faults --markdown > page.md,"
        " then move it to src/wove_http_dev/faults/README.md"
    )


def test_the_command_prints_it() -> None:
    """``faults --markdown`` prints the page and nothing else."""
    assert run_here("faults", "--markdown").stdout == page()


def test_every_fault_has_a_row() -> None:
    """The page has one row for each fault."""
    text = page()
    assert [name for name in FAULTS if text.count(f"\n| `{name}` | ") != 1] == []


def test_every_row_has_the_same_columns() -> None:
    """No text breaks its table: each row of a family has four cells."""
    rows = [line for line in page().splitlines() if line.startswith("| `") and "<br>" in line]
    assert {line.replace("\\|", "").count(" | ") for line in rows} == {3}
