"""Exceptions as text of limited length."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wove_http_dev.cut_text import cut_middle
from wove_http_dev.exception_text import (
    MESSAGE_LIMIT,
    TRACEBACK_LIMIT,
    message_of,
    place_of,
    traceback_of,
)

NOTE = 60
"""More characters than a note of what is left out has."""


class ExitsWhenPrinted(Exception):
    """An exception that raises SystemExit when it is printed."""

    def __str__(self) -> str:
        raise SystemExit(1)


class HasNoText(Exception):
    """An exception whose ``__str__`` returns no text."""

    def __str__(self) -> str:
        return 5  # type: ignore[return-value]


class HidesItsMembers(Exception):
    """An exception whose attribute ``exceptions`` raises."""

    @property
    def exceptions(self) -> tuple[BaseException, ...]:
        raise SystemExit(1)


def raised(function: Callable[[], object]) -> BaseException:
    """The exception that ``function`` raises."""
    try:
        function()
    except BaseException as exc:
        return exc
    raise AssertionError("nothing was raised")


def fail(exc: BaseException) -> None:
    raise exc


def ping(depth: int) -> None:
    if depth:
        pong(depth - 1)
    raise ValueError("deep")


def pong(depth: int) -> None:
    if depth:
        ping(depth - 1)
    raise ValueError("deep")


def chain(length: int) -> BaseException:
    """An exception with a chain of ``length`` causes."""
    last = ValueError("0")
    for number in range(1, length + 1):
        try:
            raise ValueError(str(number)) from last
        except ValueError as exc:
            last = exc
    return last


class TestMessage:
    """``message_of`` returns the text of an exception."""

    def test_text(self) -> None:
        """The message is the exception's text."""
        assert message_of(ValueError("no")) == "no"

    def test_long(self) -> None:
        """A long message is shortened."""
        assert len(message_of(ValueError("x" * 10**7))) < MESSAGE_LIMIT + NOTE

    @pytest.mark.parametrize(
        ("exc", "message"),
        [
            (ExitsWhenPrinted(), "<ExitsWhenPrinted whose __str__ raised SystemExit>"),
            (HasNoText(), "<HasNoText whose __str__ raised TypeError>"),
        ],
        ids=["raises", "no-text"],
    )
    def test_unprintable(self, exc: Exception, message: str) -> None:
        """Of an exception that cannot be printed the class is named."""
        assert message_of(exc) == message


class TestTraceback:
    """``traceback_of`` returns the traceback of an exception."""

    def test_line_that_raised(self) -> None:
        """The traceback has the line that raised."""
        assert "raise exc" in traceback_of(raised(lambda: fail(ValueError("no"))))

    def test_cause(self) -> None:
        """The traceback has the exception's cause."""
        assert "ValueError: 0\n\nThe above exception" in traceback_of(chain(1))

    def test_same_as_pythons(self) -> None:
        """A short traceback is not marked as shortened."""
        assert traceback_of(ValueError("no")) == "ValueError: no\n"

    def test_long_message(self) -> None:
        """A traceback with a long message is shortened."""
        assert len(traceback_of(ValueError("x" * 10**7))) < TRACEBACK_LIMIT + NOTE

    def test_deep(self) -> None:
        """Of a deep recursion the last calls are shown, and the text says so."""
        text = traceback_of(raised(lambda: ping(500)))
        assert text.count("File") == 100
        assert text.endswith("ValueError: deep\n[of each traceback, the last 100 calls]\n")

    def test_endless_recursion(self) -> None:
        """The traceback of a RecursionError is limited."""
        text = traceback_of(raised(lambda: ping(10**9)))
        assert text.count("File") == 100

    def test_long_chain(self) -> None:
        """Of a chain of thousands of causes the last exception is shown, and the text says so."""
        text = traceback_of(chain(3000))
        assert text.startswith("[a chain of more than 50 exceptions is left out")
        assert text.endswith("ValueError: 3000\n")

    def test_circular_chain(self) -> None:
        """Exceptions that cause each other are shown."""
        first, second = ValueError("first"), ValueError("second")
        first.__cause__, second.__cause__ = second, first
        assert "ValueError: second" in traceback_of(first)

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups are new in 3.11")
    @pytest.mark.parametrize(("members", "shown"), [(3, True), (3000, False)])
    def test_group(self, members: int, shown: bool) -> None:
        """The members of a group are shown unless there are too many."""
        group = ExceptionGroup("g", [ValueError(f"n{number}") for number in range(members)])  # type: ignore[name-defined,unused-ignore]  # noqa: F821
        assert ("ValueError: n2" in traceback_of(group)) is shown

    @pytest.mark.parametrize("exc", [ExitsWhenPrinted(), HasNoText(), HidesItsMembers()], ids=repr)
    def test_hostile(self, exc: Exception) -> None:
        """An exception that cannot be formatted is named all the same."""
        assert type(exc).__name__ in traceback_of(exc)


class HasNoTraceback(Exception):
    """An exception whose ``__traceback__`` cannot be read."""

    @property
    def __traceback__(self) -> None:  # type: ignore[override]
        raise SystemExit(1)


def run_code(code: str, file: str) -> BaseException:
    """The exception that ``code``, which is in ``file``, raises."""
    return raised(lambda: exec(compile(code, file, "exec"), {}))


class TestPlace:
    """``place_of`` returns where in the user's code an exception was raised."""

    def test_innermost_call(self) -> None:
        """The place is the file, the line and the function that raised."""
        line = fail.__code__.co_firstlineno + 1
        place = place_of(raised(lambda: fail(ValueError("no"))))
        assert place == f"{os.path.relpath(__file__)}:{line} in fail"

    def test_calls_of_a_library_are_left_out(self) -> None:
        """An exception of a library is at the line of the user's code that called it."""
        place = place_of(raised(lambda: json.loads("{")))
        assert place is not None
        assert place.startswith(f"{os.path.relpath(__file__)}:")

    def test_installed_library(self) -> None:
        """An exception of an installed library is at the line of the user's code, too."""
        place = place_of(run_code("1 / 0", "/x/lib/site-packages/library.py"))
        assert place is not None
        assert place.startswith(f"{os.path.relpath(__file__)}:")

    def test_code_that_does_not_compile(self) -> None:
        """A syntax error in code without a file is at the line that compiled it."""
        place = place_of(run_code("x = (", "<string>"))
        assert place is not None
        assert place.startswith(f"{os.path.relpath(__file__)}:")

    def test_package(self) -> None:
        """An exception of this package has no place, if no user's code was called."""
        exc = raised(lambda: cut_middle(None, 1))  # type: ignore[arg-type]
        exc.__traceback__ = exc.__traceback__.tb_next.tb_next  # type: ignore[union-attr]
        assert place_of(exc) is None

    def test_installed_application(self) -> None:
        """If all code is installed, the place is the task's own call, not the library's."""
        exc = run_code("import json\njson.loads('{')", "/x/lib/site-packages/app.py")
        exc.__traceback__ = exc.__traceback__.tb_next.tb_next  # type: ignore[union-attr]
        assert place_of(exc) == "/x/lib/site-packages/app.py:2 in <module>"

    def test_code_without_a_file(self) -> None:
        """Code that has no file, as in an interactive session, has a place, too."""
        exc = run_code("1 / 0", "<stdin>")
        exc.__traceback__ = exc.__traceback__.tb_next.tb_next  # type: ignore[union-attr]
        assert place_of(exc) == "<stdin>:1 in <module>"

    def test_syntax_error(self) -> None:
        """A syntax error is at its own line."""
        assert place_of(run_code("x = 1\ny = (", "/x/app.py")) == "/x/app.py:2"

    def test_without_user_code(self) -> None:
        """An exception that was not raised in the user's code has no place."""
        assert place_of(ValueError("no")) is None

    def test_hostile(self) -> None:
        """An exception whose attributes raise has no place."""
        assert place_of(HasNoTraceback()) is None

    def test_removed_working_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without a working directory the path is absolute."""
        directory = tmp_path / "removed"
        directory.mkdir()
        monkeypatch.chdir(directory)
        directory.rmdir()
        assert place_of(run_code("x = (", "/x/app.py")) == "/x/app.py:1"

    def test_limit(self) -> None:
        """A long name does not make a long place."""
        name = "f" * 10_000
        exc = run_code(f"def {name}(): 1 / 0\n{name}()", "/x/app.py")
        assert len(place_of(exc) or "") == 300
