"""The environment definition and the variables with which a client reaches a worker."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.support import PRODUCTION_URL, MakeWorker
from wove_http_dev.client.definition import CA_VARIABLES
from wove_http_dev.worker import HttpWorker

# Environment variables for another process


CHILD = """
import os
import wove
from wove import weave

wove.config(environments={"workers": {
    "executor": "http",
    "executor_config": {
        "url": os.environ["WOVE_WORKER_URL"],
        "security": %s,
        "timeout": 10.0,
    },
}})
with weave() as w:
    @w.do(environment="workers")
    def answer():
        return 42
print(w.result.answer)
"""

SECURITIES = {
    "signed": '"env:WOVE_WORKER_SECRET"',
    "bearer": '{"type": "bearer", "token_env": "WOVE_WORKER_SECRET"}',
    "none": '"none"',
}


@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
@pytest.mark.parametrize("security", SECURITIES)
def test_client_env_reaches_the_worker(make_worker: MakeWorker, tls: bool, security: str) -> None:
    """A child process with these variables reaches the worker, even if a proxy is configured."""
    worker = make_worker(tls=tls, security=security)
    done = subprocess.run(
        [sys.executable, "-c", CHILD % SECURITIES[security]],
        env={**os.environ, "https_proxy": "http://127.0.0.1:1", **worker.client_env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("42\n", "")


def test_client_env_appends_to_no_proxy(
    worker: HttpWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's own ``no_proxy`` entries stay."""
    monkeypatch.setenv("no_proxy", "example.com")
    assert worker.client_env["no_proxy"] == "example.com,localhost"


def test_client_env_of_an_open_worker(plain_worker: HttpWorker) -> None:
    """Without TLS and security the variables contain neither a CA bundle nor a secret."""
    assert {*CA_VARIABLES, "WOVE_WORKER_SECRET"}.isdisjoint(plain_worker.client_env)


OTHER_CLIENTS = {
    "curl": ["curl", "--silent", "--show-error", "--write-out", "%{http_code}"],
    "node": [
        "node",
        "-e",
        "require('https').get(process.argv[1],"
        " reply => { console.log(reply.statusCode); reply.resume() })",
    ],
}


@pytest.mark.parametrize("client", OTHER_CLIENTS)
def test_client_env_of_other_clients(worker: HttpWorker, client: str) -> None:
    """curl and Node.js trust the worker with these variables."""
    if shutil.which(client) is None:
        pytest.skip(f"{client} is not installed")
    done = subprocess.run(
        [*OTHER_CLIENTS[client], worker.url],
        env={**os.environ, **worker.client_env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout[-4:].strip()[-3:], done.stderr) == ("401", "")


# An environment for ``wove.config``


@pytest.mark.wove_http(impersonate=PRODUCTION_URL)
def test_definition_under_impersonation(wove_http_worker: HttpWorker) -> None:
    """With ``impersonate`` the definition names the impersonated URL."""
    assert wove_http_worker.environment_definition["executor_config"]["url"] == PRODUCTION_URL
