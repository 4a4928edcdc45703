"""``ReplacedStream``: the base of text streams that take the place of ``sys.stdout`` and
``sys.stderr``, so that what the bodies of tasks write to them is kept with their runs."""

from __future__ import annotations

import io
from typing import Any, TextIO


class ReplacedStream(io.TextIOBase):
    """A text stream in place of ``original``. What is written, as text or to ``buffer``, goes to
    :meth:`write_bytes`. ``original`` is ``None`` in a process without standard output."""

    def __init__(self, original: TextIO | None) -> None:
        self._original = original
        self.buffer = _Bytes(self)

    def __del__(self) -> None:
        """Close nothing, as the base class would."""

    def __getattr__(self, name: str) -> Any:
        # ``name``, ``mode`` and others that programs ask standard output for.
        return getattr(self.__dict__["_original"], name)

    def fileno(self) -> int:
        """The descriptor, for a process to be started."""
        if self._original is None:
            raise io.UnsupportedOperation("fileno")
        return self._original.fileno()

    def writable(self) -> bool:
        """Return true."""
        return True

    def write(self, text: str) -> int:
        """Write ``text``, encoded as :attr:`encoding` and :attr:`errors` say."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.write_bytes(text.encode(self.encoding, self.errors or "strict"))
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        """Like :meth:`write`, for encoded text."""
        raise NotImplementedError


class _Bytes(io.BufferedIOBase):
    """The ``buffer`` of a :class:`ReplacedStream`."""

    def __init__(self, stream: ReplacedStream) -> None:
        self._text = stream

    def __del__(self) -> None:
        """As :meth:`ReplacedStream.__del__`."""

    def fileno(self) -> int:
        return self._text.fileno()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        content = bytes(data)
        self._text.write_bytes(content)
        return len(content)

    def flush(self) -> None:
        self._text.flush()
