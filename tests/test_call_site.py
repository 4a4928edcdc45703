"""The line of the user's code that called this package."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import MakeWorker
from wove_http_dev import call_site
from wove_http_dev.faults.injections import Injection
from wove_http_dev.runs.holds import Gate
from wove_http_dev.runs.stubs import Stub
from wove_http_dev.worker import HttpWorker


def users_function(path: str, source: str) -> Callable[..., str]:
    """Return the function ``call`` that ``source`` defines, as of a user's module in ``path``."""
    module = types.ModuleType("users_module")
    exec(compile(source, path, "exec"), module.__dict__)
    call: Callable[..., str] = module.__dict__["call"]
    return call


IN_LINE_2 = "def call(function):\n    return function()\n"
MADE = {
    "hold": "def call(worker):\n    return worker.hold('task')\n",
    "stub": "def call(worker):\n    return worker.stub('task', result=1)\n",
    "inject": "def call(worker):\n    return worker.inject('status')\n",
}


def test_file_and_line(tmp_path: Path) -> None:
    """The place is file and line of the user's code."""
    path = str(tmp_path / "test_app.py")
    assert users_function(path, IN_LINE_2)(call_site.call_site) == f"{path}:2"


def test_below_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file below the working directory is named by its path from there."""
    monkeypatch.chdir(tmp_path)
    path = str(tmp_path / "tests" / "test_app.py")
    place = users_function(path, IN_LINE_2)(call_site.call_site)
    assert Path(place) == Path("tests", "test_app.py:2")


def test_no_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the working directory was removed, the whole path is named."""

    def removed() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(os, "getcwd", removed)
    path = str(tmp_path / "test_app.py")
    assert users_function(path, IN_LINE_2)(call_site.call_site) == f"{path}:2"


def test_callers_of_this_package_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a caller outside the package there is no place."""
    name = call_site.__name__
    last = types.SimpleNamespace(f_globals={"__name__": name}, f_back=None)
    monkeypatch.setattr(sys, "_getframe", lambda: last)
    assert call_site.call_site() == ""


def test_odd_file_name() -> None:
    """A file name is escaped."""
    assert users_function("\x1b[2Jx.py", IN_LINE_2)(call_site.call_site) == "\\x1b[2Jx.py:2"


def test_long_file_name() -> None:
    """A long file name is cut, and the line stays."""
    place = users_function("x" * 1000, IN_LINE_2)(call_site.call_site)
    assert (len(place), place[-3:]) == (call_site.LIMIT, "x:2")


def test_at() -> None:
    """A call is shown with its place."""
    assert call_site.at("hold()", "test_app.py:12") == "hold() at test_app.py:12"


def test_at_no_place() -> None:
    """A call whose place is not known is shown alone."""
    assert call_site.at("hold()", "") == "hold()"


@pytest.mark.parametrize("kind", MADE)
def test_place_of_what_a_call_made(worker: HttpWorker, kind: str) -> None:
    """What hold(), stub() and inject() return knows the line of the call."""
    make: Callable[[HttpWorker], Gate | Stub | Injection]
    make = users_function("users_file.py", MADE[kind])  # type: ignore[assignment]
    assert make(worker).place == "users_file.py:2"


def test_fault_of_the_options_has_no_place(make_worker: MakeWorker) -> None:
    """A fault of the options was injected by no line of a test."""
    assert make_worker(faults=["status"]).injections[0].place == ""
