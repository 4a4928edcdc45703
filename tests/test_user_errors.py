"""Errors of the user's code, each as one line with its place."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from wove_http_dev.cli.user_code import importable
from wove_http_dev.errors import UsageError
from wove_http_dev.user_errors import one_line_errors


def test_one_line_errors() -> None:
    """An exception becomes one line, without its cause."""
    with pytest.raises(UsageError) as raised, one_line_errors("cannot do it"):
        dict[str, str]()["NOT_SET_ANYWHERE"]
    assert str(raised.value).startswith("cannot do it: KeyError: 'NOT_SET_ANYWHERE' (")
    assert raised.value.__suppress_context__


def test_unset_variable() -> None:
    """Of an environment variable that is not set the line says so, and what to do."""
    with pytest.raises(UsageError) as raised, one_line_errors("cannot do it"):
        os.environ["NOT_SET_ANYWHERE"]
    before, _, after = str(raised.value).partition(" (tests/")
    assert before == "cannot do it: environment variable NOT_SET_ANYWHERE is not set"
    assert after.endswith("); export NOT_SET_ANYWHERE=…")


def test_notes_are_left_out() -> None:
    """The line has the exception's own message, not a note that was added to it."""
    noted = ValueError("no such account")
    # add_note() came with Python 3.11.
    vars(noted)["__notes__"] = ["seen while reading accounts.csv"]
    with (
        pytest.raises(UsageError, match="cannot do it: ValueError: no such account"),
        one_line_errors("cannot do it"),
    ):
        raise noted


def test_syntax_error_is_described() -> None:
    """Of a syntax error the line has the message, not the source line before it."""
    with (
        pytest.raises(UsageError, match="cannot do it: SyntaxError: "),
        one_line_errors("cannot do it"),
    ):
        compile("def f(:", "users_code.py", "exec")


def test_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place is that in the user's code, also where the error comes from a library."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "users_code", raising=False)
    (tmp_path / "users_code.py").write_text("import os\n\nos.listdir('/no/such')\n")
    with (
        importable(str(tmp_path)),
        pytest.raises(UsageError, match=r"\(users_code\.py, line 3\)"),
        one_line_errors("cannot import it"),
    ):
        __import__("users_code")


def import_users_code(directory: Path) -> str:
    """The error of ``users_code``, a module in ``directory`` that cannot be imported."""
    with (
        importable(str(directory)),
        pytest.raises(UsageError) as raised,
        one_line_errors("cannot import it"),
    ):
        __import__("users_code")
    return str(raised.value)


def test_place_of_an_error_of_an_installed_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library is not the user's code, wherever it is installed: for the system, or for a user."""
    library = tmp_path / "lib" / "site-packages"
    library.mkdir(parents=True)
    (library / "a_library.py").write_text("def fail():\n    raise ValueError('no')\n")
    (tmp_path / "users_code.py").write_text("import a_library\na_library.fail()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(library)
    for name in ("users_code", "a_library"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert import_users_code(tmp_path).endswith("ValueError: no (users_code.py, line 2)")


def test_place_without_a_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a working directory that was removed, the place is that of the whole path."""
    removed = tmp_path / "removed"
    removed.mkdir()
    (tmp_path / "users_code.py").write_text("1 / 0\n")
    monkeypatch.delitem(sys.modules, "users_code", raising=False)
    monkeypatch.chdir(removed)
    removed.rmdir()
    assert import_users_code(tmp_path).endswith(f"({tmp_path / 'users_code.py'}, line 1)")


def test_interrupt() -> None:
    """Ctrl-C is no error of the user's code."""
    with pytest.raises(KeyboardInterrupt), one_line_errors("cannot do it"):
        raise KeyboardInterrupt
