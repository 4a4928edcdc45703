"""Cases about requests and runs that could exhaust the service's resources."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

limits = Family("limits")
