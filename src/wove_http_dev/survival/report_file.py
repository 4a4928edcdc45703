"""Writes the survival matrix to a file, in the form that its suffix says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from wove_http_dev.reports import file
from wove_http_dev.survival.html import html
from wove_http_dev.survival.markdown import markdown
from wove_http_dev.survival.matrix import Matrix


def _json(matrix: Matrix) -> str:
    return json.dumps(matrix.as_json(), indent=1) + "\n"


FORMS: dict[str, Callable[[Matrix], str]] = {".md": markdown, ".html": html, ".json": _json}
"""What makes the text of a report, by the suffix of its file."""


def report_path(text: str, flag: str) -> Path:
    """Return the absolute path of a report that can be written at the end of the session.

    Raises :class:`UsageError`, which names ``flag``, for a suffix without a form, and for a place
    where no file can be written.
    """
    return file.report_path(text, flag, FORMS)


def write_report(matrix: Matrix, path: Path) -> None:
    """Write ``matrix`` to ``path``, whole or not at all. Raises :class:`UsageError` if that is not
    possible."""
    file.write_text(path, FORMS[path.suffix](matrix))
