"""Cases about failing tasks: how they are reported, and that the service keeps serving."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

errors = Family("errors")
