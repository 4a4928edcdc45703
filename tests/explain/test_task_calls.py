"""Which environments the source of an application names."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from wove_http_dev.explain.task_calls import application_files, task_calls

SOURCE = """
import wove
from wove import Weave, weave

class Reports(Weave):
    @Weave.do(environment="class", retries=2)
    def render(self): ...

with wove.weave(Reports, environment=chosen, fork=True) as w:
    @w.do([1, 2], environment="method")
    def each(item): ...
    merge(each, environment="merged")
    other(environment="none")
"""


def module(file: Path, name: str, *, package: bool = False) -> ModuleType:
    """A module as if imported from ``file``."""
    made = ModuleType(name)
    made.__file__ = str(file)
    if package:
        made.__path__ = [str(file.parent)]
    return made


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with two modules and a subpackage."""
    package = tmp_path / "app"
    for name in ("__init__.py", "tasks.py", "jobs/__init__.py", "jobs/nightly.py"):
        (package / name).parent.mkdir(exist_ok=True, parents=True)
        (package / name).write_text("import wove")
    return package


def test_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls of ``do``, ``merge`` and ``weave`` are found in each form, with their lines."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks.py").write_text(SOURCE)
    calls = task_calls([tmp_path / "tasks.py"])
    assert sorted((call.where, call.function, call.environment) for call in calls) == [
        ("tasks.py:10", "do", "method"),
        ("tasks.py:12", "merge", "merged"),
        ("tasks.py:6", "do", "class"),
        ("tasks.py:9", "weave", None),
    ]


def test_options(tmp_path: Path) -> None:
    """A constant argument is known, another one is known to be there."""
    (tmp_path / "tasks.py").write_text(SOURCE)
    (weave,) = (call for call in task_calls([tmp_path / "tasks.py"]) if not call.is_task)
    assert (weave.options["fork"], "environment" in weave.options) == (True, True)


@pytest.mark.parametrize(
    "content", [b"import wove\nwith:", b"wove \xff\x00", b"do(environment='x')"]
)
def test_other_files(tmp_path: Path, content: bytes) -> None:
    """A file that is no Python, or has nothing to do with Wove, has no calls."""
    (tmp_path / "other.py").write_bytes(content)
    assert task_calls([tmp_path / "other.py", tmp_path / "absent.py"]) == []


@pytest.mark.parametrize(
    ("file", "name", "is_package"),
    [
        ("__init__.py", "app", True),
        ("tasks.py", "app.tasks", False),
        ("jobs/__init__.py", "app.jobs", True),
        ("jobs/nightly.py", "app.jobs.nightly", False),
    ],
)
def test_files_of_a_package(package: Path, file: str, name: str, is_package: bool) -> None:
    """The files of the whole package are read, not only those that are imported."""
    found = application_files(module(package / file, name, package=is_package), [])
    assert sorted(found) == sorted(package.rglob("*.py"))


def test_files_of_a_module(package: Path) -> None:
    """Of a module in no package, that file is read, and what it has imported."""
    own, other = package / "tasks.py", package / "jobs" / "nightly.py"
    assert application_files(module(own, "tasks"), [module(other, "nightly")]) == [own, other]


def test_installed_files(package: Path) -> None:
    """What is installed is left out."""
    imported = [sys.modules["json"], sys.modules["pytest"], sys.modules["_pytest.config"]]
    assert application_files(module(package / "tasks.py", "tasks"), imported) == [
        package / "tasks.py"
    ]
