"""Cases about timeouts, about blocking the event loop, and about what a weave must release when it
ends."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

family = Family("time")
