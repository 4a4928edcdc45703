"""A page as one HTML file, which loads nothing. Its policy allows this style and this script only,
whatever the text from outside in it is."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from pathlib import Path

from wove_http_dev.printable import shortened

LONGEST = 1_000
"""Characters that are shown of a text in a paragraph or a table."""
_STYLE = Path(__file__).parent / "page.css"


def page(title: str, body: Iterable[str], *, style: str, script: str = "") -> str:
    """Return the page. ``body`` is HTML; ``style`` is added to the style that all pages have."""
    style = _STYLE.read_text(encoding="utf-8") + style
    policy = f"default-src 'none'; style-src {_hash(style)}; "
    policy += f"script-src {_hash(script)}; " if script else ""
    return "\n".join(
        [
            f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{text(title)}</title>
<style>{style}</style>
</head>
<body>""",
            *body,
            *([f"<script>{script}</script>"] if script else []),
            "</body>\n</html>\n",
        ]
    )


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def text(content: str) -> str:
    """Return text from outside as text of the page."""
    return escape(shortened(content, LONGEST))


def block(content: str, limit: int) -> str:
    """Return text from outside with its line breaks, shortened to ``limit`` characters."""
    return f"<pre>{escape(shortened(content, limit, keep=chr(10)))}</pre>"
