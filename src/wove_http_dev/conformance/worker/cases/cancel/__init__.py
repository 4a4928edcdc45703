"""Cases about what a cancel_task does to the run that it names, and when it is acknowledged."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

cancel = Family("cancel")
