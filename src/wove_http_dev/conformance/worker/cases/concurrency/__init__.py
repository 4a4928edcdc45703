"""Cases about tasks that run at the same time."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

concurrency = Family("concurrency")
