"""The README's code blocks are the files in ``examples/``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wove_http_dev.conformance.case import Case
from wove_http_dev.conformance.executor.suite import EXECUTOR_CASES
from wove_http_dev.conformance.worker.suite import WORKER_CASES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"<!-- file: (\S+) -->\n```python\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize(("name", "shown"), BLOCK.findall(README), ids=lambda value: value[:40])
def test_a_block_is_its_file(name: str, shown: str) -> None:
    """What the README shows is what the example's test runs."""
    assert shown == (ROOT / name).read_text()


@pytest.mark.parametrize(
    ("sentence", "cases"),
    [
        (r"sends (\d+) numbered cases to a running worker", WORKER_CASES),
        (r"one fault at a time: (\d+) cases", EXECUTOR_CASES),
    ],
)
def test_the_number_of_cases(sentence: str, cases: tuple[Case, ...]) -> None:
    """The README counts the conformance cases."""
    assert re.findall(sentence, README) == [str(len(cases))]


def test_every_example_is_shown() -> None:
    """No example is left out of the README, but for the reference workers."""
    shown = {name for name, _ in BLOCK.findall(README)}
    files = {f"examples/{path.name}" for path in (ROOT / "examples").glob("*.py")}
    assert {
        name for name in files if not name.startswith(("examples/worker_", "examples/test_worker_"))
    } == shown
