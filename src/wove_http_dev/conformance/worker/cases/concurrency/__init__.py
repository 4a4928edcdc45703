"""Cases about runs that overlap in time."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

concurrency = Family("concurrency")
