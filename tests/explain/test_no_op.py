"""The request that is no task, and what ``doctor`` says about its answer."""

from __future__ import annotations

import asyncio
import email.utils
import pickle
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wove.environment import HttpEnvironmentExecutor

from tests.explain.conftest import Diagnose, MakeSettings
from tests.explain.helpers import SECRET, OtherService, environment
from tests.support import MakeWorker, free_port
from wove_http_dev.explain.no_op import BY_CODE, Answer, ask, bounded, clock
from wove_http_dev.runs.records import CODES
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.worker import HttpWorker


def no_op(done: Any) -> str:
    """The text of the no-op, which is the only problem."""
    ((name, text),) = done.problems.items()
    assert name == "no-op"
    return str(text)


@pytest.fixture
def strange(make_worker: MakeWorker) -> HttpWorker:
    """A worker with plain http, signed requests and the tests' secret, without strict mode."""
    return make_worker(tls=False, secret=SECRET, strict=False)


# What is sent


def test_no_task_runs(diagnose: Diagnose, settings: MakeSettings, strange: HttpWorker) -> None:
    """The worker sees one accepted ``cancel_task``, and runs nothing."""
    diagnose(settings(config={"url": strange.url}))
    seen = [(each.frame_type, each.accepted, each.status) for each in strange.exchanges]
    assert (seen, len(strange.all_runs)) == ([("cancel_task", True, 200)], 0)


def test_sent_as_by_wove(other_service: OtherService) -> None:
    """Method, target and the names of the headers are those of Wove's executor."""
    env = environment(
        other_service.url, security={"secret": "s"}, headers={"X-Tenant": "a", "Accept": "x"}
    )
    ask(env, 5.0)
    executor = HttpEnvironmentExecutor()

    async def send() -> None:
        config = dict(env.config)
        await executor.start(environment_name="x", environment_config=config, run_config={})
        executor._post_json({"type": "cancel_task", "run_id": "1"})

    asyncio.run(send())
    mine, theirs = other_service.received
    assert (mine[:2], mine[2].keys()) == (theirs[:2], theirs[2].keys())


def test_answer_is_not_unpickled(
    diagnose: Diagnose, settings: MakeSettings, other_service: OtherService, tmp_path: Path
) -> None:
    """A pickle in the answer is not loaded."""
    mark = tmp_path / "loaded"

    class Canary:
        def __reduce__(self) -> Any:
            return Path.touch, (mark,)

    payload = b64encode(pickle.dumps(Canary())).decode()
    other_service.body = b'[{"type": "task_result", "result_pickle": "%s"}]' % payload.encode()
    diagnose(settings(config={"url": other_service.url}))
    assert (len(other_service.received), mark.exists()) == (1, False)


def test_redirect_is_not_followed(
    diagnose: Diagnose, settings: MakeSettings, other_service: OtherService
) -> None:
    """The credentials are not sent on to where the answer redirects."""
    other_service.status = 302
    other_service.headers = {"Location": other_service.url.replace("tasks", "elsewhere")}
    text = no_op(diagnose(settings(config={"url": other_service.url})))
    assert ("/wove/elsewhere" in text, len(other_service.received)) == (True, 1)


# What the worker answers


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"security": {"secret": "hunter2"}}, "does not match; another secret"),
        ({"security": {"secret": SECRET, "key": "other"}}, "unknown key 'other'"),
        (
            {"security": "none"},
            "X-Wove-Key is missing; give executor_config.security the credentials",
        ),
        ({"security": {"type": "bearer", "token": "hunter2"}}, "X-Wove-Key is missing"),
    ],
    ids=["secret", "key", "none", "bearer"],
)
def test_wrong_credentials(
    diagnose: Diagnose, settings: MakeSettings, changes: dict[str, Any], words: str
) -> None:
    """The worker's own words say what is wrong, and then what to do; no secret is shown."""
    done = diagnose(settings(config=changes))
    assert words in no_op(done)
    assert "hunter2" not in done.out


def test_wrong_secret_in_a_variable(
    diagnose: Diagnose, settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable with the wrong secret is named."""
    monkeypatch.setenv("WORKER_SECRET", "hunter2")
    assert "(WORKER_SECRET here)" in no_op(diagnose(settings()))


def test_secret_of_a_local_serve(
    diagnose: Diagnose, settings: MakeSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The file of a local ``serve`` with the right secret is named, as a shell reads it, and
    nothing is created."""
    monkeypatch.setenv("WORKER_SECRET", "hunter2")
    state = tmp_path / "two words"
    state.mkdir()
    (state / "secret").write_text("another")
    (state / "secret-8443").write_text(SECRET)
    done = diagnose(settings(), "--state-dir", str(state))
    assert f"export WORKER_SECRET=\"$(cat '{state}/secret-8443')\"" in no_op(done)
    assert SECRET not in done.out
    assert len([*state.iterdir()]) == 2


def test_wrong_path(diagnose: Diagnose, settings: MakeSettings, strange: HttpWorker) -> None:
    """A path that the worker does not serve is a 404 with the right one."""
    url = strange.url.replace("/wove/tasks", "/tasks")
    text = no_op(diagnose(settings(config={"url": url})))
    assert "HTTP 404 Not Found: the path is not /wove/tasks; correct the path" in text


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("clock-skew", "behind this clock; limit 300 s; set the clock"),
        ("stripped-headers", "X-Wove-Key is missing"),
        ("rewritten-path", "another secret, or a body or target changed on the way"),
        ("reject-auth", "HTTP 401 Unauthorized"),
        ("wrong-secret", "give both sides the same secret"),
        ("redirect", "Wove would send its credentials there, and not the task"),
        ("reset-before-response", "if it speaks TLS, write https://"),
    ],
)
def test_fault(
    diagnose: Diagnose, settings: MakeSettings, strange: HttpWorker, fault: str, words: str
) -> None:
    """What a fault of the worker, or on the way to it, does to every request is one problem."""
    strange.inject(fault, command="cancel_task")
    assert words in no_op(diagnose(settings(config={"url": strange.url})))


@pytest.mark.parametrize("code", BY_CODE)
def test_codes(code: str) -> None:
    """Each code with advice is one that a worker answers with."""
    assert code in CODES


# What another service answers


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "check host, port and path"),
        (401, "the credentials are refused"),
        (403, "the credentials are refused"),
        (404, "nothing at this path"),
        (405, "takes no POST"),
        (407, "a proxy requires credentials"),
        (429, "try again later"),
        (500, "see the log of the service"),
        (599, "see the log of the service"),
    ],
)
def test_status(
    diagnose: Diagnose,
    settings: MakeSettings,
    other_service: OtherService,
    status: int,
    words: str,
) -> None:
    """A status says what is wrong, and what to do."""
    other_service.status = status
    text = no_op(diagnose(settings(config={"url": other_service.url})))
    assert (text.startswith(f"HTTP {status}"), words in text) == (True, True)


@pytest.mark.parametrize("status", [200, 202, 204])
def test_accepted(
    diagnose: Diagnose, settings: MakeSettings, other_service: OtherService, status: int
) -> None:
    """Another worker may answer in any successful way."""
    other_service.status = status
    assert diagnose(settings(config={"url": other_service.url})).status == 0


def test_web_page(diagnose: Diagnose, settings: MakeSettings, other_service: OtherService) -> None:
    """A web page, which some servers send for every path, is not a worker's answer."""
    other_service.headers = {"Content-Type": "text/html; charset=utf-8"}
    assert "a web page" in no_op(diagnose(settings(config={"url": other_service.url})))


@pytest.mark.parametrize("body", [b"\xff", b"[1]", b"[" * 100_000, b'{"error": 7}', b'{"error":'])
def test_answer_without_words(
    diagnose: Diagnose, settings: MakeSettings, other_service: OtherService, body: bytes
) -> None:
    """A body that says nothing is left out."""
    other_service.status, other_service.body = 401, body
    text = no_op(diagnose(settings(config={"url": other_service.url})))
    assert text.startswith("HTTP 401 Unauthorized; the credentials")


def test_secret_in_the_answer(
    diagnose: Diagnose, settings: MakeSettings, other_service: OtherService
) -> None:
    """A service that repeats the secret does not get it shown."""
    other_service.status, other_service.body = 401, b'{"error": "not signed with correct horse"}'
    done = diagnose(settings(config={"url": other_service.url}))
    assert "not signed with <secret>" in no_op(done)


# The clocks


def test_clock_apart(
    diagnose: Diagnose, settings: MakeSettings, other_service: OtherService
) -> None:
    """A worker whose clock is far from this one is the one problem."""
    ahead = email.utils.formatdate(time.time() + 3600, usegmt=True)
    other_service.headers = {"Date": ahead}
    ((name, text),) = diagnose(settings(config={"url": other_service.url})).problems.items()
    assert (name, "s ahead of this one" in text) == ("clock", True)


def test_clock_right() -> None:
    """A few seconds are no problem."""
    headers = {"Date": email.utils.formatdate(1000.0, usegmt=True)}
    answer = Answer(200, headers, b"", received=1005.0)
    assert clock(environment(security={"secret": "s"}), answer) == "-5 s"


def test_clock_without_signatures() -> None:
    """Where nothing is signed, clocks may be apart."""
    headers = {"Date": email.utils.formatdate(1000.0, usegmt=True)}
    assert clock(environment(), Answer(200, headers, b"", received=5000.0)) == "-4000 s"


@pytest.mark.parametrize("date", ["", "yesterday", "Fri, 99 Jan 9999 00:00:00 GMT"])
def test_clock_unknown(date: str) -> None:
    """An answer without a date that can be read says nothing about the clock."""
    assert clock(environment(), Answer(200, {"Date": date}, b"")) == "the answer has no Date"


# No answer


def test_nothing_listens(diagnose: Diagnose, settings: MakeSettings) -> None:
    """A port without a service is one line."""
    port = free_port()
    text = no_op(diagnose(settings(config={"url": f"http://localhost:{port}/"})))
    assert text.startswith(f"nothing listens on localhost port {port}; start the worker")


def test_unknown_host(
    diagnose: Diagnose, settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host name that cannot be resolved is one line."""

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "host name localhost cannot be looked up" in no_op(diagnose(settings()))


def test_silent_service(diagnose: Diagnose, settings: MakeSettings) -> None:
    """A service that accepts and never answers is one line when the time is over."""
    with socket.create_server(("localhost", 0)) as silent:
        url = f"http://localhost:{silent.getsockname()[1]}/"
        text = no_op(diagnose(settings(config={"url": url}), "--timeout", "0.2"))
    assert "did not answer within 0.2 s" in text


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """An event that is set at the end."""
    event = threading.Event()
    yield event
    event.set()


def test_bounded(released: threading.Event) -> None:
    """What has no time limit of its own, such as the look-up of a name, is left behind."""
    with pytest.raises(TimeoutError, match=r"within 0\.05 s"):
        bounded(released.wait, 0.05)


def test_bounded_error() -> None:
    """An error in time is raised."""
    with pytest.raises(ZeroDivisionError):
        bounded(lambda: 1 // 0, 5.0)


# TLS


@pytest.fixture
def secure(make_worker: MakeWorker) -> HttpWorker:
    """A worker with TLS and the tests' secret, without strict mode."""
    return make_worker(secret=SECRET, strict=False)


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch, wove_http_ca: CertificateAuthority) -> None:
    """``SSL_CERT_FILE`` names the worker's CA."""
    monkeypatch.setenv("SSL_CERT_FILE", wove_http_ca.cert_file)


@pytest.mark.usefixtures("clean_environ", "trusted")
def test_trusted(diagnose: Diagnose, settings: MakeSettings, secure: HttpWorker) -> None:
    """A trusted certificate is right."""
    assert diagnose(settings(config={"url": secure.url})).status == 0


def test_untrusted(diagnose: Diagnose, settings: MakeSettings, secure: HttpWorker) -> None:
    """A CA that is not trusted is a problem that names the variable."""
    text = no_op(diagnose(settings(config={"url": secure.url})))
    assert "is not trusted (unable to get local issuer certificate); export SSL_CERT_FILE" in text


@pytest.mark.usefixtures("clean_environ")
def test_trusted_by_another_variable(
    diagnose: Diagnose,
    settings: MakeSettings,
    secure: HttpWorker,
    monkeypatch: pytest.MonkeyPatch,
    wove_http_ca: CertificateAuthority,
) -> None:
    """A file that another program is told to trust, and that would do, is named."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", wove_http_ca.cert_file)
    text = no_op(diagnose(settings(config={"url": secure.url})))
    assert f"the CAs of REQUESTS_CA_BUNDLE: export SSL_CERT_FILE={wove_http_ca.cert_file}" in text


def test_trusted_by_a_local_serve(
    diagnose: Diagnose,
    settings: MakeSettings,
    secure: HttpWorker,
    tmp_path: Path,
    wove_http_ca: CertificateAuthority,
) -> None:
    """The bundle of a local ``serve`` is named, as a shell reads it, if it would do."""
    bundle = tmp_path / "two words" / "bundle.pem"
    bundle.parent.mkdir()
    bundle.write_bytes(wove_http_ca.cert_pem)
    done = diagnose(settings(config={"url": secure.url}), "--state-dir", str(bundle.parent))
    assert f"a local serve: export SSL_CERT_FILE='{bundle}'" in no_op(done)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("expired-certificate", "has expired; renew it, or set this machine's clock"),
        ("not-yet-valid-certificate", "not yet valid; renew it, or set this machine's clock"),
        ("wrong-hostname", "write a host name into url that it is for"),
        ("untrusted-ca", "is not trusted"),
        ("self-signed", "is not trusted"),
        ("client-certificate-required", "if it wants a client certificate"),
        ("plaintext-on-tls-port", "does not speak TLS"),
        ("handshake-close", "port"),
        ("handshake-stall", "did not answer within 0.3 s"),
    ],
)
@pytest.mark.usefixtures("clean_environ", "trusted")
def test_tls_fault(
    diagnose: Diagnose, settings: MakeSettings, secure: HttpWorker, fault: str, words: str
) -> None:
    """A handshake that fails is one line that says why."""
    secure.inject(fault)
    seconds = "0.3" if fault == "handshake-stall" else "60"
    done = diagnose(settings(config={"url": secure.url}), "--timeout", seconds)
    assert words in no_op(done)


def test_https_to_a_plain_port(
    diagnose: Diagnose, settings: MakeSettings, strange: HttpWorker
) -> None:
    """An https URL of a service without TLS is one line."""
    url = strange.url.replace("http:", "https:")
    assert "does not speak TLS" in no_op(diagnose(settings(config={"url": url})))


def test_http_to_a_tls_port(diagnose: Diagnose, settings: MakeSettings, secure: HttpWorker) -> None:
    """An http URL of a service with TLS is one line."""
    url = secure.url.replace("https:", "http:")
    assert "https://" in no_op(diagnose(settings(config={"url": url})))
