"""Starts the child process of an isolated worker with macOS's rules.

It is a script that ``python -I`` runs in place of ``wove_http_dev/start_child.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))

import pytest

from tests.macos import emulate

emulate(pytest.MonkeyPatch())

from wove_http_dev import start_child  # noqa: E402  # with macOS's rules

start_child.main()
