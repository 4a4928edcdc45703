"""How to connect to a worker."""

from __future__ import annotations

import ast
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import MakeWorker
from wove_http_dev.inspector.connect import instructions
from wove_http_dev.worker import HttpWorker


def test_snippet_is_python(worker: HttpWorker) -> None:
    """The snippet is code."""
    ast.parse(instructions(worker, None).snippet)


def test_snippet_has_short_lines(worker: HttpWorker) -> None:
    """Each setting is on a line of its own, as in an application's code."""
    lines = instructions(worker, None).snippet.splitlines()
    assert lines[:6] == [
        "import wove",
        "",
        "wove.config(",
        "    environments={",
        "        'workers': {",
        "            'executor': 'https',",
    ]
    assert max(map(len, lines)) < 80


@pytest.mark.parametrize("headers", [{}, {"X-Tenant": "a 'b'"}])
def test_snippet_is_the_environment(make_worker: MakeWorker, headers: dict[str, str]) -> None:
    """The snippet configures what a test's own environment has."""
    worker = make_worker(headers=headers, default=True)
    found: dict[str, Any] = {}
    wove = SimpleNamespace(config=found.update)
    tree = ast.parse(instructions(worker, None).snippet.removeprefix("import wove\n"))
    exec(compile(tree, "snippet", "exec"), {"wove": wove})
    (environment,) = found["environments"].values()
    limit = environment.pop("delivery_timeout", None) or found["delivery_timeout"]
    wanted = {**worker.environment_definition, "delivery_timeout": limit}
    wanted["executor_config"]["security"] = environment["executor_config"]["security"]
    assert {**environment, "delivery_timeout": limit} == wanted
    assert found["default_environment"] == worker.environment


def test_no_secret(worker: HttpWorker) -> None:
    """No secret is in the instructions."""
    assert worker.secret not in repr(instructions(worker, "/x/secret"))


def test_url_is_exported(worker: HttpWorker) -> None:
    """Settings that read the URL from the environment, as those in the README, find it."""
    assert instructions(worker, None).exports[0] == f"export WOVE_WORKER_URL={worker.url}"


def test_secret_file_is_quoted(worker: HttpWorker) -> None:
    """The file of the secret is quoted for a shell."""
    _, second, *_ = instructions(worker, "/two words/secret").exports
    assert second == """export WOVE_WORKER_SECRET="$(cat '/two words/secret')\""""


def test_no_secret_file(make_worker: MakeWorker) -> None:
    """Without credentials no secret is exported."""
    exports = instructions(make_worker(tls=False, security="none"), None).exports
    assert [line for line in exports if "SECRET" in line] == []
