"""Cases about giving each answer to the run that it belongs to."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

family = Family("routing")
