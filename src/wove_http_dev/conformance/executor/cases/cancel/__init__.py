"""Cases about cancelling a run that Wove has given up, e.g. because it took too long."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

family = Family("cancel")
