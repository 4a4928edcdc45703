from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.inspector.browser import screenshots

LARGEST = 100_000
"""Bytes of a picture."""


def test_the_pictures_of_the_readme_are_taken(browser: Any, tmp_path: Path) -> None:
    names = []
    for path in screenshots.take(browser, tmp_path):
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size < LARGEST
        names.append(path.name)
    kept = [path.name for path in screenshots.FOLDER.glob("*.png")]
    assert sorted(names) == sorted(kept)
