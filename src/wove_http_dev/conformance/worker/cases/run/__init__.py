"""Cases about running a task: its arguments, its result, and how often it runs."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

run = Family("run")
