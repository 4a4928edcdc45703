"""Which cases are known to fail: a user's list, or the one that is shipped for a Wove version.

It reads lists; it runs nothing. The shipped ones are ``known_failing/wove-<major>.<minor>.txt``.
"""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from wove_http_dev.conformance.case import Case
from wove_http_dev.errors import UsageError

SHIPPED = "builtin"
"""What ``--known-failing`` takes in the place of a file's name, for Wove's own executors."""
_CONDITION = re.compile(r"python_version\s*(>=|<)\s*[\"']?(\d+)\.(\d+)[\"']?")


def read_list(
    text: str, name: str, cases: Sequence[Case], python: tuple[int, int] | None = None
) -> list[str]:
    """The globs in ``text`` that hold for ``python`` (this one): one on a line, ``#`` comments,
    and after ``;`` a condition such as ``python_version >= "3.11"``.

    Raises :class:`UsageError` for a glob that matches no case and for another condition.
    """
    version = python or (sys.version_info.major, sys.version_info.minor)
    globs = []
    for line in text.splitlines():
        glob, semicolon, condition = (
            part.strip() for part in line.partition("#")[0].partition(";")
        )
        if not glob:
            continue
        if not any(case.matches(glob) for case in cases):
            raise UsageError(f"--known-failing {name}: {glob!r} matches no case; --list shows them")
        if not semicolon or _holds(condition, version, name):
            globs.append(glob)
    return globs


def _holds(condition: str, version: tuple[int, int], name: str) -> bool:
    match = _CONDITION.fullmatch(condition)
    if match is None:
        raise UsageError(
            f"--known-failing {name}: {condition!r} is no condition of the form"
            ' python_version >= "3.11" or python_version < "3.11"'
        )
    bound = (int(match[2]), int(match[3]))
    return version >= bound if match[1] == ">=" else version < bound


def shipped_list(cases: Sequence[Case]) -> list[str]:
    """The cases that the executors of the installed Wove are known to fail.

    Raises :class:`UsageError` if no list is shipped for its version.
    """
    version = ".".join(importlib.metadata.version("wove").split(".")[:2])
    folder = importlib.resources.files(__package__).joinpath("known_failing")
    file = folder.joinpath(f"wove-{version}.txt")
    if not file.is_file():
        there = ", ".join(sorted(each.name[:-4] for each in folder.iterdir()))
        raise UsageError(f"no list is shipped for wove {version} (there is {there}); write a file")
    return read_list(file.read_text(encoding="utf-8"), SHIPPED, cases)


def listed(name: str | None, cases: Sequence[Case]) -> list[str]:
    """The globs that ``--known-failing name`` means. Raises :class:`UsageError`."""
    if name is None:
        return []
    if name == SHIPPED:
        return shipped_list(cases)
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        why = getattr(exc, "strerror", None) or str(exc)
        raise UsageError(f"--known-failing {name}: {why}") from exc
    return read_list(text, name, cases)
