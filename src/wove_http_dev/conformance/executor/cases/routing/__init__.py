"""Cases about which run an answer belongs to."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

family = Family("routing")
