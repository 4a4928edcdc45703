"""Reads a pickle of plain data (texts, numbers, ``None``, and containers of them) without loading
it: no class is looked up and nothing is called, whatever the bytes are.

``pickle.Unpickler`` with a ``find_class`` that refuses everything would not do: a few bytes can
make it allocate gigabytes (a memo index of four bytes, CPython's ``_Unpickler_ResizeMemoList``).
"""

from __future__ import annotations

import pickletools
from typing import Any

BYTE_LIMIT = 2**18
"""Bytes of a pickle that is read; of a larger one nothing is."""
_PLAIN = (
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Any] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")
_GETS = ("GET", "BINGET", "LONG_BINGET")
_SHARED = (str, bytes, int, float)
_MARK = object()


class NotPlainError(ValueError):
    """The bytes are not a pickle of plain data, or too many."""


def read_plain(payload: bytes) -> Any:
    """Return the plain data in ``payload``. Raises :class:`NotPlainError`."""
    if len(payload) > BYTE_LIMIT:
        raise NotPlainError(f"more than {BYTE_LIMIT} bytes")
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(payload):
            if opcode.name == "STOP":
                return machine.result()
            machine.step(opcode.name, argument)
    except NotPlainError:
        raise
    except Exception as exc:  # genops raises many types of errors on hostile bytes; so does a stack
        raise NotPlainError(f"not a pickle: {type(exc).__name__}") from None
    raise NotPlainError("not a pickle: it does not end")


class _Machine:
    """The stack and the memo of a pickle that is read."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def result(self) -> Any:
        (value,) = self._stack
        if value is _MARK:
            raise NotPlainError("not a pickle: it ends with a mark")
        return value

    def step(self, name: str, argument: Any) -> None:
        """Carry out the opcode ``name``."""
        stack = self._stack
        if name in _PLAIN:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name in _PUTS:
            self._memo[argument] = stack[-1]
        elif name in _GETS:
            stack.append(self._shared(argument))
        elif name == "MARK":
            stack.append(_MARK)
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _TUPLES:
            count = _TUPLES[name]
            stack[len(stack) - count :] = [tuple(stack[len(stack) - count :])]
        elif name not in ("PROTO", "FRAME"):
            self._collect(name)

    def _shared(self, index: int) -> Any:
        value = self._memo[index]
        # Containers in one another many times over would be small here and endless as a text.
        if not isinstance(value, _SHARED):
            raise NotPlainError("a container is used twice")
        return value

    def _collect(self, name: str) -> None:
        """Carry out an opcode that puts items into a container. Those of any other opcode, which
        would look up or call something, are no plain data."""
        make = _MAKE.get(name)
        if make is not None:
            self._stack.append(make(self._marked()))
            return
        if name not in _ADD:
            raise NotPlainError(f"it has more than plain data ({name})")
        kind, count = _ADD[name]
        items = self._last(count)
        container = self._stack[-1]
        found: type = type(container)
        if found is not kind:
            raise NotPlainError("not a pickle: items without a container")
        if kind is list:
            container.extend(items)
        else:
            container.update(_dict(items) if kind is dict else items)

    def _last(self, count: int) -> list[Any]:
        """Take the last ``count`` values, or for 0 those after the last mark, from the stack."""
        if not count:
            return self._marked()
        items = self._stack[-count:]
        del self._stack[-count:]
        return items

    def _marked(self) -> list[Any]:
        items: list[Any] = []
        while (item := self._stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]


def _dict(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


_MAKE: dict[str, Any] = {"LIST": list, "TUPLE": tuple, "DICT": _dict, "FROZENSET": frozenset}
_ADD: dict[str, tuple[type, int]] = {
    "APPEND": (list, 1),
    "APPENDS": (list, 0),
    "SETITEM": (dict, 2),
    "SETITEMS": (dict, 0),
    "ADDITEMS": (set, 0),
}
