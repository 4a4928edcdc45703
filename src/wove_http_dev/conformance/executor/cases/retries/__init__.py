"""Cases about retries, which Wove makes and the executor must not make."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

family = Family("retries")
