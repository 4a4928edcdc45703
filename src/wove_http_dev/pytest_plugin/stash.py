"""What the hooks and the fixtures of the plugin keep on a test item for each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from wove_http_dev.client_side import ClientSide

WORKERS: pytest.StashKey[list[ClientSide]] = pytest.StashKey()
"""The workers of the test that are running."""
PASSED: pytest.StashKey[bool] = pytest.StashKey()
"""Whether the test's body passed."""
