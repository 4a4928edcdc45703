"""Cases about assigning each answer to its run."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

family = Family("routing")
