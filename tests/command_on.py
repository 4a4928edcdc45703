"""The command line on another platform, which is emulated: ``command_on.py macos serve …``.

A script to run in place of ``python -m wove_http_dev``.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent))
importlib.import_module(f"tests.{sys.argv.pop(1)}").emulate(pytest.MonkeyPatch())

from wove_http_dev.cli.main import main  # noqa: E402  # on that platform

sys.exit(main())
