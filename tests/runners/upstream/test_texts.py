"""What a person is shown of runs that are forwarded."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.runners.upstreams import SECRET, asked, held_run, in_front_of, reply_of
from tests.support import TIMEOUT, MakeWorker, answer, run_frame, signed_request
from wove_http_dev.worker import HttpWorker


def test_texts(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """Arguments and results of plain data are shown, without unpickling."""
    front = in_front_of(make_worker, upstream, inspected=True)
    signed_request(front, run_frame(str.upper, {}, task="plain"))
    signed_request(front, run_frame(lambda n: [n], {"n": 3}))
    run = front.runs["task"].last
    assert (run.args_text, run.result_text) == ("n=3", "[3]")


def test_texts_that_cannot_be_made(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """Arguments of another kind are not an empty text, but say that they are not unpickled."""
    front = in_front_of(make_worker, upstream, inspected=True)
    signed_request(front, run_frame(lambda n: None, {"n": answer}))
    assert "not unpickled on the way to upstream" in str(front.runs.last.args_text)


def test_open_run_in_the_report(
    front: HttpWorker, upstream: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """The report says of an open run that it was forwarded, and where to."""
    run = held_run(front, upstream, pool)
    text = front.report()
    upstream.reset()  # removes the gate
    run.result(TIMEOUT)
    assert f"forwarded to upstream localhost port {upstream.port}" in text


def test_leg_in_the_report(front: HttpWorker) -> None:
    """The journal in the report has the leg to upstream."""
    signed_request(front, run_frame(answer))
    assert "(upstream 200 in " in front.report()


@pytest.mark.parametrize("before", ["not ", "a" * 190], ids=["whole", "cut"])
def test_secret_in_a_refusal(make_worker: MakeWorker, before: str) -> None:
    """A secret that upstream repeats in its refusal is neither sent on nor kept."""
    reply = reply_of(json.dumps({"error": before + SECRET}).encode(), "401 No")
    security = {"type": "bearer", "token": SECRET}
    response, worker = asked(make_worker, reply, upstream_security=security)
    assert SECRET[:6] not in str(response) + worker.report()
