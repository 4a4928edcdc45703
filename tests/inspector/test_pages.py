"""The files of the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from wove_http_dev.inspector.pages import page_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text("<p>")
    (tmp_path / "page.css").write_text("p {}")
    (tmp_path / "secret.py").write_text("no")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a.js").write_text("1")
    return tmp_path


def test_paths(folder: Path) -> None:
    """The files are known by their paths; what has another ending is not served."""
    assert sorted(page_files(folder)) == ["/", "/page.css", "/parts/a.js"]


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/parts/a.js", "text/javascript; charset=utf-8"),
    ],
)
def test_content_type(folder: Path, path: str, content_type: str) -> None:
    """Each kind of file has its content type."""
    assert page_files(folder)[path].content_type == content_type


def test_no_folder(tmp_path: Path) -> None:
    """Without a page there are no files."""
    assert page_files(tmp_path / "none") == {}
