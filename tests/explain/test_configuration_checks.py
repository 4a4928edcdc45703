"""``doctor``'s checks of executor, keys, URL, credentials and headers: configurations that are
wrong in one way. ``test_doctor.py`` has the right one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from wove.environment import HttpEnvironmentExecutor
from wove.security import _canonical_http_target

from tests.explain.conftest import Diagnose, MakeSettings
from tests.explain.helpers import LEFT_OUT, Diagnosis, Source, environment
from wove_http_dev.explain import configuration_checks
from wove_http_dev.explain.findings import Problem

ELSEWHERE = "https://workers.invalid/wove/tasks"


def config(**words: Any) -> dict[str, Any]:
    return {"config": words}


def own(**words: Any) -> dict[str, Any]:
    return {"own": words}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (own(executor="htps"), "no executor 'htps'; did you mean 'https'?"),
        (own(executor=LEFT_OUT), "executor is 'local'"),
        (own(executor=7), "not a int"),
    ],
    ids=["unknown", "none", "no-text"],
)
def test_executor(
    diagnose: Diagnose, settings: MakeSettings, changes: dict[str, Any], words: str
) -> None:
    """An executor that is unknown, forgotten or no text is a problem."""
    assert words in diagnose(settings(**changes)).problems["executor"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (config(time_out=5.0), "'time_out' (did you mean 'timeout'?)"),
        (config(verify=False), "SSL_CERT_FILE"),
        (config(delivery_timeout=9.0), "it belongs beside executor_config"),
        (config(api_token="x"), "credentials belong in 'security'"),
        (own(delivery_time_out=9.0), "'delivery_time_out' (did you mean 'delivery_timeout'?)"),
        (own(url="http://localhost:1/"), "it belongs in executor_config"),
        (own(config={"url": "http://localhost:1/"}), "'config' (executor_config is there too"),
    ],
)
def test_keys(
    diagnose: Diagnose, settings: MakeSettings, changes: dict[str, Any], words: str
) -> None:
    """A key that Wove ignores is a problem, and says where it belongs."""
    (text,) = diagnose(settings(**changes)).problems.values()
    assert words in text


def test_executor_config_is_no_dict(diagnose: Diagnose, settings: MakeSettings) -> None:
    """An ``executor_config`` that is no dict is a problem."""
    done = diagnose(settings(own={"executor_config": "http://localhost:1/"}))
    assert "must be a dict" in done.problems["url"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "not empty"),
        (7, "not a int"),
        ("localhost:8443/wove/tasks", "must begin with https://"),
        ("ftp://localhost/wove/tasks", "must begin with https://"),
        ("http:/localhost/wove/tasks", "must begin with https://"),
        ("http://user:hidden@localhost:1/", "urllib sends no user name"),
        ("http://${HOST}:1/", "fill in what that stands for"),
        ("http://localhost:1/wove tasks", "remove blanks"),
        ("http://localhost:1/wove/tasks\n", "remove blanks"),
        ("http://localhost:1/tâche", "remove blanks"),
        ("http://::1:8443/wove/tasks", "in brackets"),
        ("http://[::1:8443/wove/tasks", "in brackets"),
        ("http://localhost:http/", "is not a port"),
        ("http://localhost:99999/", "is not a port"),
        ("http://localhost:0/", "port 0 is none to connect to; write the port of the worker"),
        ("http://:8443/wove/tasks", "has no host"),
        ("http://0.0.0.0:8443/wove/tasks", "write localhost"),
        ("http://wor kers:1/", "remove blanks"),
        ("http://-workers-:1/", "not a host name"),
        ("http://localhost:1/#wove/tasks", "is never sent"),
        ("http://localhost:1/wove/tasks?", "is sent but not signed"),
    ],
)
def test_url(diagnose: Diagnose, settings: MakeSettings, url: Any, words: str) -> None:
    """A URL that cannot be sent to is one problem."""
    (text,) = diagnose(settings(**config(url=url))).problems.values()
    assert words in text


def test_https_executor_with_an_http_url(diagnose: Diagnose, settings: MakeSettings) -> None:
    """The https executor takes only https URLs."""
    done = diagnose(settings(**own(executor="https")))
    assert "only https://" in done.problems["url"]


def test_password_is_not_shown(diagnose: Diagnose, settings: MakeSettings) -> None:
    """A password in a URL is in no line of the output."""
    done = diagnose(settings(**config(url="http://user:hidden@localhost:1/")))
    assert "hidden" not in done.out


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost",
        "https://localhost/a%20b?x=1&y",
        "https://localhost?x",
        "https://[::1]:8443/wove/tasks",
        "HTTPS://Localhost/wove/tasks;v=1",
    ],
)
def test_signed_target(url: str) -> None:
    """A URL that is right is signed as Wove signs it."""
    env = environment(url)
    configuration_checks.url(env)
    assert env.target == _canonical_http_target(url)


@pytest.fixture
def diagnose_security(
    diagnose: Diagnose, settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Any], Diagnosis]:
    """``diagnose_security(security)``; two more variables can be named in it."""
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.setenv("WITH_BREAK", "hunter2\n")
    monkeypatch.setenv("BILLING_URL", "https://billing.internal/wove/tasks")
    return lambda security: diagnose(settings(**config(security=security)))


@pytest.mark.parametrize(
    ("security", "words"),
    [
        ("env:NOT_SET_ANYWHERE", "NOT_SET_ANYWHERE is not set"),
        ("env:WORKER_SECRT", "did you mean WORKER_SECRET?"),
        # BILLING_URL, which is almost the same word, has a URL, and so no secret.
        ("env:BILLING_KEY", "environment variable BILLING_KEY is not set (export BILLING_KEY=…)"),
        ("env:", "name the environment variable"),
        ("env:EMPTY", "EMPTY is empty (export EMPTY=…)"),
        ("hunter2-hunter2", 'write "env:WOVE_WORKER_SECRET"'),
        ("bearer", '{"type": "bearer", "token_env": "WOVE_WORKER_SECRET"}'),
        (["env:WORKER_SECRET"], "not a list"),
        ({"type": "singed", "secret": "hunter2"}, "did you mean 'signed'?"),
        ({"type": ["signed"]}, "unknown type ['signed']"),
        ({"type": "signed"}, '"secret_env": "WOVE_WORKER_SECRET"'),
        ({"type": "bearer"}, '"token_env": "WOVE_WORKER_SECRET"'),
        ({"type": "signed", "secret_env": "NOT_SET_ANYWHERE"}, "is not set"),
        ({"type": "bearer", "token_env": "NOT_SET_ANYWHERE"}, "is not set"),
        ({"type": "signed", "secrte_env": "WORKER_SECRET"}, "did you mean 'secret_env'?"),
        ({"type": "bearer", "secret": "hunter2"}, "has no 'secret'"),
        ({"secret": "hunter2", "secret_env": "WORKER_SECRET"}, "secret_env is ignored"),
        (Source("__import__('types').MappingProxyType({})"), "must be a dict"),
    ],
)
def test_security(diagnose_security: Callable[[Any], Diagnosis], security: Any, words: str) -> None:
    """A form of ``security`` that Wove cannot use is one problem, and shows no secret."""
    done = diagnose_security(security)
    assert words in done.problems["security"]
    assert "hunter2" not in done.out


@pytest.mark.parametrize(
    ("security", "words"),
    [
        ({"secret": Source("lambda: 'x'")}, "not a function"),
        ({"type": "bearer", "token": Source("b'hunter2'")}, "not a bytes"),
        ({"secret": ""}, "is empty; set that of the worker"),
        ("env:WITH_BREAK", "line break"),
        ({"type": "bearer", "token_env": "WITH_BREAK"}, "bearer token is sent in a header"),
        ({"type": "bearer", "token": "hunter2€"}, "latin-1"),
        ({"secret": "hunter2", "key": ""}, "key must be printable"),
        ({"secret": "hunter2", "clock_skew_seconds": "x"}, "could not convert"),
    ],
)
def test_secret(diagnose_security: Callable[[Any], Diagnosis], security: Any, words: str) -> None:
    """A secret that does not arrive as it is meant is one problem, and is not shown."""
    done = diagnose_security(security)
    assert words in done.problems["secret"]
    assert "hunter2" not in done.out


def test_secret_of_any_bytes(diagnose: Diagnose, settings: MakeSettings) -> None:
    """A secret of bytes that are no text can sign."""
    done = diagnose(settings(**config(security={"secret": b"\xff\n"})))
    assert done.findings["secret"][0] == "ok"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ({"url": "http://workers.invalid/wove/tasks"}, "Wove refuses http:// to workers.invalid"),
        ({"url": "http://127.0.0.2:1/"}, "Wove refuses http:// to 127.0.0.2"),
        ({"url": ELSEWHERE, "security": "none"}, "without security"),
        ({"insecure": "false"}, "any text is true"),
    ],
)
def test_policy(
    diagnose: Diagnose, settings: MakeSettings, words: dict[str, Any], text: str
) -> None:
    """What Wove's policy refuses is one problem."""
    (found,) = diagnose(settings(**config(**words))).problems.items()
    assert (found[0], text in found[1]) == ("policy", True)


@pytest.mark.parametrize("security", ["none", {"type": "signed", "secret": "s"}])
@pytest.mark.parametrize("insecure", [True, False])
@pytest.mark.parametrize(
    "url", ["http://localhost/", "https://localhost/", "http://[::1]/", "http://w.x/", ELSEWHERE]
)
def test_policy_is_that_of_wove(url: str, insecure: bool, security: Any) -> None:
    """The check refuses what Wove's executor refuses, and nothing else."""
    env = environment(url, insecure=insecure, security=security)

    def start() -> None:
        executor = HttpEnvironmentExecutor()
        asyncio.run(
            executor.start(environment_name="x", environment_config=dict(env.config), run_config={})
        )

    assert _refuses(start, ValueError) is _refuses(
        lambda: configuration_checks.policy(env), Problem
    )


def _refuses(action: Callable[[], Any], error: type[Exception]) -> bool:
    try:
        action()
    except error:
        return True
    return False


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (["X-Tenant"], "must be a dict"),
        ({"X Tenant": "acme"}, "is not a header name"),
        ({"X-Tenant": "acme\n"}, "line breaks"),
        ({"X-Tenant": "€"}, "latin-1"),
        ({"X-Tenant": None}, "must be text or a number"),
        ({"Host": "workers"}, "set by the client"),
        ({"x-wove-key": "mine"}, "security sends 'x-wove-key' itself"),
        ({"Content-Type": "text/plain"}, "the body is JSON"),
        ({"Accept-Encoding": "gzip"}, "does not decompress"),
    ],
)
def test_headers(diagnose: Diagnose, settings: MakeSettings, headers: Any, words: str) -> None:
    """Headers that cannot be sent, or spoil the request, are one problem."""
    (text,) = diagnose(settings(**config(headers=headers))).problems.values()
    assert words in text


def test_authorization_beside_a_bearer_token() -> None:
    """An ``Authorization`` header beside a bearer token is replaced, which is a problem."""
    env = environment(
        security={"type": "bearer", "token": "t"}, headers={"authorization": "Basic x"}
    )
    with pytest.raises(Problem, match="security sends 'authorization' itself"):
        configuration_checks.headers(env)


def test_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else Wove's executor refuses when it starts is a problem, in its own words."""

    async def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("a new rule")

    monkeypatch.setattr(HttpEnvironmentExecutor, "start", refuse)
    with pytest.raises(Problem, match="a new rule"):
        configuration_checks.starts(environment())
