"""Cases about timeouts, the event loop and what a weave leaves behind."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

family = Family("time")
