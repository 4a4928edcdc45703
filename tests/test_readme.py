"""The README's code blocks are the files in ``examples/``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"<!-- file: (\S+) -->\n```python\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize(("name", "shown"), BLOCK.findall(README), ids=lambda value: value[:40])
def test_a_block_is_its_file(name: str, shown: str) -> None:
    """What the README shows is what the example's test runs."""
    assert shown == (ROOT / name).read_text()


def test_every_example_is_shown() -> None:
    """No example is left out of the README, but for the reference workers."""
    shown = {name for name, _ in BLOCK.findall(README)}
    files = {f"examples/{path.name}" for path in (ROOT / "examples").glob("*.py")}
    assert {
        name for name in files if not name.startswith(("examples/worker_", "examples/test_worker_"))
    } == shown
