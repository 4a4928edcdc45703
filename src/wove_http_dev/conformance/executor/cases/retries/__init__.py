"""Cases about retries: Wove makes them, so the executor must not."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

family = Family("retries")
