"""Cases about cancel_task: what it does to the run that it names, and when the service acknowledges
it."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

cancel = Family("cancel")
