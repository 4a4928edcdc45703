"""``--reload``: modules that changed on disk are imported again."""

from __future__ import annotations

import importlib
import json
import linecache
import os
import pickle
import py_compile
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from wove_http_dev.cli import reload
from wove_http_dev.cli.reload import Changes, ChangesInProcess, Reloader

APP, HELPER, PACKAGE = "wove_reload_app", "wove_reload_helper", "wove_reload_package"


class Application:
    """An application's directory on the import path."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._time = 1_000_000_000

    def write(self, path: str, value: int) -> None:
        """Write a module that contains ``VALUE = value``, with a modification time 10 s after the
        last."""
        file = self.root / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"VALUE = {value}\n")
        self._time += 10
        os.utime(file, (self._time, self._time))

    def write_unnoticed(self, path: str, value: int) -> None:
        """Write a module of the same size, with the time stamps that its file has."""
        file = self.root / path
        before = file.stat()
        file.write_text(f"VALUE = {value}\n")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    def load(self, name: str) -> ModuleType:
        """Import the module as a task sent by name does."""
        return importlib.import_module(name)


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    """An application of two imported modules, removed from ``sys.modules`` at the end."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    application = Application(tmp_path)
    for name in (APP, HELPER):
        application.write(f"{name}.py", 1)
        application.load(name)
    yield application
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_changed_module(application: Application) -> None:
    """A changed module is imported again."""
    reloader = Reloader(application.root)
    reloader.refresh()
    application.write(f"{APP}.py", 2)
    reloader.refresh()
    assert application.load(APP).VALUE == 2


def test_change_within_one_tick(application: Application) -> None:
    """A change that leaves size and time stamp is seen."""
    reloader = Reloader(application.root)
    reloader.refresh()
    application.write_unnoticed(f"{APP}.py", 2)
    reloader.refresh()
    assert application.load(APP).VALUE == 2


def test_change_after_an_import(application: Application) -> None:
    """A change between the first import of a module and the next task is seen."""
    application.write(f"{PACKAGE}.py", 1)
    reloader = Reloader(application.root)
    with reloader.installed():
        reloader.refresh()
        application.load(PACKAGE)
        application.write_unnoticed(f"{PACKAGE}.py", 2)
        reloader.refresh()
        assert application.load(PACKAGE).VALUE == 2


@pytest.mark.parametrize("name", [PACKAGE, f"{PACKAGE}.__init__"], ids=["module", "package"])
def test_stale_bytecode(application: Application, name: str) -> None:
    """The source is imported where bytecode of another text has its size and time stamp."""
    path = f"{name.replace('.', '/')}.py"
    application.write(path, 1)
    py_compile.compile(str(application.root / path))
    application.write_unnoticed(path, 2)
    with Reloader(application.root).installed():
        assert application.load(PACKAGE).VALUE == 2


def test_two_reloaders(application: Application) -> None:
    """Two reloaders in one process do not ask each other for ever."""
    application.write(f"{PACKAGE}.py", 1)
    with Reloader(application.root).installed(), Reloader(application.root).installed():
        assert application.load(PACKAGE).VALUE == 1


def test_new_module(application: Application) -> None:
    """A module that is written after a failed import is found, whatever its directory's time."""
    before = application.root.stat()
    reloader = Reloader(application.root)
    with reloader.installed():
        with pytest.raises(ModuleNotFoundError):
            application.load(PACKAGE)
        application.write(f"{PACKAGE}.py", 1)
        os.utime(application.root, ns=(before.st_atime_ns, before.st_mtime_ns))
        reloader.refresh()
        assert application.load(PACKAGE).VALUE == 1


def test_import_system_is_restored(application: Application) -> None:
    """After the block Python imports as before."""
    before = list(sys.meta_path)
    with Reloader(application.root).installed():
        pass
    assert sys.meta_path == before


def test_source_lines_are_read_again(application: Application) -> None:
    """A traceback shows the changed source."""
    path = str(application.root / f"{APP}.py")
    linecache.getline(path, 1)
    reloader = Reloader(application.root)
    reloader.refresh()
    application.write_unnoticed(f"{APP}.py", 2)
    reloader.refresh()
    assert linecache.getline(path, 1) == "VALUE = 2\n"


def test_change_after_change(application: Application) -> None:
    """A module that changes twice is imported again twice."""
    reloader = Reloader(application.root)
    for value in (2, 3):
        reloader.refresh()
        application.load(APP)
        reloader.refresh()
        application.write(f"{APP}.py", value)
        reloader.refresh()
    assert application.load(APP).VALUE == 3


def test_neighbour(application: Application) -> None:
    """A module in the same directory as a changed one is imported again too."""
    helper = application.load(HELPER)
    reloader = Reloader(application.root)
    reloader.refresh()
    application.write(f"{APP}.py", 2)
    reloader.refresh()
    assert application.load(HELPER) is not helper


def test_removed_module(application: Application) -> None:
    """A deleted module is no longer importable."""
    reloader = Reloader(application.root)
    reloader.refresh()
    (application.root / f"{APP}.py").unlink()
    reloader.refresh()
    with pytest.raises(ModuleNotFoundError):
        application.load(APP)


def test_unchanged(application: Application) -> None:
    """If nothing has changed, no module is imported again."""
    app = application.load(APP)
    reloader = Reloader(application.root)
    reloader.refresh()
    reloader.refresh()
    assert application.load(APP) is app


def test_first_refresh(application: Application) -> None:
    """The first refresh reloads nothing, because it has nothing to compare with."""
    app = application.load(APP)
    Reloader(application.root).refresh()
    assert application.load(APP) is app


@pytest.mark.parametrize("root", ["other", APP])
def test_elsewhere(application: Application, root: str) -> None:
    """A module outside the root is never imported again."""
    app = application.load(APP)
    reloader = Reloader(application.root / root)
    reloader.refresh()
    application.write(f"{APP}.py", 2)
    reloader.refresh()
    assert application.load(APP) is app


@pytest.mark.parametrize("directory", ["site-packages", "dist-packages"])
def test_installed_package(
    application: Application, monkeypatch: pytest.MonkeyPatch, directory: str
) -> None:
    """A package in a virtual environment below the root is not imported again when the application
    changes."""
    monkeypatch.syspath_prepend(str(application.root / directory))
    application.write(f"{directory}/{PACKAGE}.py", 1)
    package = application.load(PACKAGE)
    reloader = Reloader(application.root)
    reloader.refresh()
    application.write(f"{APP}.py", 2)
    reloader.refresh()
    assert application.load(PACKAGE) is package


@pytest.mark.parametrize("name", ["__main__", "wove_http_dev.cli.reload"])
def test_own_modules(application: Application, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The running program and this package are not imported again, even if they are below the
    root."""
    module = sys.modules[name]
    monkeypatch.setattr(module, "__file__", str(application.root / f"{APP}.py"), raising=False)
    reloader = Reloader(application.root)
    reloader.refresh()
    application.write(f"{APP}.py", 2)
    reloader.refresh()
    assert sys.modules.get(name) is module


def test_change_is_reported(application: Application) -> None:
    """The files that have changed are reported, by their paths below the root."""
    reported: list[Changes] = []
    reloader = Reloader(application.root)
    reloader.on_change = reported.append
    reloader.refresh()
    application.write(f"{APP}.py", 2)
    reloader.refresh()
    reloader.refresh()
    assert [list(changes) for changes in reported] == [[f"{APP}.py"]]


def test_changes_differ(application: Application) -> None:
    """What a change leads to can be told from what another one of the same file does."""
    found: list[Changes] = []
    reloader = Reloader(application.root)
    reloader.on_change = found.append
    for value in (2, 3):
        application.load(APP)
        reloader.refresh()
        application.write(f"{APP}.py", value)
        reloader.refresh()
    assert found[0] != found[1]


def test_deleted_file(application: Application) -> None:
    """A deleted file has changed, and has no digest."""
    found: list[Changes] = []
    reloader = Reloader(application.root)
    reloader.on_change = found.append
    reloader.refresh()
    (application.root / f"{APP}.py").unlink()
    reloader.refresh()
    assert found == [{f"{APP}.py": None}]


class TestChangesThere:
    """What is sent to another process, called here."""

    @pytest.fixture(autouse=True)
    def process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A process in which it was not called yet; at the end Python imports as before."""
        monkeypatch.setattr(reload, "_there", {})
        monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))

    def found(self, application: Application) -> Changes:
        """What it returns, sent as to another process."""
        sent: ChangesInProcess = pickle.loads(pickle.dumps(ChangesInProcess(application.root)))
        return sent()

    def test_change(self, application: Application) -> None:
        """A file that has changed since its import is named."""
        self.found(application)
        application.write_unnoticed(f"{APP}.py", 2)
        assert list(self.found(application)) == [f"{APP}.py"]

    def test_change_after_an_import(self, application: Application) -> None:
        """A change right after the first import of a module is seen."""
        self.found(application)
        application.write(f"{PACKAGE}.py", 1)
        application.load(PACKAGE)
        application.write_unnoticed(f"{PACKAGE}.py", 2)
        assert list(self.found(application)) == [f"{PACKAGE}.py"]

    def test_stale_bytecode(self, application: Application) -> None:
        """The source is imported, not bytecode of another text."""
        application.write(f"{PACKAGE}.py", 1)
        py_compile.compile(str(application.root / f"{PACKAGE}.py"))
        application.write_unnoticed(f"{PACKAGE}.py", 2)
        self.found(application)
        assert application.load(PACKAGE).VALUE == 2

    def test_unchanged(self, application: Application) -> None:
        """If nothing has changed, no file is named."""
        self.found(application)
        assert self.found(application) == {}

    def test_json(self, application: Application) -> None:
        """What it returns is JSON."""
        self.found(application)
        application.write(f"{APP}.py", 2)
        found = self.found(application)
        assert json.loads(json.dumps(found)) == found
