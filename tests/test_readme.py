"""The READMEs are correct: their code is tested, the files that they name exist, and the reference
pages name everything that there is."""

from __future__ import annotations

import ast
import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pytest_plugin.helpers import without_others
from tests.test_layers import MODULES, ROWS, TESTED
from wove_http_dev import HttpWorker
from wove_http_dev.cli.main import make_parser, parse
from wove_http_dev.fields import fields_of
from wove_http_dev.options import Options
from wove_http_dev.pytest_plugin import hooks, plugin
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
ANCHORS = [
    (page, target)
    for page, text in PAGES.items()
    for target in re.findall(r"\]\((?!https?:)([^)]*#[^)]+)\)", text)
]
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
OUTPUT = re.compile(r"<!-- output: (\S+) -->\n```text\n(.*?)```", re.DOTALL)


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def commands_in(text: str) -> Iterator[str]:
    """The command lines in the blocks of shell of a page."""
    for kind, block in re.findall(r"```(sh|console)\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if kind == "sh" or line.startswith("$ "):
                yield from line.removeprefix("$ ").split(" && ")


COMMANDS = [(page, line) for page, text in PAGES.items() for line in commands_in(text)]


def unusable(words: list[str]) -> str | None:
    """What is wrong with a command line; ``None`` if nothing is."""
    program, *words = words
    program = program.removeprefix(".venv/bin/")
    if program.startswith("python") and words[:1] == ["-m"]:
        program, words = words[1], words[2:]
    if program in ("wove-http-dev", "wove_http_dev"):
        try:
            parse(words, make_parser())
        except SystemExit:
            return "not a command line of wove-http-dev"
    elif program == "tox":
        names = words[words.index("-e") + 1].split(",")
        known = ["py", *re.findall(r"\[testenv:(.+)\]", (ROOT / "tox.ini").read_text())]
        return None if set(names) <= {*known} else f"no environment {names}"
    elif program == "pytest":
        own = {word.partition("=")[0] for word in words if word.startswith("--wove-http-")}
        return None if own <= flags() else f"pytest has no {own - flags()}"
    elif program not in ("venv", "pip", "git", "cd", ".", "export"):
        return f"unknown program {program}"
    return None


def steady(text: str) -> list[str]:
    """The lines of a report, without what differs between two runs."""
    text = re.sub(r"localhost:\d+|\b[0-9a-f]{8}\b|[\d.]+ ms", "…", text)
    return re.sub(r'File ".*/', 'File "', text).strip("-\n ").splitlines()


def run_python(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in ``directory`` with the state directory there."""
    environ = {
        **os.environ,
        "XDG_STATE_HOME": str(directory),
        "PYTEST_ADDOPTS": "",
        "COLUMNS": "80",
    }
    return subprocess.run(
        [sys.executable, *words],
        cwd=directory,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module", autouse=True)
def patience() -> None:
    """Leave the defaults as users have them: the pages name them."""


@pytest.mark.parametrize(("page", "name", "shown"), BLOCKS, ids=[block[1] for block in BLOCKS])
def test_a_block_is_its_file(page: str, name: str, shown: str) -> None:
    """A code block of a README equals the example file that is tested."""
    assert shown == (ROOT / name).read_text(encoding="utf-8")


def test_every_link_leads_somewhere() -> None:
    """A relative link of a README names a file that exists."""
    assert [link for link in LINKS if not ((ROOT / link[0]).parent / link[1]).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_merged(page: str) -> None:
    """No page has the marks of a merge that was not finished."""
    assert not re.search(r"^(<{7}|={7}$|>{7})", PAGES[page], re.MULTILINE)


def test_every_named_path_exists() -> None:
    """A path that a README names exists."""
    package = ROOT / "src" / "wove_http_dev"
    folders = [ROOT, package, package / "faults", package / "conformance"]
    assert [
        (page, name)
        for page, name in PATHS
        if not any((folder / name).exists() for folder in folders)
    ] == []


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


def test_the_floors_are_what_tox_tests() -> None:
    """Each lower bound of a dependency, optional ones too, is the version that ``tox -e lowest``
    installs, or ``tox -e dask-lowest`` or ``examples-lowest``."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    lowest = "".join(
        tox.partition(f"\n[testenv:{name}]\n")[2].partition("\n[testenv")[0]
        for name in ("lowest", "dask-lowest", "examples-lowest")
    )
    floors = project.partition("\ndependencies = [\n")[2].partition("\n]")[0]
    floors += project.partition("\n[project.optional-dependencies]\n")[2].partition("\n[")[0]
    assert "hypothesis>=" in floors
    pinned = {name: version.split(".") for name, version in re.findall(r"(\S+)==(\S+)", lowest)}
    for name, floor in re.findall(r'"(\S+)>=(\S+)"', floors):
        parts = floor.split(".")
        assert [name, *pinned[name][: len(parts)]] == [name, *parts]
        assert {*pinned[name][len(parts) :]} <= {"0"}, name


def leads_to_a_heading(page: str, anchor: str) -> bool:
    """Whether the part of a link after # is a heading of the page that it leads to."""
    path, _, name = anchor.partition("#")
    target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
    return name in {slug(line) for line in HEADING.findall(target.read_text(encoding="utf-8"))}


def test_every_link_with_a_part_leads_to_a_heading() -> None:
    """A link to a part of a page leads to a heading."""
    assert [link for link in ANCHORS if not leads_to_a_heading(*link)] == []


def part_of_the_map(heading: str) -> str:
    """The text below a heading of the architecture page, up to the next one of that level."""
    return (
        PAGES["src/wove_http_dev/README.md"].partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    )


def names_in(cell: str) -> list[str]:
    """The modules and folders that stand in backticks in ``cell``, as they are imported."""
    return [
        re.sub(r"/$|\.py$", "", name).replace("/", ".") for name in re.findall(r"`([^`]+)`", cell)
    ]


def rows_of_the_map() -> list[str]:
    """What has a row in the table of folders, in its order."""
    cells = re.findall(r"^\| (\[?`.*?) \|", part_of_the_map("The folders"), re.MULTILINE)
    return [name for cell in cells for name in names_in(cell)]


def lines_of_the_map() -> list[str]:
    """What has a line in the lists of modules."""
    part = part_of_the_map("The modules of each folder")
    return [
        f"{folder}.{name}"
        for title, lines in re.findall(r"^### (.+)\n((?:(?!###).*\n?)*)", part, re.MULTILINE)
        for folder in names_in(title)
        for line in re.findall(r"^- (.*?):", lines, re.MULTILINE)
        for name in names_in(line)
    ]


def test_the_folders_are_in_the_order_of_the_layers() -> None:
    """The architecture page has a row for each layer, and those that import from a row stand below
    it."""
    shown = rows_of_the_map()
    assert set(shown) == {*ROWS} - {"__main__"}
    assert shown == sorted(shown, key=lambda entry: ROWS[entry])


def test_every_module_has_a_place_of_its_own_on_the_map() -> None:
    """Every module, without the cases of the checks, has a row or a line, and only one; so has
    every other entry of the lists a file or a folder."""
    modules = [name for name in [*rows_of_the_map(), *lines_of_the_map()] if name in MODULES]
    assert sorted(name for name in modules if name in TESTED) == sorted(TESTED)
    package = ROOT / "src" / "wove_http_dev"
    others = {*lines_of_the_map()} - {*MODULES}
    assert {name for name in others if not (package / name.replace(".", "/")).is_dir()} == set()


# Code


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page: str) -> None:
    """A block of a page is python, sh, console, yaml or text, so that no code goes untested."""
    kinds = re.findall(r"^ *```(\w*)\n.*?^ *```$", PAGES[page], re.DOTALL | re.MULTILINE)
    assert set(kinds) <= {"python", "sh", "console", "text", "yaml"}


@pytest.mark.parametrize("page", PAGES)
def test_python_blocks_are_files(page: str) -> None:
    """Every block of Python is a file, which is tested; the one of the guide has its own test."""
    count = PAGES[page].count("```python\n")
    own = 1 if page == "src/wove_http_dev/conformance/README.md" else 0
    assert count == len(BLOCK.findall(PAGES[page])) + own


def test_every_command_can_be_used() -> None:
    """A command line in a block is one that its program accepts."""
    wrong = {(page, line): unusable(shlex.split(line, comments=True)) for page, line in COMMANDS}
    assert {where: why for where, why in wrong.items() if why is not None} == {}


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a value of YAML, also those in lists and mappings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts_in(each)


@pytest.mark.parametrize(
    ("page", "block"),
    [
        (page, block)
        for page, text in PAGES.items()
        for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    ],
)
def test_yaml_has_a_command_that_can_be_used(page: str, block: str) -> None:
    """A block of YAML can be read, and has a command line of this package."""
    yaml = pytest.importorskip("yaml")
    own = [text for text in texts_in(yaml.safe_load(block)) if text.startswith("wove-http-dev ")]
    assert [unusable(shlex.split(text)) for text in own] == [None]


@pytest.mark.parametrize(
    "line",
    [
        "wove-http-dev nonsense",
        "wove-http-dev serve --nonsense",
        "python -m wove_http_dev faults --nonsense",
        "pytest --wove-http-nonsense URL",
        "tox -e nonsense",
        "nonsense",
    ],
)
def test_a_wrong_command_is_found(line: str) -> None:
    """A command, a flag or an environment that does not exist is noticed."""
    assert unusable(line.split()) is not None


def test_the_failure_that_is_shown(tmp_path: Path) -> None:
    """What the README shows of a failing test is what pytest prints."""
    (name, shown) = OUTPUT.findall(PAGES["README.md"])[0]
    source = (ROOT / name).read_text(encoding="utf-8").replace('["Ada", "Grace"]', "[None]", 1)
    (tmp_path / "test_letters.py").write_text(source, encoding="utf-8")
    done = run_python(tmp_path, "-m", "pytest", *without_others(), "test_letters.py")
    begin = done.stdout.index("- wove http worker -")
    section = done.stdout[begin:].partition("\n====")[0]
    # The line of carets below a line of source is there from Python 3.11 on.
    assert steady(re.sub(r"\n +[~^]+(?=\n)", "", section)) == steady(shown)


def test_the_first_example_needs_the_package_only() -> None:
    """In a checkout the first example passes without the plugins that the project's tests need."""
    words = ["-m", "pytest", *without_others(), "examples/test_letters.py"]
    assert "1 passed" in run_python(ROOT, *words).stdout


def test_settings(tmp_path: Path) -> None:
    """The settings that the README shows for ``exec`` reach its worker."""
    (tmp_path / "settings.py").write_text((ROOT / "examples/settings.py").read_text())
    (tmp_path / "weaving.py").write_text(
        "import settings\nfrom wove import weave\n"
        "with weave() as w:\n"
        "    @w.do(environment='workers')\n"
        "    def answer():\n"
        "        return 42\n"
        "print(w.result.answer)\n"
    )
    words = ["-m", "wove_http_dev", "exec", "--", sys.executable, "weaving.py"]
    assert "42\n" in run_python(tmp_path, *words).stdout


def test_lines_of_doctor() -> None:
    """The lines of ``doctor`` in the top README are among those that are tested."""
    tested = PAGES["src/wove_http_dev/cli/README.md"]
    shown = re.findall(r"^(?:problem|ok) .*$", PAGES["README.md"], re.MULTILINE)
    assert shown
    assert [line for line in shown if line not in tested] == []


# The reference of the pytest plugin


REFERENCE = "src/wove_http_dev/pytest_plugin/README.md"


def cells_of(heading: str) -> list[list[str]]:
    """The cells of each row of the table below ``heading``."""
    section = PAGES[REFERENCE].partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [re.split(r" ?(?<!\\)\| ?", line)[1:] for line in lines]


def rows(heading: str) -> set[str]:
    """The names in the first column of the table below ``heading``."""
    cells = [cell for cell, *_ in cells_of(heading)]
    return {name for cell in cells for name in re.findall(r"`([\w-]+)[^`]*`", cell)}


def public(instance: Any) -> set[str]:
    """The public attributes of ``instance`` and its class."""
    return {name for name in {*dir(type(instance)), *vars(instance)} if not name.startswith("_")}


class Group:
    """Stands for pytest's parser, and collects the flags and ini options that are added to it."""

    def __init__(self) -> None:
        self.flags: set[str] = set()
        self.ini_options: set[str] = set()

    def getgroup(self, *_: str) -> Group:
        return self

    def addoption(self, *flags: str, **_: Any) -> None:
        self.flags.update(flags)

    def addini(self, name: str, *_: Any, **__: Any) -> None:
        self.ini_options.add(name)


class Config:
    """Stands for pytest's configuration, and collects the markers that are registered."""

    def __init__(self) -> None:
        self.markers: set[str] = set()

    def addinivalue_line(self, _: str, line: str) -> None:
        self.markers.update(re.findall(r"^\w+", line))

    def add_cleanup(self, *_: object) -> None: ...

    def getoption(self, *_: str) -> None: ...

    def getini(self, *_: str) -> None: ...


def added() -> Group:
    """What the plugin adds to pytest's parser."""
    group = Group()
    parser: Any = group
    hooks.pytest_addoption(parser)
    return group


def flags() -> set[str]:
    return added().flags


def markers() -> set[str]:
    config: Any = Config()
    hooks.pytest_configure(config)
    return set(config.markers)


def fixtures() -> set[str]:
    return {name for name in vars(plugin) if name.startswith("wove_http_")}


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


def test_every_flag_is_an_ini_option() -> None:
    """The ini options are the flags, written with underscores, as the page says."""
    assert added().ini_options == {flag.lstrip("-").replace("-", "_") for flag in flags()}


# Of a default in words, such as "random", there is nothing to compare.
DEFAULTS = [
    (name, text)
    for names, defaults, *_ in cells_of("Options of a worker")
    for name, text in zip(
        re.findall("`(.+?)`", names), re.findall("`(.+?)`", defaults), strict=False
    )
]


@pytest.mark.parametrize(("name", "text"), DEFAULTS)
def test_default_of_an_option(name: str, text: str) -> None:
    """The default that the page shows for an option is that of the code."""
    assert fields_of(Options)[name].given_default == ast.literal_eval(text)


METHODS = [
    (name, words)
    for cell, *_ in cells_of("HttpWorker")
    for name, words in re.findall(r"`(\w+)\(([^`)]+)\)`", cell)
]


@pytest.mark.parametrize(("name", "words"), METHODS)
def test_parameters_of_a_method(name: str, words: str) -> None:
    """The page shows each parameter of a method, with its default if it shows one."""
    shown = re.findall(r"(\w+)(?:=([^,| ]+))?(?=[ ,]|$)", words)
    _, *parameters = inspect.signature(getattr(HttpWorker, name)).parameters.values()
    defaults = {each.name: each.default for each in parameters}
    assert [word for word, _ in shown] == [*defaults]
    given = {word: text for word, text in shown if text not in ("", "…")}
    assert {word: ast.literal_eval(text) for word, text in given.items()} == {
        word: defaults[word] for word in given
    }
