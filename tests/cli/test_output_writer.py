"""The thread that writes output: what it writes together, and a reader that reads nothing."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cli.pipes import Pipe, output_of_the_log, read_to_the_end
from tests.forked import status_in_a_fork
from wove_http_dev.cli import output_writer


def test_lines_are_written_together(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first line is written at once; those that follow it within the pause, or until the end,
    in one write."""
    monkeypatch.setattr(output_writer, "PAUSE", 600.0)
    with pipe.as_output():
        print("first")
        first = os.read(pipe.reader, 1000)
        for number in range(100):
            print(number)
    rest = os.read(pipe.reader, 1000)
    assert (first, rest.count(b"\n")) == (b"first\n", 100)


def test_clock_that_is_set_back(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are written also after a task has set the clock back, as freezegun does."""
    times = iter([1e9])
    monkeypatch.setattr("wove_http_dev.cli.output_writer.time.monotonic", lambda: next(times, 0.0))
    with pipe.as_output():
        for line in ("first\n", "second\n"):
            print(line, end="")
            assert os.read(pipe.reader, 1000) == line.encode()


def test_reader_that_stops(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody who prints waits for a reader that reads nothing."""
    monkeypatch.setattr(output_writer, "PATIENCE", 0.01)
    with pipe.as_output():
        for _ in range(300):
            print("x" * 10_000)


def test_dropped_lines_are_counted(pipe: Pipe, pool: ThreadPoolExecutor) -> None:
    """Once the output is read again, a line says how many were dropped."""
    with pipe.as_output():
        for _ in range(300):
            print("x" * 10_000)
        reading = pool.submit(read_to_the_end, pipe.reader)
    pipe.stdout.close()
    lines = reading.result().decode().splitlines()
    kept = [line for line in lines if line == "x" * 10_000]
    dropped = sum(int(text) for text in re.findall(r"(\d+) lines were dropped", "\n".join(lines)))
    assert (len(kept) + dropped, dropped > 0) == (300, True)


def test_log_is_not_dropped_for_a_task(pipe: Pipe, pool: ThreadPoolExecutor) -> None:
    """However much a task prints, the log's lines wait for the reader."""
    with pipe.as_output():
        for _ in range(300):
            print("x" * 10_000)
        output_of_the_log().write_line("a line of the log")
        reading = pool.submit(read_to_the_end, pipe.reader)
    pipe.stdout.close()
    assert b"\na line of the log\n" in reading.result()


def test_long_line_after_a_short_one(pipe: Pipe, pool: ThreadPoolExecutor) -> None:
    """A line that is longer than all that may wait is not dropped because another one waits."""
    with pipe.as_output():
        print("x" * 200_000)  # more than the pipe takes
        print("y" * 2_000_000)
        reading = pool.submit(read_to_the_end, pipe.reader)
    pipe.stdout.close()
    assert reading.result() == b"%b\n%b\n" % (b"x" * 200_000, b"y" * 2_000_000)


def test_log_is_limited(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log's lines that wait for a reader are limited, too, and counted."""
    monkeypatch.setattr(output_writer, "LIMIT", 1000)
    monkeypatch.setattr(output_writer, "PATIENCE", 0.01)
    with pipe.as_output():
        log = output_of_the_log()
        reported: list[int] = []

        def note(count: int) -> str:
            reported.append(count)
            return ""

        log.describe_dropped(note)
        for _ in range(300):
            log.write_line("x" * 10_000)
        assert sum(reported) + log._writer._dropped > 200


def test_dropped_lines_are_described(pipe: Pipe, pool: ThreadPoolExecutor) -> None:
    """A log of JSON says in JSON that lines were dropped."""
    with pipe.as_output():
        output_of_the_log().describe_dropped(lambda count: '{"dropped": true}')
        for _ in range(300):
            print("x" * 10_000)
        reading = pool.submit(read_to_the_end, pipe.reader)
    pipe.stdout.close()
    assert b'\n{"dropped": true}\n' in reading.result()


@pytest.mark.parametrize(("count", "words"), [(1, "1 line was"), (2, "2 lines were")])
def test_count_of_dropped_lines(count: int, words: str) -> None:
    """One line is no lines."""
    assert words in output_writer.dropped_text(count)


def test_reader_that_ended(pipe: Pipe) -> None:
    """A reader that has ended is no error."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, pipe.reader)
    os.close(null)
    with pipe.as_output():
        print("one")


@pytest.mark.parametrize(
    "begin", ["\x0e", "\x1bX", "\x90", "\x98", "\x9b", "\x9d", "\x9e", "\x9f"], ids=ascii
)
def test_control_of_the_terminal(monkeypatch: pytest.MonkeyPatch, begin: str) -> None:
    """What a task begins, such as a control string, ends before the next line of the log."""
    monkeypatch.setenv("TERM", "xterm")
    controller, terminal = os.openpty()
    try:
        with open(terminal, "w", encoding="utf-8") as stream:
            writer = output_writer.OutputWriter(stream)
            writer.start()
            writer.put((object(),), f"{begin}task\n".encode())
            writer.put("log", b"log\n")
            writer.close()
            shown = b""
            while b"log" not in shown:  # the kernel may hand over what was written in parts
                shown += os.read(controller, 1000)
    finally:
        os.close(controller)
    assert b"task\r\n\x1b\\" in shown


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")
def test_forked_child(pipe: Pipe) -> None:
    """What a forked child prints is written by itself, because it does not have the thread."""

    def write() -> bool:
        print("child")
        return True

    with pipe.as_output():
        print("parent")
        assert status_in_a_fork(write) == 0
    assert sorted(pipe.lines()) == ["child", "parent"]
