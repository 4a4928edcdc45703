"""Cases about timeouts, the event loop, and resources that a weave must release."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

family = Family("time")
