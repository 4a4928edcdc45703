"""Cases about how a weave ends when the worker has a fault: one case for each fault in the
catalogue."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

family = Family("outcome")
