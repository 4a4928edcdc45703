"""Where an isolated worker's child process finds this package and what it needs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import wove_http_dev
from wove_http_dev import start_child
from wove_http_dev.start_child import NEEDED, NeededModules, installed_in, places

SOURCE = Path(wove_http_dev.__file__).parent
PROGRAM = """
from wove_http_dev import HttpWorker
from wove import weave
def path():
    import sys, wove_http_dev
    return sys.path, wove_http_dev.__file__
if __name__ == "__main__":
    import json, sys, wove_http_dev
    with HttpWorker(isolated=True) as worker, worker.configured(), weave() as w:
        w.do(environment="workers")(path)
    path, file = w.result.path
    print(json.dumps({"path": path, "same": file == wove_http_dev.__file__}))
"""


def test_places() -> None:
    """Each module that is needed is in the directory that was found for it."""
    found = places()
    assert {"wove_http_dev", "cryptography", "_cffi_backend", "wove"} <= found.keys() <= {*NEEDED}
    assert all(any(n.startswith(name) for n in os.listdir(found[name])) for name in found)


def test_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module without a spec, which a test put in another's place, is left out."""
    monkeypatch.setitem(sys.modules, "wove", ModuleType("wove"))
    assert "wove" not in places()


def test_finder(tmp_path: Path) -> None:
    """The finder finds the modules that it was given, and no other."""
    for name in ("given", "other"):
        (tmp_path / f"{name}.py").touch()
    finder = NeededModules({"given": str(tmp_path)})
    spec = finder.find_spec("given")
    assert spec is not None
    assert (spec.origin, finder.find_spec("other")) == (str(tmp_path / "given.py"), None)


def test_installed_in(tmp_path: Path) -> None:
    """Only a directory with installed packages is put on the import path."""
    installed, sources = tmp_path / "installed", tmp_path / "sources"
    (installed / "wove-2.0.dist-info").mkdir(parents=True)
    sources.mkdir()
    where = {"wove": str(installed), "wove_http_dev": str(sources), "x": str(tmp_path / "x.zip")}
    assert installed_in(where) == [str(installed)]


def needed_but_ours() -> dict[str, Path]:
    """The modules that this package needs, and where each is."""
    found = {name: Path(place) for name, place in places().items()}
    del found["wove_http_dev"]
    return found


def link_modules(directory: Path) -> None:
    """Put links to what this package needs into ``directory``, as ``pip install --target``
    would."""
    directory.mkdir()
    for name, place in needed_but_ours().items():
        for path in place.glob(f"{name}*"):
            if path.name.partition(".")[0] == name:
                (directory / path.name).symlink_to(path)


def link_sources(directory: Path) -> None:
    """Put a link to this package into ``directory``, which also has a module of the user."""
    directory.mkdir()
    (directory / "wove_http_dev").symlink_to(SOURCE)
    (directory / "users_module.py").touch()


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter of a virtual environment in which nothing is installed."""
    directory = tmp_path_factory.mktemp("bare")
    venv.create(directory, symlinks=True)
    return directory / "bin" / "python"


Run = Callable[..., dict[str, object]]


@pytest.fixture
def run(bare_python: Path, tmp_path: Path) -> Run:
    """``run(**environ)``: what the isolated worker of a program says of its import path."""

    def run(**environ: str) -> dict[str, object]:
        program = tmp_path / "program.py"
        program.write_text(PROGRAM)
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        done = subprocess.run(
            [bare_python, program],
            env={**kept, **environ},
            stdout=subprocess.PIPE,
            timeout=60,
            check=True,
        )
        result: dict[str, object] = json.loads(done.stdout)
        return result

    return run


def test_pythonpath(run: Run, tmp_path: Path) -> None:
    """A worker starts from PYTHONPATH, its process has the same package, and the directories that
    have modules of the user are not on its import path."""
    link_sources(tmp_path / "sources")
    link_modules(tmp_path / "modules")
    found = run(PYTHONPATH=os.pathsep.join([str(tmp_path / "sources"), str(tmp_path / "modules")]))
    assert found["same"]
    assert not any(str(tmp_path) in place for place in found["path"])  # type: ignore[attr-defined]


def test_zip_file(run: Run, tmp_path: Path) -> None:
    """A worker starts from a zip file, and its process has the same package."""
    shutil.make_archive(str(tmp_path / "sources"), "zip", SOURCE.parent, SOURCE.name)
    link_modules(tmp_path / "modules")
    places = [str(tmp_path / "sources.zip"), str(tmp_path / "modules")]
    assert run(PYTHONPATH=os.pathsep.join(places))["same"]


def test_target(run: Run, tmp_path: Path) -> None:
    """A worker starts from a directory of ``pip install --target``; tasks may import what is
    installed there."""
    target = tmp_path / "target"
    link_modules(target)
    (target / "wove_http_dev").symlink_to(SOURCE)
    (target / "wove_http_dev-0.1.0.dist-info").mkdir()
    found = run(PYTHONPATH=str(target))
    assert str(target) in found["path"]  # type: ignore[operator]


def test_user_site(run: Run, tmp_path: Path, bare_python: Path) -> None:
    """A worker starts from the user site of ``pip install --user``."""
    # A virtual environment has no user site unless it also has that of the system.
    config = bare_python.parent.parent / "pyvenv.cfg"
    before = config.read_text()
    config.write_text(before.replace("system-site-packages = false", "system-site-packages = true"))
    base = tmp_path / "base"
    scheme = sysconfig.get_preferred_scheme("user")
    site = Path(sysconfig.get_path("purelib", scheme, {"userbase": str(base)}))
    site.parent.mkdir(parents=True)
    link_modules(site)
    (site / "wove_http_dev").symlink_to(SOURCE)
    (site / "wove_http_dev-0.1.0.dist-info").mkdir()
    try:
        assert str(site) in run(PYTHONUSERBASE=str(base))["path"]  # type: ignore[operator]
    finally:
        config.write_text(before)


def test_editable_install_with_a_hook(run: Run, tmp_path: Path, bare_python: Path) -> None:
    """A worker starts from an editable install whose hook is a finder (setuptools)."""
    link_sources(tmp_path / "sources")
    link_modules(tmp_path / "modules")
    hook = tmp_path / "modules" / "sitecustomize.py"
    hook.write_text(
        "import sys\n"
        "from importlib.machinery import PathFinder\n"
        "class Hook:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        where = [{str(tmp_path / 'sources')!r}]\n"
        "        return PathFinder.find_spec(name, where) if name == 'wove_http_dev' else None\n"
        "sys.meta_path.append(Hook())\n"
    )
    assert run(PYTHONPATH=str(tmp_path / "modules"))["same"]


def test_start_child_imports_only_the_standard_library() -> None:
    """The program runs before this package can be imported."""
    text = Path(start_child.__file__).read_text()
    assert "import wove_http_dev" not in text
    assert "from wove_http_dev" not in text
