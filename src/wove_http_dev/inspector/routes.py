"""The routes of the control API: one table, for dispatch and for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wove_http_dev.inspector.schemas import BOOLEAN, INTEGER, RUN_STATES, TEXT, Schema

PREFIX = "/api/v1"
REFUSALS: Mapping[int, str] = {
    400: "the request cannot be used",
    401: "no token, or another one",
    403: "Host or Origin is not this server's",
    404: "there is nothing of that name",
    405: "the path has other methods",
}
"""What each operation may answer besides its own statuses."""
WRITE_REFUSALS: Mapping[int, str] = {
    413: "the body has more than 1 MiB",
    415: "the body is not application/json",
}


@dataclass(frozen=True)
class Parameter:
    """A parameter of the query."""

    name: str
    doc: str
    schema: Schema = field(default_factory=lambda: TEXT)


@dataclass(frozen=True)
class Route:
    """An operation: ``method`` and ``path``, in which ``{run_id}`` and the like are values."""

    method: str
    path: str
    name: str
    """The method of ``Control``, and the operation's id in the document."""
    summary: str
    answer: str | None
    """The schema of what it returns; ``None``: nothing."""
    status: int = 200
    parameters: tuple[Parameter, ...] = ()
    body: str | None = None
    """The schema of the body; ``None``: it has none."""
    refusals: Mapping[int, str] = field(default_factory=dict)
    """Further statuses with which it may answer, and when."""
    media: str = "application/json"
    needs_token: bool = True


_LIMIT = Parameter("limit", "the newest so many", {**INTEGER, "minimum": 1})
_PROBLEMS = Parameter(
    "problems", "of the exchanges, only those that were refused or failed", BOOLEAN
)
_CONFLICT = {409: "it cannot be done now"}

ROUTES: tuple[Route, ...] = (
    Route("GET", "/health", "health", "whether the server answers", "health", needs_token=False),
    Route("GET", f"{PREFIX}/openapi.json", "openapi", "this document", "openapi"),
    Route("GET", f"{PREFIX}/worker", "worker", "where the worker is, and how to connect", "worker"),
    Route(
        "GET",
        f"{PREFIX}/runs",
        "runs",
        "the runs in the journal, oldest first",
        "runs",
        parameters=(
            Parameter("task", "name or glob of the task"),
            Parameter("state", "the state", {"enum": [*RUN_STATES, "finished"]}),
            Parameter("after", "only runs later than this run_id, or than this time in seconds"),
            Parameter("initial_values", "also the initial values of weaves", BOOLEAN),
            _LIMIT,
        ),
    ),
    Route("GET", f"{PREFIX}/runs/{{run_id}}", "run", "one run in full", "run"),
    Route(
        "POST",
        f"{PREFIX}/runs/{{run_id}}/replay",
        "replay",
        "send the run's command frame again, with a new run id",
        "replay",
        status=201,
        body="nothing",
        refusals=_CONFLICT,
    ),
    Route(
        "GET",
        f"{PREFIX}/exchanges",
        "exchanges",
        "the requests and failed connections, oldest first",
        "exchanges",
        parameters=(
            Parameter("after", "only exchanges later than this number", INTEGER),
            _PROBLEMS,
            _LIMIT,
        ),
    ),
    Route("GET", f"{PREFIX}/exchanges/{{number}}", "exchange", "one exchange", "exchange"),
    Route("GET", f"{PREFIX}/injections", "injections", "the injected faults", "injections"),
    Route(
        "POST",
        f"{PREFIX}/injections",
        "inject",
        "put faults in force",
        "injection",
        status=201,
        body="new_injection",
    ),
    Route(
        "DELETE",
        f"{PREFIX}/injections/{{id}}",
        "remove_injection",
        "remove faults, and release what they stall",
        None,
        status=204,
    ),
    Route("GET", f"{PREFIX}/holds", "holds", "the holds", "holds"),
    Route(
        "POST",
        f"{PREFIX}/holds",
        "hold",
        "hold the runs of a task before their bodies start",
        "hold",
        status=201,
        body="new_hold",
    ),
    Route(
        "POST",
        f"{PREFIX}/holds/{{id}}/release",
        "release",
        "release the held runs, and hold no further ones",
        "hold",
        body="nothing",
    ),
    Route("GET", f"{PREFIX}/stubs", "stubs", "the stubs in force", "stubs"),
    Route(
        "POST",
        f"{PREFIX}/stubs",
        "stub",
        "answer a task without running it; exactly one of result and error",
        "stub",
        status=201,
        body="new_stub",
    ),
    Route("DELETE", f"{PREFIX}/stubs/{{id}}", "remove_stub", "remove a stub", None, status=204),
    Route("GET", f"{PREFIX}/faults", "faults", "the catalogue of faults", "faults"),
    Route(
        "POST",
        f"{PREFIX}/reset",
        "reset",
        "empty the journal; remove every fault, stub and hold; kill what runs in processes; inject"
        " the faults of the options again",
        "reset",
        body="nothing",
    ),
    Route(
        "GET",
        f"{PREFIX}/events",
        "events",
        "changes as server-sent events; Last-Event-ID resumes",
        None,
        parameters=(_PROBLEMS,),
        media="text/event-stream",
        refusals={503: "too many streams are open"},
    ),
)
