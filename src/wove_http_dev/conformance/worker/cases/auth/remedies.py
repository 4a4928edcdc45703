"""How to mend a worker service that fails a case of the family ``auth``."""

from __future__ import annotations

from wove_http_dev.conformance.case import Remedy
from wove_http_dev.conformance.worker.cases import CORE, STDLIB

REMEDIES = (
    (
        "auth.02 auth.28",
        Remedy(
            "Verify signature, timestamp and nonce first, and parse and unpickle the "
            "body only after that.",
            f"{STDLIB}: Handler.do_POST()",
        ),
    ),
    (
        "auth.03 auth.04 auth.05 auth.32 auth.33 auth.45",
        Remedy(
            "Verify the body and the target byte for byte as they arrived, however large the "
            "body is: no parsed JSON, no decoded path, and with the query.",
            f"{STDLIB}: Handler.do_POST()",
        ),
    ),
    (
        "auth.10 auth.31 auth.38",
        Remedy(
            "Verify every request of every connection, a cancel_task too, in the one "
            "place where requests are read, before the path or the method is looked at.",
            f"{STDLIB}: Handler.do_POST()",
        ),
    ),
    (
        "auth.11 auth.12 auth.13 auth.24 auth.25 auth.29 auth.30 auth.34 auth.39 auth.40 auth.44",
        Remedy(
            "When a signature was found to be right, remember its nonce, and nothing else with it,"
            " under one lock for all connections and processes, until its timestamp is too old,"
            " whatever becomes of the task.",
            f"{CORE}: verify()",
        ),
    ),
    (
        "auth.14 auth.15 auth.16 auth.17 auth.27 auth.35",
        Remedy(
            "Accept a timestamp only if it is a finite number, at most 300 s before or "
            "after the service's clock.",
            f"{CORE}: verify()",
        ),
    ),
    (
        "auth.26",
        Remedy(
            "Remember the whole nonce, not a part of it, the run or the body, and only after the"
            " signature was found to be right.",
            f"{CORE}: verify()",
        ),
    ),
    (
        "auth.36 auth.37 auth.43 auth.46",
        Remedy(
            "Accept the configured kind of credentials only, and look at nothing else in a request"
            " before they are verified; refuse to start without a secret.",
            f"{CORE}: verify()",
        ),
    ),
    (
        "auth.42",
        Remedy(
            "Require a secret or a token; without one, refuse a Content-Type other than"
            " application/json, any Origin, and a Host that is not the service's own.",
            f"{CORE}: verify()",
        ),
    ),
    (
        "auth.18 auth.19",
        Remedy(
            "Turn everything that goes wrong while credentials are read into a refusal "
            "with 401 or 403.",
            f"{CORE}: verify()",
        ),
    ),
    (
        "auth.20 auth.21",
        Remedy(
            "Say in a refusal only what was wrong: no traceback, and nothing that would"
            " have been right.",
            f"{STDLIB}: Handler.do_POST()",
        ),
    ),
    (
        "auth.47",
        Remedy(
            "Send an error's kind, message and traceback, without the values of variables, the"
            " environment or the configuration.",
            f"{CORE}: error_event()",
        ),
    ),
    (
        "auth.48",
        Remedy(
            "Show runs, their arguments and results only to who has credentials; without them, a"
            " health check says that the service is up, and nothing else.",
            f"{STDLIB}: Handler.do_POST()",
        ),
    ),
    (
        "auth.23",
        Remedy(
            "Look headers up by their names in lower case.",
            f"{CORE}: verify()",
        ),
    ),
    (
        "auth",
        Remedy(
            "Verify with NetworkExecutorSecurity.verify_headers() of Wove, and refuse "
            "what lacks a header, names another key or matches only in part.",
            f"{CORE}: verify()",
        ),
    ),
)
