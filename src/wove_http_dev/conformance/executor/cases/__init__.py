"""The cases for an executor: one folder for each family, with its remedies."""

from __future__ import annotations

EXAMPLE = "tests/conformance/executor/conforming_executor.py"
"""The file of the executor of which remedies name methods."""
