"""Cases about HTTP itself: connections, methods, and requests on one connection."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

transport = Family("transport")
