"""Output of ``serve`` and ``exec``: whole lines of each thread, and files that are kept apart."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cli.pipes import Pipe, output_of_the_log, read_to_the_end
from tests.forked import status_in_a_fork
from tests.support import TIMEOUT
from wove_http_dev.cli.output import LineStream, kept_apart, lines_by_thread
from wove_http_dev.runs.capture import Capture, capturing_context


def in_thread(*texts: str) -> None:
    """Print each of ``texts``, with no line break after it, in a thread of its own."""

    def write() -> None:
        for text in texts:
            print(text, end="")

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()


def test_in_order(pipe: Pipe) -> None:
    """What is written to stdout and stderr, if they are one file, comes in this order."""
    with pipe.as_output():
        print("one")
        print("two", file=sys.stderr)
        print("three")
    assert pipe.lines() == ["one", "two", "three"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")
def test_forked_child(pipe: Pipe) -> None:
    """A forked child does not write the parts of lines that its parent has still to write."""
    begun, go_on = threading.Event(), threading.Event()

    def in_parts() -> None:
        print("of the ", end="")
        begun.set()
        go_on.wait(TIMEOUT)
        print("parent")

    def write() -> bool:
        print("child")
        return True

    with pipe.as_output():
        thread = threading.Thread(target=in_parts)
        thread.start()
        assert begun.wait(TIMEOUT)
        status = status_in_a_fork(write)
        go_on.set()
        thread.join()
    assert (status, sorted(pipe.lines())) == (0, ["child", "of the parent"])


def test_restored() -> None:
    """The streams are the original ones afterwards."""
    before = sys.stdout, sys.stderr
    with lines_by_thread():
        pass
    assert (sys.stdout, sys.stderr) == before


def test_kept_if_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that other code has set meanwhile stays."""
    other = io.StringIO()
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    with lines_by_thread():
        sys.stdout = other
    assert sys.stdout is other


def test_concurrent_lines(pipe: Pipe, pool: ThreadPoolExecutor) -> None:
    """Lines that threads print at the same time, in parts, stay whole."""
    begin = threading.Barrier(8)

    def write(number: int) -> None:
        begin.wait()
        for _ in range(50):
            print("line", "of", number)

    with pipe.as_output():
        list(pool.map(write, range(8)))
    assert sorted(pipe.lines()) == sorted(
        f"line of {number}" for number in range(8) for _ in range(50)
    )


def test_unfinished_line(pipe: Pipe) -> None:
    """A line begins after the part of one that another thread has flushed."""
    with pipe.as_output():
        print("working ...", end="", flush=True)
        in_thread("another line\n")
        print(" done")
    assert pipe.lines() == ["working ...", "another line", " done"]


def test_one_line_in_parts(pipe: Pipe) -> None:
    """A line that its thread flushes in parts stays one line, if nobody writes meanwhile."""
    with pipe.as_output():
        print("working ...", end="", flush=True)
        print(" done")
    assert pipe.lines() == ["working ... done"]


def test_whole_line(pipe: Pipe) -> None:
    """A line of the log stays apart from what its thread has begun to print."""
    with pipe.as_output():
        print("working ...", end="")
        output_of_the_log().write_line("a line of the log")
        print(" done")
    assert pipe.lines() == ["working ...", "a line of the log", " done"]


@pytest.mark.parametrize("encoding", ["ascii", "utf-16"])
def test_log_after_a_change_of_the_encoding(pipe: Pipe, encoding: str) -> None:
    """A task that gives stdout another encoding does not change how the log is written."""
    with pipe.as_output():
        log = output_of_the_log()
        log.reconfigure(encoding=encoding, errors="strict")
        log.write_line("ü\ud800")
    assert pipe.lines() == ["ü\\ud800"]


def test_log_after_the_end_of_stdout(pipe: Pipe) -> None:
    """A task that closes stdout, as an object or as a descriptor, does not end the log."""
    with pipe.as_output():
        log = output_of_the_log()
        log.close()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, log.fileno())
        os.close(null)
        log.write_line("a line of the log")
    assert pipe.lines() == ["a line of the log"]


def test_new_stdout() -> None:
    """The block has the new stdout."""
    with lines_by_thread() as stream:
        assert stream is sys.stdout


def test_end_of_a_thread(pipe: Pipe) -> None:
    """What a thread wrote without a line break is written although it has ended."""
    with pipe.as_output():
        in_thread("no line", " break")
        print("next")
    assert pipe.lines() == ["no line break", "next"]


def test_end_without_a_line_break(pipe: Pipe) -> None:
    """What has no line break is written at the end of the block."""
    with pipe.as_output():
        print("no line break", end="")
    assert pipe.lines() == ["no line break"]


def test_bytes(pipe: Pipe) -> None:
    """Bytes written to ``buffer`` are in order with the text."""
    with pipe.as_output():
        print("text", end=" ")
        sys.stdout.buffer.write("and bytes ü\n".encode())
    assert pipe.lines() == ["text and bytes ü"]


def test_lone_surrogate(pipe: Pipe) -> None:
    """Text that the encoding cannot write is escaped, as by the original stream."""
    with pipe.as_output():
        print("\ud800")
    assert pipe.lines() == ["\\ud800"]


def test_file_of_the_original(pipe: Pipe) -> None:
    """A process that is started with ``sys.stdout`` gets its descriptor."""
    with pipe.as_output():
        assert sys.stdout.fileno() == pipe.stdout.fileno()


def of_a_run(text: str) -> None:
    """Print ``text`` as the body of a task does, until it has ended."""
    capture = Capture(lambda text: text)
    capturing_context(capture).run(print, text, end="")
    capture.end()


def test_runs_of_one_thread(pipe: Pipe) -> None:
    """What two runs have printed is not on one line, although one thread has run both."""
    with pipe.as_output():
        of_a_run("one")
        of_a_run("two")
    assert pipe.lines() == ["one", "two"]


def test_run_that_was_not_ended(pipe: Pipe) -> None:
    """The part of a line that an earlier run of the thread has left is not the beginning of
    another run's line."""
    with pipe.as_output():
        capturing_context(Capture(lambda text: text)).run(print, "one", end="")
        of_a_run("two\n")
    assert pipe.lines() == ["one", "two"]


def test_end_of_a_body(pipe: Pipe) -> None:
    """What the body of a task has printed without a line break is before the line that says that
    it has ended, whichever thread writes that."""
    with pipe.as_output():
        of_a_run("no line break")
        thread = threading.Thread(target=output_of_the_log().write_line, args=("ended",))
        thread.start()
        thread.join()
    assert pipe.lines() == ["no line break", "ended"]


def test_part_of_a_thread_that_has_ended(pipe: Pipe) -> None:
    """What a thread of a task has printed without a line break is there with the next line of the
    log."""
    with pipe.as_output():
        in_thread("no line break")
        output_of_the_log().write_line("a line of the log")
    assert pipe.lines() == ["no line break", "a line of the log"]


def test_descriptor_of_another_stream(pipe: Pipe) -> None:
    """What a process writes to the descriptor is in the other file; what is written to the stream
    stays where it was."""
    other_reader, other_writer = os.pipe()
    with open(other_writer, "w", encoding="utf-8") as stderr, pipe.as_output():
        out = output_of_the_log()
        with kept_apart(out, LineStream(stderr, out._writer)):
            os.write(out.fileno(), b"raw")
            out.write_line("a line of the log")
    assert (pipe.lines(), read_to_the_end(other_reader)) == (["a line of the log"], b"raw")
    os.close(other_reader)


def test_descriptor_is_restored(pipe: Pipe) -> None:
    """Afterwards the descriptor is that of the stream."""
    with pipe.as_output():
        out = output_of_the_log()
        with kept_apart(out, LineStream(sys.__stderr__ or sys.stderr, out._writer)):
            pass
        os.write(out.fileno(), b"raw\n")
    assert pipe.lines() == ["raw"]


def test_descriptor_of_no_file() -> None:
    """A stream without a descriptor is kept apart by itself."""
    with lines_by_thread() as out:
        stream = LineStream(io.StringIO(), out._writer)
        with kept_apart(stream, stream):
            pass


def test_buffer_has_the_descriptor(pipe: Pipe) -> None:
    """A task can start a process with ``stdout=sys.stdout.buffer``."""
    with pipe.as_output():
        assert sys.stdout.buffer.fileno() == pipe.stdout.fileno()


def test_mode_is_that_of_the_stream(pipe: Pipe) -> None:
    """Other attributes that programs ask for are those of the original stream."""
    with pipe.as_output():
        assert sys.stdout.mode == pipe.stdout.mode


def test_logging_is_restored() -> None:
    """Log records are handled by the original method afterwards."""
    before = logging.Logger.callHandlers
    with lines_by_thread():
        assert logging.Logger.callHandlers is not before
    assert logging.Logger.callHandlers is before
