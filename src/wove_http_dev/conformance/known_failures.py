"""Reads a list of cases that are known to fail, always or sometimes: a file that the user names, or
a list that comes with this package for one version of Wove.

The lists in this package, ``known_failing/wove-<major>.<minor>.txt``, are for Wove's own executors.
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
from wove_http_dev.spelling import did_you_mean, nearest

SHIPPED = "builtin"
"""The value of ``check executor --known-failing`` that selects the list in this package."""
FLAG = "--known-failing"
"""The option that names a list of cases that fail."""
_CONDITION = re.compile(r"python_version\s*(>=|<)\s*[\"']?(\d+)\.(\d+)[\"']?")


def no_match(glob: str, cases: Sequence[Case]) -> str:
    """Return what to say of a ``glob`` that matches none of ``cases``: the id, name or family that
    was probably meant."""
    words = (word for case in cases for word in (case.id, case.name, case.title, case.family))
    return f"{glob!r} matches no case; {did_you_mean(glob, words, '--list shows them')}"


def parse_list(
    text: str,
    name: str,
    cases: Sequence[Case],
    python: tuple[int, int] | None = None,
    *,
    flag: str = FLAG,
) -> list[str]:
    """Return the globs in ``text`` that apply to the Python version ``python`` (default: the one
    that runs).

    Each line holds a glob, optionally ``;`` and a condition such as ``python_version >= "3.11"``,
    and optionally a ``#`` comment. Raises :class:`UsageError` if a glob matches none of ``cases``
    or a condition has another form; the message calls the list ``name``, given with ``flag``.
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
            raise UsageError(f"{flag} {name}: {no_match(glob, cases)}")
        if not semicolon or _holds(condition, version, f"{flag} {name}"):
            globs.append(glob)
    return globs


def _holds(condition: str, version: tuple[int, int], name: str) -> bool:
    match = _CONDITION.fullmatch(condition)
    if match is None:
        raise UsageError(
            f"{name}: {condition!r} is not a condition of the form"
            ' python_version >= "3.11" or python_version < "3.11"'
        )
    bound = (int(match[2]), int(match[3]))
    return version >= bound if match[1] == ">=" else version < bound


def shipped_list(cases: Sequence[Case]) -> list[str]:
    """Return globs for the cases that Wove's own executors are known to fail in the installed
    version of Wove.

    Raises :class:`UsageError` if this package has no list for that version.
    """
    version = ".".join(importlib.metadata.version("wove").split(".")[:2])
    folder = importlib.resources.files(__package__).joinpath("known_failing")
    file = folder.joinpath(f"wove-{version}.txt")
    if not file.is_file():
        shipped = ", ".join(sorted(list_.name[:-4] for list_ in folder.iterdir()))
        raise UsageError(
            f"no list is shipped for wove {version} (only {shipped}); give the name of a file"
        )
    return parse_list(file.read_text(encoding="utf-8"), SHIPPED, cases)


def read_known_flaky(name: str | None, cases: Sequence[Case]) -> list[str]:
    """Return the globs in the file ``name``, which ``--known-flaky`` named; an empty list if
    ``name`` is ``None``. Raises :class:`UsageError` for a bad file."""
    return read_known_failing(name, cases, flag="--known-flaky")


def read_known_failing(
    name: str | None, cases: Sequence[Case], *, shipped: bool = False, flag: str = FLAG
) -> list[str]:
    """Return the globs in the file ``name``; an empty list if ``name`` is ``None``. Raises
    :class:`UsageError` for a bad file; the message says that ``flag`` named it. If ``shipped`` is
    true and ``name`` resembles :data:`SHIPPED`, the message suggests that."""
    if name is None:
        return []
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        advice = ""
        if shipped and nearest(name, [SHIPPED]):
            advice = f"; did you mean {SHIPPED!r}?"
        elif name == SHIPPED:
            advice = f"; {SHIPPED} is for check executor, give a file of your own"
        raise UsageError(f"{flag} {name}: {reason}{advice}") from exc
    return parse_list(text, name, cases, flag=flag)
