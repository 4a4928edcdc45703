"""What a body prints in another process."""

from __future__ import annotations

import io
import sys
import threading

import pytest

from tests.run_records import make_run
from wove_http_dev.cli.output import lines_by_thread
from wove_http_dev.runners.remote_output import (
    PIECE,
    BoundedOutput,
    OutputPiece,
    PrintedOutput,
    RemoteCapture,
    show_output,
    show_pieces,
    streams_replaced,
)
from wove_http_dev.runs.capture import KEPT
from wove_http_dev.runs.display import RunDisplay
from wove_http_dev.runs.journal import Journal


class TestBounded:
    """The beginning and the end of what is written."""

    def test_order(self) -> None:
        """The streams' pieces stay in their order, and those of one stream become one."""
        output = BoundedOutput()
        for stream, data in (("stdout", b"a"), ("stdout", b"b"), ("stderr", b"c")):
            output.write(stream, data)
        assert output.printed.first == (OutputPiece("stdout", b"ab"), OutputPiece("stderr", b"c"))

    def test_bounded(self) -> None:
        """Endless output does not need endless memory."""
        output = BoundedOutput()
        for _ in range(100):
            output.write("stdout", b"x" * 65536)
        printed = output.printed
        size = sum(len(each.data) for each in printed.first + printed.last)
        assert size <= 2 * KEPT + PIECE
        assert size + printed.left_out == 100 * 65536

    def test_end(self) -> None:
        """The end is kept."""
        output = BoundedOutput()
        output.write("stdout", b"x" * 10 * KEPT + b"end")
        assert output.printed.last[-1].data.endswith(b"xend")


class TestStreams:
    """The streams of the process while a body runs."""

    @pytest.fixture
    def output(self) -> BoundedOutput:
        return BoundedOutput()

    def test_taken(self, output: BoundedOutput) -> None:
        """What code in the context prints is taken."""
        with streams_replaced(RemoteCapture(output.write), only_body=False) as context:
            context.run(print, "a")
        assert output.printed.first == (OutputPiece("stdout", b"a\n"),)

    def test_bytes(self, output: BoundedOutput) -> None:
        """What is written to the buffer is taken as well."""
        with streams_replaced(RemoteCapture(output.write), only_body=False) as context:
            context.run(lambda: sys.stderr.buffer.write(b"\xffb\n"))
        assert output.printed.first == (OutputPiece("stderr", b"\xffb\n"),)

    def test_part_of_a_line(self, output: BoundedOutput) -> None:
        """A line that did not end is taken when the body has ended."""
        with streams_replaced(RemoteCapture(output.write), only_body=False) as context:
            context.run(print, "a", end="")
        assert output.printed.first == (OutputPiece("stdout", b"a"),)

    def test_others(self, output: BoundedOutput, capsys: pytest.CaptureFixture[str]) -> None:
        """What other code prints goes where it went."""
        with streams_replaced(RemoteCapture(output.write), only_body=False):
            print("other")
        assert capsys.readouterr().out == "other\n"

    def test_alone(self, output: BoundedOutput) -> None:
        """Where no other body runs, what its threads print is taken too."""
        with streams_replaced(RemoteCapture(output.write), only_body=True) as context:
            thread = threading.Thread(target=print, args=["from a thread"])
            context.run(thread.start)
            thread.join()
        assert output.printed.first == (OutputPiece("stdout", b"from a thread\n"),)

    def test_two_bodies(self, output: BoundedOutput) -> None:
        """Of two bodies at the same time, each has what it printed."""
        other = BoundedOutput()
        with (
            streams_replaced(RemoteCapture(output.write), only_body=False) as first,
            streams_replaced(RemoteCapture(other.write), only_body=False) as second,
        ):
            first.run(print, 1)
            second.run(print, 2)
        assert (output.printed.first[0].data, other.printed.first[0].data) == (b"1\n", b"2\n")

    def test_restored(self, output: BoundedOutput) -> None:
        """The streams are restored by the last of the bodies."""
        before = (sys.stdout, sys.stderr)
        with streams_replaced(RemoteCapture(output.write), only_body=False):
            with streams_replaced(RemoteCapture(output.write), only_body=False):
                pass
            assert sys.stdout is not before[0]
        assert (sys.stdout, sys.stderr) == before

    def test_no_stream(self, output: BoundedOutput, monkeypatch: pytest.MonkeyPatch) -> None:
        """A process without a standard output prints nothing, and does not fail."""
        monkeypatch.setattr(sys, "stdout", None)
        with streams_replaced(RemoteCapture(output.write), only_body=False):
            print("nowhere", flush=True)
        assert output.printed == PrintedOutput()

    def test_log_is_taken_once(self, output: BoundedOutput) -> None:
        """A record that a handler writes to stderr is not taken twice."""
        import logging

        def log() -> None:
            logger = logging.Logger("remote")
            logger.addHandler(logging.StreamHandler())
            logger.warning("once")

        with streams_replaced(RemoteCapture(output.write), only_body=False) as context:
            context.run(log)
        assert output.printed.first == (OutputPiece("stderr", b"once\n"),)


class TestShow:
    """What the service's process makes of it."""

    def test_kept_with_the_run(self, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
        """Under ``serve`` the run has it, and the terminal shows it."""
        terminal = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        monkeypatch.setattr(sys, "stdout", terminal)
        run = make_run()
        display = RunDisplay(run, journal)
        with lines_by_thread():
            show_output(display, PrintedOutput((OutputPiece("stdout", "ä\n".encode()),)))
        assert run.output == "ä\n"
        assert terminal.buffer.getvalue() == "ä\n".encode()

    def test_left_out(self, journal: Journal) -> None:
        """The run's text says how many characters were left out."""
        run = make_run()
        first, last = (OutputPiece("log", letter * KEPT) for letter in (b"a", b"z"))
        show_output(RunDisplay(run, journal), PrintedOutput((first,), 1000, (last,)))
        assert "[… 9,192 characters left out …]" in run.output

    def test_encoding(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A character that the stream cannot write is escaped."""
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        monkeypatch.setattr(sys, "stdout", stream)
        show_pieces(None, [OutputPiece("stdout", "ä".encode())])
        stream.flush()
        assert stream.buffer.getvalue() == b"\\xe4"

    def test_closed_stream(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A stream that is closed, or is none, gets nothing."""
        closed = io.StringIO()
        closed.close()
        for stream in (closed, None):
            monkeypatch.setattr(sys, "stdout", stream)
            show_pieces(None, [OutputPiece("stdout", b"a")])
