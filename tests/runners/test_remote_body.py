"""A body that runs in another process: what it becomes there, and what is made of it here."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.run_records import SECRET, make_run
from tests.runs import bodies
from tests.runs.bodies import error_of, exception_of, result_of
from wove_http_dev.protocol.frames import dumps
from wove_http_dev.runners import remote_body
from wove_http_dev.runners.remote_body import (
    RemoteBody,
    RemoteResult,
    import_advice,
    run_remote_body,
    shown_outcome,
)
from wove_http_dev.runs.body import Body
from wove_http_dev.runs.capture import LIMIT
from wove_http_dev.runs.display import RunDisplay
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.outcome import Outcome

PROGRAM = """
import pickle, sys
sys.path[:] = {path}
function, body = pickle.load(sys.stdin.buffer)
answer = pickle.dumps(function(body))
sys.stdout.buffer.write(answer)
"""


def body_of(function: Callable[..., Any], *, texts: bool = False, **args: Any) -> RemoteBody:
    """``function(**args)`` as another process gets it."""
    return RemoteBody(dumps(function), dumps(args), tracebacks=True, texts=texts)


def elsewhere(body: RemoteBody) -> RemoteResult:
    """The result of ``body`` in a new process that only can import the package."""
    program = PROGRAM.format(path=sys.path)
    ended = subprocess.run(
        [sys.executable, "-c", program],
        input=pickle.dumps((run_remote_body, body)),
        stdout=subprocess.PIPE,
        check=True,
    )
    result: RemoteResult = pickle.loads(ended.stdout)
    return result


def here(function: Callable[..., Any], **args: Any) -> RemoteResult:
    """The result of ``function(**args)``, as it travels between processes."""
    result = run_remote_body(body_of(function, **args))
    copy: RemoteResult = pickle.loads(pickle.dumps(result))
    return copy


def printing(text: str, error: str = "") -> None:
    print(text)
    print(error, end="", file=sys.stderr)


def fails() -> None:
    raise ValueError("too large")


@pytest.fixture(scope="module")
def result() -> RemoteResult:
    """What a body prints and raises in another process."""

    def body(n: int) -> None:
        import os

        print("in", os.getpid())
        raise ValueError(n)

    return elsewhere(body_of(body, texts=True, n=7))


class TestOtherProcess:
    """One body in a process of its own."""

    def test_exception(self, result: RemoteResult) -> None:
        """The exception arrives as it is."""
        assert repr(exception_of(result.outcome)) == "ValueError(7)"

    def test_traceback(self, result: RemoteResult) -> None:
        """Its traceback begins with the body, and shows its source."""
        lines = error_of(result.outcome)["traceback"].splitlines()
        assert "test_remote_body.py" in lines[1]
        assert lines[2].strip() == "raise ValueError(n)"

    def test_cause(self, result: RemoteResult) -> None:
        """With ``tracebacks`` the cause has the traceback as text."""
        assert "raise ValueError(n)" in str(exception_of(result.outcome).__cause__)

    def test_place(self, result: RemoteResult) -> None:
        """The place of the error is in the user's code."""
        assert "test_remote_body.py" in (result.outcome.place or "")

    def test_arguments(self, result: RemoteResult) -> None:
        """The text of the arguments is made there."""
        assert result.arguments_text == "n=7"

    def test_output(self, result: RemoteResult) -> None:
        """What it printed is in the result."""
        (written,) = result.printed.first
        assert (written.stream, written.data[:3]) == ("stdout", b"in ")

    def test_process(self, result: RemoteResult) -> None:
        """The process is another one."""
        assert result.printed.first[0].data != b"in %d\n" % os.getpid()


@pytest.mark.parametrize("function", [bodies.add, bodies.add_later])
def test_result(function: Callable[..., Any]) -> None:
    """A sync or async body returns its result."""
    assert result_of(here(function, a=40, b=2).outcome) == 42


@pytest.mark.parametrize("exception", [SystemExit(3), KeyboardInterrupt(), ValueError("no")])
def test_same_as_in_a_thread(exception: BaseException) -> None:
    """An exception of any kind becomes the outcome that a thread makes of it."""
    there, expected = (
        here(bodies.fail, exception=exception).outcome,
        bodies.run(bodies.fail, exception=exception),
    )
    assert (there.kind, there.error, there.place) == (
        expected.kind,
        expected.error,
        expected.place,
    )


def test_unpicklable_result() -> None:
    """A result that cannot be pickled is the error of a thread."""
    outcome = here(bodies.unpicklable).outcome
    assert outcome.error == bodies.run(bodies.unpicklable).error


def test_not_loadable() -> None:
    """A pickle that cannot be loaded is an error, not an exception."""
    result = run_remote_body(RemoteBody(b"no pickle", b"", tracebacks=True, texts=False))
    assert "callable could not be loaded" in error_of(result.outcome)["message"]


def test_without_texts() -> None:
    """No text is made that nobody wants."""
    result = here(bodies.add, a=1, b=2)
    assert (result.arguments_text, result.outcome.result_text) == (None, None)


def test_result_text() -> None:
    """The text of the result is made where it is."""
    assert run_remote_body(body_of(bodies.add, texts=True, a=1, b=2)).outcome.result_text == "3"


def test_no_thread_of_the_body_is_taken_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The streams are the process's again when the body has ended."""
    here(printing, text="its")
    print("mine")
    assert capsys.readouterr().out == "mine\n"


class TestSettle:
    """What the service's process makes of a result."""

    @pytest.fixture
    def display(self, journal: Journal) -> RunDisplay:
        self.run = make_run()
        journal.add_run(self.run)
        return RunDisplay(self.run, journal)

    def settled(self, display: RunDisplay | None, function: Any, **args: Any) -> Outcome:
        texts = display is not None
        return shown_outcome(run_remote_body(body_of(function, texts=texts, **args)), display)

    def test_outcome(self) -> None:
        """The outcome is that of the body."""
        assert result_of(self.settled(None, bodies.add, a=1, b=2)) == 3

    def test_arguments(self, display: RunDisplay) -> None:
        """The run gets the text of its arguments."""
        self.settled(display, bodies.add, a=1, b=2)
        assert self.run.args_text == "a=1, b=2"

    def test_secret_argument(self, display: RunDisplay) -> None:
        """A secret in an argument is not shown."""
        self.settled(display, printing, text=SECRET)
        assert self.run.args_text == "text='[redacted]'"

    @pytest.mark.parametrize("cut", [5, 9, 12])
    def test_cut_secret(self, display: RunDisplay, cut: int) -> None:
        """The beginning of a secret that was cut is not shown."""
        self.settled(display, printing, text="x" * (400 - 1 - cut) + SECRET * 3)
        beginnings = {SECRET[:length] for length in range(4, len(SECRET))}
        assert not [each for each in beginnings if each in (self.run.args_text or "")]

    def test_secret_result(self, display: RunDisplay) -> None:
        """A secret in the result is not shown."""
        outcome = self.settled(display, str, object=SECRET)
        assert outcome.result_text == "'[redacted]'"

    def test_printed(self, capsys: pytest.CaptureFixture[str]) -> None:
        """What the body wrote is shown on the stream to which it wrote."""
        self.settled(None, printing, text="hello", error="careful\n")
        shown = capsys.readouterr()
        assert (shown.out, shown.err) == ("hello\n", "careful\n")

    def test_log(self, display: RunDisplay) -> None:
        """A log record that no handler writes is kept with the run."""

        def body() -> None:
            logger = logging.Logger("quiet")
            logger.propagate = False
            logger.addHandler(logging.NullHandler())
            logger.info("said")

        self.settled(display, body)
        assert self.run.output == "INFO:quiet:said\n"

    def test_much_output(self, display: RunDisplay, capsys: pytest.CaptureFixture[str]) -> None:
        """Of long output the beginning and the end are shown."""
        self.settled(display, printing, text="a" + "ä" * 10 * LIMIT + "z")
        shown = capsys.readouterr()
        assert len(shown.out) < 2 * LIMIT
        assert (shown.out[0], shown.out[-2]) == ("a", "z")
        assert "characters left out" in shown.err


class TestImportAdvice:
    """A process that cannot import the package."""

    def test_missing(self) -> None:
        """The advice says where, and what to install."""
        exc = ModuleNotFoundError("No module named 'wove_http_dev'", name="wove_http_dev")
        assert import_advice(exc, "the Dask worker") == (
            "the Dask worker cannot import wove_http_dev as it is here (No module named"
            " 'wove_http_dev'): install the same version there, with pip install wove-http-dev"
        )

    def test_other_version(self) -> None:
        """Of a version without the module it says the same."""
        exc = ModuleNotFoundError(name=remote_body.__name__)
        assert import_advice(exc, "it") is not None

    @pytest.mark.parametrize("exc", [ModuleNotFoundError(name="numpy"), ValueError("no")])
    def test_other_error(self, exc: Exception) -> None:
        """Another error gets no such advice."""
        assert import_advice(exc, "it") is None


def test_of_a_body(journal: Journal) -> None:
    """What travels is taken from the body; texts are wanted if the run is displayed."""
    display = RunDisplay(make_run(), journal)
    assert RemoteBody.of(Body(b"c", b"a", tracebacks=False, display=display)) == RemoteBody(
        b"c", b"a", tracebacks=False, texts=True
    )
