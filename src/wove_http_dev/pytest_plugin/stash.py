"""The keys under which the plugin's hooks and fixtures share data on a test item."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from wove_http_dev.client_side import ClientSide

WORKERS: pytest.StashKey[list[ClientSide]] = pytest.StashKey()
"""The running workers of the test."""
PASSED: pytest.StashKey[bool] = pytest.StashKey()
"""Whether the test's body passed."""
