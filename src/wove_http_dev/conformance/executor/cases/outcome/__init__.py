"""Cases about the end of a weave under each fault of the catalogue."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

family = Family("outcome")
