"""The base of the streams in place of standard output."""

from __future__ import annotations

import gc
import io
from typing import Any

import pytest

from wove_http_dev.runs.replaced_stream import ReplacedStream, _Bytes


class Collecting(ReplacedStream):
    """Keeps what is written."""

    def __init__(self, original: io.TextIOWrapper | None) -> None:
        super().__init__(original)
        self.written: list[bytes] = []

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "latin-1"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "backslashreplace"

    def write_bytes(self, data: bytes) -> None:
        self.written.append(data)


@pytest.fixture
def stream() -> Collecting:
    """A stream in place of a text file in memory."""
    return Collecting(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))


def test_text(stream: Collecting) -> None:
    """Text is encoded as the stream says."""
    print("\xfc€", end="", file=stream)
    assert b"".join(stream.written) == b"\xfc\\u20ac"


def test_bytes(stream: Collecting) -> None:
    """Bytes come as they are."""
    stream.buffer.write(memoryview(b"\xff\n"))
    assert stream.written == [b"\xff\n"]


def test_no_text(stream: Collecting) -> None:
    """Bytes where text is due are the error of an ordinary stream."""
    with pytest.raises(TypeError, match=r"^write\(\) argument must be str, not bytes$"):
        stream.write(b"a")  # type: ignore[arg-type]


def test_attribute_of_the_original(stream: Collecting) -> None:
    """What a program asks standard output for is that of the original."""
    assert stream.newlines is stream._original.newlines  # type: ignore[union-attr]


def test_no_original() -> None:
    """Without an original there is no descriptor, as of an ordinary stream without one."""
    with pytest.raises(io.UnsupportedOperation):
        Collecting(None).fileno()


def test_original_stays_open() -> None:
    """The end of the stream is not that of the original."""
    original = io.TextIOWrapper(io.BytesIO())
    Collecting(original).__del__()
    assert not original.closed


@pytest.mark.parametrize("kind", [ReplacedStream, _Bytes])
def test_stream_that_is_collected(monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    """A stream is not flushed when it is collected, which may be after ``__init__`` was
    interrupted, and during any call."""
    flushed: list[object] = []
    monkeypatch.setattr(kind, "flush", lambda self: flushed.append(None))
    kind.__new__(kind)
    gc.collect()
    assert flushed == []
