"""Cases about the proxy that environment variables name: a worker that is excluded from it is
reached without it, and it sees nothing of a request to an https URL.

Whether an executor uses such a proxy at all is left to it: no case asks for that.
"""

from __future__ import annotations

from urllib.parse import quote

from wove_http_dev.client import dns, environ
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cases.security import family
from wove_http_dev.conformance.executor.cases.security.transport import FAR_HOST
from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.conformance.executor.received import requests_of
from wove_http_dev.conformance.executor.recording_proxy import RecordingProxy
from wove_http_dev.conformance.executor.request_recorder import RequestRecorder
from wove_http_dev.worker import HttpWorker

PROXY_VARIABLES = (
    *("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
)
EXCLUDING = ("no_proxy", "NO_PROXY")
ADDRESS = "127.0.0.1"
USER, PASSWORD = "conformance", "password-of-the-proxy"


def _proxy(check: CaseContext, credentials: str = "") -> RecordingProxy:
    """Start a proxy, and name it in every variable that HTTP libraries read."""
    proxy: RecordingProxy = check.enter(RecordingProxy())
    for name in PROXY_VARIABLES:
        check.enter(environ.set_variable(name, f"http://{credentials}{proxy.address}"))
    return proxy


def url_by_address(worker: HttpWorker) -> str:
    """Return the URL of ``worker`` with its address as host. Urllib's requests to it are not routed
    past a proxy by the checker, as those to ``worker.url`` are."""
    scheme = worker.url.partition(":")[0]
    return f"{scheme}://{ADDRESS}:{worker.port}{worker.options.path}"


@family.must(
    "41",
    sources.PROXIES,
    scenario=f"runs to an https and an http worker at {ADDRESS}, and to one at {FAR_HOST};"
    f" {', '.join(PROXY_VARIABLES)} name a proxy, {' and '.join(EXCLUDING)} exclude {ADDRESS} and"
    f" .{FAR_HOST.partition('.')[2]}",
    expected="each run at its worker, and no connection to the proxy",
    alone=True,
)
def excluded_from_proxy(check: CaseContext) -> str:
    """A worker that ``no_proxy`` excludes is reached without the proxy of the environment."""
    proxy = _proxy(check)
    worker = check.worker()
    _expect_direct(check, proxy, worker, url_by_address(worker))
    if check.takes_plain_http:
        worker = check.worker(tls=False)
        _expect_direct(check, proxy, worker, url_by_address(worker))
        worker = check.worker(tls=False)
        check.enter(dns.resolve_to(FAR_HOST, worker.port, (ADDRESS, worker.port)))
        url = f"http://{FAR_HOST}:{worker.port}{worker.options.path}"
        _expect_direct(check, proxy, worker, url)
    return "without the proxy"


def _expect_direct(check: CaseContext, proxy: RecordingProxy, worker: HttpWorker, url: str) -> None:
    outcome = check.run_one_weave(worker, settings={"url": url, "insecure": True})
    host = url.split("/")[2].partition(":")[0]
    if proxy.heads:
        check.fail(
            f"no_proxy excludes {host}, and the run was sent to the proxy of the environment:"
            f" {proxy.heads[0].partition(chr(13))[0]!r}; {outcome}"
        )
    if not requests_of(worker):
        check.fail(f"no_proxy excludes {host}, and no request arrived there: {outcome}")


@family.must(
    "42",
    sources.TUNNEL,
    scenario=f"a run to an https worker at {ADDRESS}, with a bearer token;"
    f" {', '.join(PROXY_VARIABLES)} name a proxy with user and password, and nothing is excluded",
    expected="no connection to the proxy, or CONNECT without the token; no password of the proxy at"
    " the worker",
    alone=True,
)
def tunnelled(check: CaseContext) -> str:
    """A proxy of the environment, if it is used, sees nothing of a request to an https URL, and the
    worker nothing of the proxy's password."""
    worker, recorder = check.worker(security="bearer"), RequestRecorder()
    worker.inject(recorder)
    for name in EXCLUDING:
        check.enter(environ.set_variable(name, ""))
    proxy = _proxy(check, f"{USER}:{quote(PASSWORD)}@")
    outcome = check.run_one_weave(worker, settings={"url": url_by_address(worker)})
    for head in proxy.heads:
        line = head.partition("\r")[0]
        if str(worker.secret) in head:
            check.fail(f"the proxy of the environment was sent the bearer token: {line!r}")
        if head and not head.startswith(f"CONNECT {ADDRESS}:{worker.port} "):
            check.fail(
                "a run to an https URL was not tunnelled, so the proxy of the environment can read"
                f" it: {line!r}"
            )
    for request in recorder.requests:
        for header, value in request.headers:
            if header.lower() == "proxy-authorization" or PASSWORD in value:
                check.fail(f"the worker was sent the password of the proxy, in {header}")
    if not proxy.heads:
        return f"the proxy was not used; {outcome}"
    return f"tunnelled; {outcome}"
