"""Authentication faults, from the client's side."""

from __future__ import annotations

import pytest

from tests.support import MakeWorker, answer, run_frame, signed_request
from wove_http_dev.errors import UsageError


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("reject-auth reason='not today'", "not today"),
        ("wrong-secret", "signature:"),
        ("clock-skew", "s behind this clock; limit 300 s"),
        ("stripped-headers", "headers: X-Wove-Key is missing"),
        ("stripped-headers headers=X-Wove-Nonce", "headers: X-Wove-Nonce is missing"),
        ("rewritten-path", "signature:"),
    ],
)
def test_reason(make_worker: MakeWorker, fault: str, reason: str) -> None:
    """The response gives the reason that a worker with that problem gives."""
    worker = make_worker(faults=[fault])
    assert reason in signed_request(worker, run_frame(answer)).error


@pytest.mark.parametrize("fault", ["wrong-secret", "stripped-headers"])
def test_bearer_status(make_worker: MakeWorker, fault: str) -> None:
    """A bearer token is refused as a signature is, with a 401."""
    worker = make_worker(security="bearer", faults=[fault])
    assert signed_request(worker, run_frame(answer)).status == 401


def test_reject_auth_status(make_worker: MakeWorker) -> None:
    """``status=`` is the status of the refusal."""
    worker = make_worker(faults=["reject-auth status=403"])
    assert signed_request(worker, run_frame(answer)).status == 403


def test_clock_skew_inside_the_window(make_worker: MakeWorker) -> None:
    """A clock that is off by less than the window refuses nothing."""
    worker = make_worker(faults=["clock-skew seconds=100"])
    assert signed_request(worker, run_frame(answer)).result == 42


@pytest.mark.parametrize("fault", ["wrong-secret", "stripped-headers"])
def test_needs_authentication(make_worker: MakeWorker, fault: str) -> None:
    """Without authentication the fault is a usage error."""
    with pytest.raises(UsageError, match="cannot apply"):
        make_worker(security="none", faults=[fault])


@pytest.mark.parametrize("fault", ["clock-skew", "rewritten-path"])
@pytest.mark.parametrize("security", ["bearer", "none"])
def test_needs_a_signature(make_worker: MakeWorker, security: str, fault: str) -> None:
    """Without signatures the fault is a usage error."""
    with pytest.raises(UsageError, match="cannot apply"):
        make_worker(security=security, faults=[fault])


def test_a_drawn_clock_skew(make_worker: MakeWorker) -> None:
    """The worker's clock is ahead by the number that was drawn."""
    worker = make_worker(faults=["clock-skew seconds=1000..2000"])
    error = signed_request(worker, run_frame(answer)).error
    assert 1000 <= float(error.split("s behind")[0].split()[-1]) <= 2000
