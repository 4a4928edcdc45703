"""Cases about authentication: which requests are accepted, how often, and how long after they were
signed."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

auth = Family("auth")
