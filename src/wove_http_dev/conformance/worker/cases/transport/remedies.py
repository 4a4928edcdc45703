"""How to mend a worker service that fails a case of the family ``transport``."""

from __future__ import annotations

from wove_http_dev.conformance.case import Remedy
from wove_http_dev.conformance.worker.cases import FLASK, STDLIB

REMEDIES = (
    (
        "transport.01",
        Remedy(
            "Listen at the host and port of the URL and answer with HTTP/1.1; for "
            "https, send the certificate with its whole chain.",
            f"{STDLIB}: main()",
        ),
    ),
    (
        "transport.02",
        Remedy(
            "Serve https and require a secret or a token, before the service is reached"
            " from other machines.",
            f"{STDLIB}: main()",
        ),
    ),
    (
        "transport.03 transport.09",
        Remedy(
            "Send Content-Type: application/json with every answer.",
            f"{STDLIB}: Handler.answer()",
        ),
    ),
    (
        "transport.04 limits.03",
        Remedy(
            "Read as many bytes as Content-Length says, in as many reads as it takes, "
            "and run nothing if fewer came.",
            f"{STDLIB}: Handler.do_POST()",
        ),
    ),
    (
        "transport.05",
        Remedy(
            "Route only POST to the tasks, and answer every other method with 405.",
            f"{FLASK}: wove_tasks()",
        ),
    ),
    (
        "transport.06",
        Remedy(
            "Do the TLS handshake and each read in the connection's own thread or "
            "coroutine, never where connections are accepted.",
            f"{STDLIB}: main()",
        ),
    ),
    (
        "transport.08",
        Remedy(
            "Write each answer in one place, which encodes the body, counts its bytes for "
            "Content-Length, and sends no other header about its length.",
            f"{STDLIB}: Handler.answer()",
        ),
    ),
    (
        "transport.10 transport.15 transport.22",
        Remedy(
            "Read each body to its end, or close the connection with the refusal, and keep nothing "
            "of a request for the next one of its connection.",
            f"{STDLIB}: Handler.do_POST()",
        ),
    ),
    (
        "transport.11 transport.12 transport.16 transport.17 transport.18 transport.19"
        " transport.24",
        Remedy(
            "Leave HTTP to a server library: header names are case-insensitive, a request says "
            "whether its connection stays open, and one without a length has no body.",
            f"{STDLIB}: Handler.do_POST()",
        ),
    ),
    (
        "transport.20 transport.21 transport.23",
        Remedy(
            "Answer 400 and close the connection if a request has Transfer-Encoding beside "
            "Content-Length, two lengths, one that is not digits alone, or a chunk that is not as "
            "long as it says. cheroot and werkzeug's own server take the last of two lengths, and "
            "0x1f for a chunk's: refuse chunks there, or have another server in front.",
            f"{STDLIB}: Handler.do_POST()",
        ),
    ),
    (
        "transport.13 transport.14",
        Remedy(
            "Send 100 Continue when the head of a request asks for it, before its body is read, "
            "and flush it.",
            f"{STDLIB}: Handler.handle_expect_100()",
        ),
    ),
    (
        "transport.07",
        Remedy(
            "Read the whole body before you refuse a request, or close the connection "
            "with the refusal.",
            f"{STDLIB}: Handler.do_POST()",
        ),
    ),
)
