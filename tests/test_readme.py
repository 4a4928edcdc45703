"""The READMEs are correct: their code is tested, and the files that they name exist."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from wove_http_dev.options import Options

ROOT = Path(__file__).parent.parent
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [*ROOT.glob("*.md"), *ROOT.glob(".github/*.md"), *ROOT.glob("src/**/README.md")]
}
BLOCK = re.compile(r"<!-- file: (\S+) -->\n```python\n(.*?)```", re.DOTALL)
BLOCKS = [(page, *block) for page, text in PAGES.items() for block in BLOCK.findall(text)]
LINK = re.compile(r"\]\((?!https?:)([^)#]+)[^)]*\)")
LINKS = [(page, target) for page, text in PAGES.items() for target in LINK.findall(text)]
# From the root; on the architecture page also from the package.
NAMED = re.compile(r"`((?:[\w.]+/)+[\w.]*|\w+\.(?:py|json))`")
PATHS = [
    (page, name)
    for page, text in PAGES.items()
    for name in NAMED.findall(text)
    if name.startswith(("src/", "tests/", "examples/", ".github/"))
    or page == "src/wove_http_dev/README.md"
]


@pytest.mark.parametrize(("page", "name", "shown"), BLOCKS, ids=[block[1] for block in BLOCKS])
def test_a_block_is_its_file(page: str, name: str, shown: str) -> None:
    """A code block of a README equals the example file that is tested."""
    assert shown == (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(("page", "target"), LINKS)
def test_a_link_leads_somewhere(page: str, target: str) -> None:
    """A relative link of a README names a file that exists."""
    assert ((ROOT / page).parent / target).exists()


@pytest.mark.parametrize(("page", "name"), PATHS)
def test_a_named_path_exists(page: str, name: str) -> None:
    """A path that a README names exists."""
    package = ROOT / "src" / "wove_http_dev"
    folders = [ROOT, package, package / "faults", package / "conformance"]
    assert any((folder / name).exists() for folder in folders)


def test_every_example_is_shown() -> None:
    """Every example is in a README, except the reference workers."""
    shown = {name for _, name, _ in BLOCKS}
    files = {f"examples/{path.name}" for path in (ROOT / "examples").glob("*.py")}
    assert {
        name for name in files if not name.startswith(("examples/worker_", "examples/test_worker_"))
    } == shown


@pytest.mark.parametrize("option", [field.name for field in dataclasses.fields(Options)])
def test_every_option_is_in_the_table(option: str) -> None:
    """The README's table of options has a row for each option."""
    rows = [line for line in PAGES["README.md"].splitlines() if line.startswith("| `")]
    assert any(f"`{option}`" in row.split("|")[1] for row in rows), (
        f"README.md, section Options: the table has no row for the option {option}"
    )


def test_pre_commit_runs_the_ruff_of_tox() -> None:
    """A commit is formatted by the version of ruff that the lint environment checks with."""
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    assert re.findall(r"rev: v([\d.]+) # the version", hooks) == re.findall(r"ruff==([\d.]+)", tox)
