"""The READMEs are correct: their code is tested, the files that they name exist, and the reference
pages name everything that there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from wove_http_dev import HttpWorker, pytest_plugin
from wove_http_dev.fields import fields_of
from wove_http_dev.options import Options
from wove_http_dev.pytest_plugin import hooks
from wove_http_dev.runs.records import STATES, Exchange, Run, RunLog

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


def test_pre_commit_runs_the_ruff_of_tox() -> None:
    """A commit is formatted by the version of ruff that the lint environment checks with."""
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    assert re.findall(r"rev: v([\d.]+) # the version", hooks) == re.findall(r"ruff==([\d.]+)", tox)


# The reference of the pytest plugin


REFERENCE = "src/wove_http_dev/pytest_plugin/README.md"


def rows(heading: str) -> set[str]:
    """The names in the first column of the table below ``heading``."""
    section = PAGES[REFERENCE].partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    table = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `")]
    return {name for cell in table for name in re.findall(r"`([\w-]+)[^`]*`", cell)}


def public(instance: Any) -> set[str]:
    """The public attributes of ``instance`` and its class."""
    return {name for name in {*dir(type(instance)), *vars(instance)} if not name.startswith("_")}


class Group:
    """Stands for pytest's parser, and collects the flags that are added to it."""

    def __init__(self) -> None:
        self.flags: set[str] = set()

    def getgroup(self, *_: str) -> Group:
        return self

    def addoption(self, *flags: str, **_: Any) -> None:
        self.flags.update(flags)

    def addini(self, *_: Any, **__: Any) -> None: ...


class Config:
    """Stands for pytest's configuration, and collects the markers that are registered."""

    def __init__(self) -> None:
        self.markers: set[str] = set()

    def addinivalue_line(self, _: str, line: str) -> None:
        self.markers.update(re.findall(r"^\w+", line))

    def getoption(self, *_: str) -> None: ...

    def getini(self, *_: str) -> None: ...


def flags() -> set[str]:
    group: Any = Group()
    hooks.pytest_addoption(group)
    return set(group.flags)


def markers() -> set[str]:
    config: Any = Config()
    hooks.pytest_configure(config)
    return set(config.markers)


def fixtures() -> set[str]:
    return {name for name in vars(pytest_plugin) if name.startswith("wove_http_")}


def members() -> set[str]:
    return public(HttpWorker())


def attributes() -> set[str]:
    arguments: dict[str, Any] = {"delivery": {}, "initial_value": False, "args_pickle": b""}
    return public(Run("run", "task", received=0.0, **arguments))


TABLES = [
    pytest.param("Fixtures", fixtures, id="fixtures"),
    pytest.param("Markers", markers, id="markers"),
    pytest.param("Options of pytest", flags, id="flags"),
    pytest.param("Options of a worker", lambda: {*fields_of(Options)}, id="options"),
    pytest.param("HttpWorker", members, id="HttpWorker"),
    pytest.param("Runs", attributes, id="Run"),
    pytest.param("States of a run", lambda: {*STATES}, id="states"),
    pytest.param("Lists of runs", lambda: public(RunLog([])), id="RunLog"),
    pytest.param("Exchanges", lambda: public(Exchange(1, 0.0)), id="Exchange"),
]


@pytest.mark.parametrize(("heading", "names"), TABLES)
def test_everything_has_a_row(heading: str, names: Any) -> None:
    """Each name of the code is in the first column of its table."""
    missing = names() - rows(heading)
    assert not missing, (
        f"add a row to {REFERENCE}, section {heading}, for {', '.join(sorted(missing))}"
    )


@pytest.mark.parametrize(("heading", "names"), TABLES)
def test_every_row_is_about_something(heading: str, names: Any) -> None:
    """Each name in the first column of a table is a name of the code."""
    unknown = rows(heading) - names()
    assert not unknown, (
        f"{REFERENCE}, section {heading}: no {', '.join(sorted(unknown))} in the code"
    )
