"""A page that loads nothing, and runs its own script only."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from wove_http_dev.reports.html import block, page, text


@pytest.mark.parametrize("tag", ["style", "script"])
def test_the_policy_allows_only_what_is_in_the_page(tag: str) -> None:
    """The policy has the hash of the style and of the script."""
    made = page("t", [], style="p { margin: 0; }", script="run()")
    (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", made, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    assert f"{tag}-src 'sha256-{digest}'" in made


def test_a_page_without_a_script_allows_none() -> None:
    assert "script" not in page("t", ["<p>text</p>"], style="")


def test_text_from_outside() -> None:
    """Text is escaped, on one line."""
    assert text("<b>\n") == "&lt;b&gt;\\n"


def test_a_block_keeps_its_lines() -> None:
    assert block("<b>\nc", 100) == "<pre>&lt;b&gt;\nc</pre>"
