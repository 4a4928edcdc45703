"""Cases about credentials, certificates, redirects and secrets."""

from __future__ import annotations

from wove_http_dev.conformance.case import Family

family = Family("security")
