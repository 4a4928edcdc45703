"""Cases about how failures of tasks are reported and survived."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

errors = Family("errors")
