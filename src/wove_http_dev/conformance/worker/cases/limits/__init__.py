"""Cases about requests and runs that could use up the memory, threads, files or time of the
service."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

limits = Family("limits")
