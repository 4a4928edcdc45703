"""The project's own test configuration."""

from __future__ import annotations

pytest_plugins = ["pytester"]
