"""Cases about cancelling runs that Wove has abandoned."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

family = Family("cancel")
