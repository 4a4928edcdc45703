"""Every form of the ``security`` option, the refused ones, and that no text shows a secret."""

from __future__ import annotations

import pytest

from wove_http_dev import HttpWorker, UsageError


def test_secret_with_a_line_break_is_a_usage_error() -> None:
    """A secret with a line break is refused, because a shell would strip the line break."""
    with pytest.raises(UsageError, match="line breaks"):
        HttpWorker(secret="a\nb\n")
