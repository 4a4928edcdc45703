"""Cases about command frames and the event frames that answer them."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

frames = Family("frames")
