"""``Headers``: the headers of a request, as they were sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import overload

from wove_http_dev.secret import Secret, is_private


class Headers:
    """Header fields in the order in which they were sent; a name may be repeated. They are looked
    up without regard to upper and lower case (RFC 9110, 5.1), and are not changed."""

    __slots__ = ("_fields", "_values")

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields = tuple(fields)
        self._values: dict[str, list[str]] = {}
        for name, value in self._fields:
            lower = name.lower()
            if lower in self._values:
                self._values[lower].append(value)
            else:
                self._values[lower] = [value]

    @overload
    def get(self, name: str, default: str) -> str: ...

    @overload
    def get(self, name: str, default: None = None) -> str | None: ...

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of the header ``name``; ``default`` if there is none."""
        values = self._values.get(name.lower())
        return values[0] if values else default

    def getlist(self, name: str) -> list[str]:
        """Return all values of the header ``name``, in order."""
        return list(self._values.get(name.lower(), ()))

    def items(self) -> Iterator[tuple[str, str]]:
        """Return an iterator over the names and values, in order."""
        return iter(self._fields)

    def without(self, *names: str) -> Headers:
        """Return a copy without the headers called ``names``."""
        dropped = {name.lower() for name in names}
        return Headers(field for field in self._fields if field[0].lower() not in dropped)

    def __getitem__(self, name: str) -> str:
        """Return the first value of the header ``name``. Raises ``KeyError`` if there is none."""
        return self._values[name.lower()][0]

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._values

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._fields == other._fields

    def __hash__(self) -> int:
        return hash(self._fields)

    def __repr__(self) -> str:
        shown = [(name, Secret(value) if is_private(name) else value) for name, value in self]
        return f"Headers({shown!r})"
