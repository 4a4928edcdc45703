"""An exception, such as that of Ctrl-C, at any call with which ``serve`` starts or ends leaves
threads, descriptors, signal handlers, the import system and unfinished files as they were
before."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.interruption import interrupt_each_call, interrupt_each_place
from wove_http_dev.cli import serve as serve_module
from wove_http_dev.cli.arguments import given_options
from wove_http_dev.cli.main import make_parser
from wove_http_dev.cli.reload import Reloader
from wove_http_dev.cli.signals import handled
from wove_http_dev.cli.state_directory import StateDirectory
from wove_http_dev.cli.user_code import importable
from wove_http_dev.service.port import Port

pytestmark = pytest.mark.usefixtures("environ", "one_system_ca")


def stop_when_printed(*_: object, **__: object) -> None:
    """Send SIGTERM to this process, instead of printing how to reach the worker."""
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def page_port(*_: object) -> Iterator[Port]:
    """Reserve a port for the page until the block ends."""
    port = Port("localhost", 0)
    try:
        yield port
    finally:
        port.close()


def check_finished(directory: Path) -> None:
    """Assert that ``directory`` has no file that is half written."""
    names = [path.name for path in directory.glob(".*") if path.name != ".lock"]
    assert names == []


@pytest.mark.parametrize("first_place", [0, 3, 6])
def test_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first_place: int) -> None:
    """``serve`` leaves nothing if its start or its end is interrupted."""
    monkeypatch.setattr(serve_module, "print", stop_when_printed, raising=False)
    # It binds the port and gives it back at once: only the end of the process closes it for sure.
    monkeypatch.setattr(serve_module, "_checked_start", page_port)
    words: dict[str, Any] = given_options(make_parser().parse_args(["serve", "--port", "0"]))

    def serve() -> None:
        status = serve_module.serve(
            {**words}, app_dir=str(tmp_path), state_dir=str(tmp_path / "kept"), reload=True
        )
        assert status == 0

    before = signal.set_wakeup_fd(-1)
    imports = (list(sys.meta_path), list(sys.path))

    def afterwards() -> None:
        assert signal.set_wakeup_fd(-1) == before
        assert (sys.meta_path, sys.path) == imports
        if (tmp_path / "kept").exists():
            check_finished(tmp_path / "kept")

    interrupt_each_place(lambda: serve, chosen=slice(first_place, None, 9), afterwards=afterwards)


def test_import_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The import path, with the user's own entry of the same directory, and the finders are
    restored if changing them, or that itself, is interrupted."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = (list(sys.meta_path), list(sys.path))

    def change() -> None:
        with importable(str(tmp_path.resolve())), Reloader(tmp_path).installed():
            pass

    def afterwards() -> None:
        assert (sys.meta_path, sys.path) == before

    interrupt_each_call(lambda: change, afterwards=afterwards)


def test_state_directory(tmp_path: Path) -> None:
    """The first start in a state directory leaves no unfinished file if it is interrupted, and the
    next one works."""
    directories: list[Path] = []

    def prepare() -> Callable[[], object]:
        directories.append(tmp_path / str(len(directories)))
        return lambda: first_start(directories[-1])

    def afterwards() -> None:
        if directories[-1].exists():
            check_finished(directories[-1])
        first_start(directories[-1])

    interrupt_each_place(prepare, chosen=slice(None, None, 3), afterwards=afterwards)


def first_start(directory: Path) -> None:
    """Make what ``serve`` keeps in ``directory``."""
    state = StateDirectory(str(directory))
    with state.certificate_authority() as ca:
        assert ca.bundle_file
    assert state.secret()
    assert state.file_with("another", 8443)


def test_handled() -> None:
    """Signal handlers are restored if setting them, or that itself, is interrupted."""

    def handle() -> None:
        with handled(lambda *_: None, signal.SIGTERM, signal.SIGHUP):
            pass

    interrupt_each_place(lambda: handle)
