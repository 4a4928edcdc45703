"""Parts of a page of GitHub's Markdown, which fits a job summary (1 MiB). Text from outside stays
text, whatever is in it."""

from __future__ import annotations

import html
import re
import string
from collections.abc import Iterable

from wove_http_dev.printable import shortened

LIMIT = 900_000
"""Bytes of the page, of the 1,048,576 that GitHub shows of a job summary."""
LONGEST = 1_000
"""Characters that are shown of a text in a paragraph or a table."""
_PUNCTUATION = re.compile(f"[{re.escape(string.punctuation)}]")
_SPECIAL = re.compile(r"[\\`*{}\[\]<>&|~$!]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")
"""What has a meaning within a line; an underscore has none within a word."""
_LINKING = re.compile(r"((?<!&)[@#])(?=\w)")
_LEFT_OUT = "\nThe rest is left out, because the page would be too long; the HTML report has all.\n"


def joined(sections: Iterable[str]) -> str:
    """Return the page of these sections, up to the first with which it would be too long."""
    page, size = [], 0
    for section in sections:
        size += len(section.encode("utf-8")) + 1
        if size > LIMIT:
            page.append(_LEFT_OUT)
            break
        page.append(section)
    return "\n".join(page)


def unfold(name: str, more: str, content: str) -> str:
    """Return ``content`` below a line that unfolds it."""
    # These two lines are HTML; after the empty line it is Markdown again.
    code = f"<code>{html.escape(shortened(name, LONGEST))}</code>"
    return f"<details>\n<summary>{code}{more}</summary>\n\n{content}\n\n</details>\n"


def block(content: str, limit: int) -> str:
    """Return ``content`` as a code block, which no line of it ends, shortened to ``limit``
    characters."""
    shown = shortened(content, limit, keep="\n")
    ticks = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", shown))])
    return f"{ticks}text\n{shown}\n{ticks}"


def table_head(*names: str) -> Iterable[str]:
    """Return the two lines that begin a table with these columns."""
    return table_row(*names), table_row(*["---"] * len(names))


def table_row(*cells: str) -> str:
    """Return a row of a table; the cells are Markdown."""
    return f"| {' | '.join(cells)} |"


def code(content: str) -> str:
    """Return text from outside in the font of code, where GitHub makes no link of a name."""
    shown = shortened(content, LONGEST)
    if shown.strip() and not set(shown) & {"|", "`"}:
        return f"`{shown}`"
    # A character reference never has a meaning in Markdown (CommonMark, 2.5), not even a table's.
    return f"<code>{_PUNCTUATION.sub(_reference, shown)}</code>"


def text(content: str) -> str:
    """Return text from outside as text of a paragraph or a table."""
    shown = _SPECIAL.sub(_reference, shortened(content, LONGEST))
    # GitHub makes links of @user, who is notified, and #1, after it has read the Markdown.
    return _LINKING.sub(r"\1<!-- -->", shown)


def _reference(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"
