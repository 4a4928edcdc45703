"""Targets (paths with a query) that resemble the one of the service under test."""

from __future__ import annotations

from wove_http_dev.conformance.worker.context import CaseContext


def neighbours(check: CaseContext) -> list[str]:
    """Return targets that differ from the service's own, but that a router might treat as the same.

    ``//path`` is not among them, because werkzeug's development server removes the second slash
    before the application sees it.
    """
    path, mark, query = check.service.target.partition("?")
    others = (f"{path}/", path.swapcase(), f"{path};conformance=1")
    return [f"{other}{mark}{query}" for other in others if other != path]


def respelled(check: CaseContext, *, whole_url: bool = True) -> list[str]:
    """Return targets that a server may take for the service's own, because it decodes or normalises
    paths, or accepts whole URLs. ``whole_url`` is whether such a URL is among them."""
    service = check.service
    path, mark, query = service.target.partition("?")
    others = [f"/{path}", f"/.{path}", f"/x/..{path}"]
    if whole_url:
        others.append(f"{service.url.partition(':')[0]}://{service.authority}{path}")
    if path[-1].isalnum():
        others.append(f"{path[:-1]}%{ord(path[-1]):02x}")
    others += [f"{path}.json", f"{path}%00", f"{path}/..;{path}", f"{path}%20", f"{path}#x"]
    parent, _, name = path.rpartition("/")
    others += [f"{parent}//{name}", f"{parent}%2f{name}", f"{path}//"] if name else []
    targets = [f"{other}{mark}{query}" for other in others]
    return targets if query else [*targets, f"{path}?", f"{path}?%20"]


def elsewhere(check: CaseContext) -> list[str]:
    """Return targets of a service that often need no credentials: for health checks, for
    debugging, and above or below its own."""
    path = check.service.path.rstrip("/")
    parent = path.rpartition("/")[0]
    below = [f"{path}/{name}" for name in ("health", "debug", "run", "run_task", "internal")]
    above = ["/health", "/healthz", "/debug", "/internal", f"/internal{path}", f"/debug{path}"]
    return list(dict.fromkeys(["/", *([parent] if parent else []), *above, *below]))


def with_query(target: str, query: str = "conformance=a%2Fb") -> str:
    """Return ``target`` with more parameters in the query."""
    return f"{target}{'&' if '?' in target else '?'}{query}"
