"""The files of the page, as they lie in ``inspector/page``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "page"
START = "index.html"
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
"""The content type of each kind of file; others are not served."""


@dataclass(frozen=True)
class PageFile:
    """A file of the page."""

    content: bytes
    content_type: str


def page_files(folder: Path = FOLDER) -> dict[str, PageFile]:
    """Return the files of ``folder`` by the path of their URL, ``/`` for :data:`START`.

    They are read once, and looked up by their whole path, so that no path leads elsewhere.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        content_type = CONTENT_TYPES.get(path.suffix)
        if content_type is not None and path.is_file():
            name = path.relative_to(folder).as_posix()
            found[f"/{'' if name == START else name}"] = PageFile(path.read_bytes(), content_type)
    return found
