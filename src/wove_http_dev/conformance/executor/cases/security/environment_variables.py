"""Cases about files that environment variables name, and that HTTP libraries read by themselves:
credentials of ``~/.netrc`` and certificates of authorities."""

from __future__ import annotations

import tempfile
from pathlib import Path

from wove_http_dev.client import environ
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cases.security import family
from wove_http_dev.conformance.executor.cases.security.proxies import url_by_address
from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.conformance.executor.received import requests_of
from wove_http_dev.conformance.executor.refusals import refusal
from wove_http_dev.conformance.executor.request_recorder import RequestRecorder
from wove_http_dev.faults.connection import UntrustedCa

NETRC = "default login conformance password of-the-netrc-file\n"
CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
MODES = ("bearer", "signed")


@family.must(
    "43",
    sources.SECURITY,
    scenario=f"runs, {' and '.join(MODES)}, while ~/.netrc has a password for every host (HOME and"
    " NETRC name it)",
    expected="requests with the configured credentials only",
    alone=True,
)
def netrc_not_used(check: CaseContext) -> str:
    """The credentials of ``~/.netrc`` are not sent, neither instead of the configured ones nor
    besides them."""
    home = Path(check.enter(tempfile.TemporaryDirectory(prefix="wove-http-dev-")))
    file = home / ".netrc"
    file.touch(0o600)
    file.write_text(NETRC)
    check.enter(environ.set_variable("HOME", str(home)))
    check.enter(environ.set_variable("NETRC", str(file)))
    for mode in MODES:
        worker, recorder = check.worker(security=mode), RequestRecorder()
        worker.inject(recorder)
        outcome = check.run_one_weave(worker)
        for request in recorder.requests:
            sent = request.headers.get("Authorization") or ""
            if sent.lower().startswith("basic "):
                check.fail(f"a request ({mode}) was sent with credentials of ~/.netrc: {outcome}")
        for exchange in requests_of(worker):
            if not exchange.accepted:
                check.fail(f"with a ~/.netrc a request ({mode}) was refused: {refusal(exchange)}")
    return str(outcome)


@family.must(
    "44",
    sources.VERIFY,
    scenario=f"a run to an https server with the fault untrusted-ca; {', '.join(CA_VARIABLES)} name"
    " a file that does not exist",
    expected="an error; the server gets no request",
    alone=True,
)
def no_ca_file(check: CaseContext) -> str:
    """If the file of trusted authorities cannot be read, no server is trusted."""
    folder = check.enter(tempfile.TemporaryDirectory(prefix="wove-http-dev-"))
    for name in CA_VARIABLES:
        check.enter(environ.set_variable(name, str(Path(folder) / "no-such-file.pem")))
    worker = check.worker(timeout=3.0)
    worker.inject(UntrustedCa())
    settings = {"url": url_by_address(worker)}
    outcome = check.run_one_weave(worker, settings=settings, delivery_timeout=1.5)
    if requests_of(worker):
        check.fail(
            "the file of trusted authorities does not exist, and a server whose certificate must"
            f" not be accepted was sent a request: {outcome}"
        )
    if outcome.kind == "result":
        check.fail(f"the file of trusted authorities does not exist: {outcome}")
    return str(outcome)
