"""Cases about command frames and the event frames in their answers."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

frames = Family("frames")
