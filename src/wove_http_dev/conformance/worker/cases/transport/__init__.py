"""Cases about HTTP itself: connections, methods, several requests on one connection."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

transport = Family("transport")
