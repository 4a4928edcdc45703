"""Transport cases about the headers of all answers of the check, whichever case sent the request.
They send nothing, and run last."""

from __future__ import annotations

from wove_http_dev.conformance.worker import sources
from wove_http_dev.conformance.worker.cases.frames.every_answer import judged
from wove_http_dev.conformance.worker.cases.transport import transport
from wove_http_dev.conformance.worker.context import CaseContext


@transport.must(
    "08",
    f"{sources.HTTP1}, 6.1 to 6.3; {sources.HTTP}, 8.6",
    scenario="nothing; the answers to the requests of all cases before this one are judged",
    expected="either Content-Length, as many bytes as follow, or Transfer-Encoding: chunked, or"
    " neither and the connection is closed",
    alone=True,
)
def every_answer_ends_where_it_says(check: CaseContext) -> str:
    """The headers of each answer say where it ends, in one way, and its body ends there."""
    return judged(check, "framing")


@transport.should(
    "09",
    sources.PROTOCOL,
    scenario="nothing; the answers to the command frames of all cases before this one are judged",
    expected="Content-Type: application/json in each 2xx answer that has a body",
    alone=True,
)
def every_answer_is_json(check: CaseContext) -> str:
    """Each 2xx answer to a command has the content type application/json."""
    return judged(check, "type")
