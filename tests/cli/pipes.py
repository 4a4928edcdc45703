"""A pipe that stands for stdout and stderr."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from wove_http_dev.cli.output import LineStream, lines_by_thread


@dataclass
class Pipe:
    """A pipe, to be ``sys.stdout`` and ``sys.stderr``, and the end that reads it."""

    reader: int
    stdout: io.TextIOWrapper

    @contextmanager
    def as_output(self) -> Iterator[None]:
        """Print into the pipe, by a thread, until the block ends."""
        before = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = self.stdout
        try:
            with lines_by_thread():
                yield
        finally:
            sys.stdout, sys.stderr = before

    def lines(self) -> list[str]:
        """What was written."""
        self.stdout.close()
        return read_to_the_end(self.reader).decode().splitlines()


def read_to_the_end(descriptor: int) -> bytes:
    """Everything that is written to a pipe."""
    with open(descriptor, "rb", closefd=False) as file:
        return file.read()


def output_of_the_log() -> LineStream:
    """The stream that stands in place of ``sys.stdout``."""
    assert isinstance(sys.stdout, LineStream)
    return sys.stdout
