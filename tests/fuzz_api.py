"""Fuzzes the control API with schemathesis: ``python -m tests.fuzz_api``.

Requests that its OpenAPI document allows, and others, are sent to a real server beside a worker
that has runs. A failure of the server, and an answer that the document does not describe, is an
error. The stream of events is left out, because its answer does not end.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.inspector.calls import API, TOKEN, inspector
from tests.support import answer, run_frame, signed_request
from wove_http_dev.worker import HttpWorker

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "use_after_free",
    "ignored_auth",
)
"""``positive_data_acceptance`` is left out: a schema cannot say what the name of a fault is."""
EXAMPLES = 50
"""Requests to each operation, besides those that schemathesis always makes."""


def fail() -> None:
    raise ValueError("as expected")


def main() -> int:
    """Fuzz; return the exit status of schemathesis. Arguments are passed on to it: ``--seed N``
    draws other requests."""
    schemathesis = Path(sys.executable).with_name("schemathesis")
    with (
        HttpWorker(inspected=True) as worker,
        inspector(worker) as served,
        tempfile.TemporaryDirectory() as directory,  # schemathesis keeps files in its own
    ):
        for body in (answer, fail):
            signed_request(worker, run_frame(body))
        return subprocess.call(
            [
                str(schemathesis),
                "run",
                f"http://127.0.0.1:{served.port}{API}/openapi.json",
                f"--header=Authorization: Bearer {TOKEN}",
                f"--checks={','.join(CHECKS)}",
                f"--exclude-path={API}/events",
                f"--max-examples={EXAMPLES}",
                "--seed=1",
                "--generation-database=none",
                "--warnings=off",
                "--no-color",
                *sys.argv[1:],
            ],
            cwd=directory,
        )


if __name__ == "__main__":
    sys.exit(main())
