"""Cases about the errors that the author of a weave sees."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

family = Family("errors")
