"""How to connect to a worker."""

from __future__ import annotations

import ast

from tests.support import MakeWorker
from wove_http_dev.inspector.connect import instructions
from wove_http_dev.worker import HttpWorker


def test_snippet_is_python(worker: HttpWorker) -> None:
    """The snippet is code."""
    ast.parse(instructions(worker, None).snippet)


def test_no_secret(worker: HttpWorker) -> None:
    """No secret is in the instructions."""
    assert worker.secret not in repr(instructions(worker, "/x/secret"))


def test_secret_file_is_quoted(worker: HttpWorker) -> None:
    """The file of the secret is quoted for a shell."""
    first = instructions(worker, "/two words/secret").exports[0]
    assert first == """export WOVE_WORKER_SECRET="$(cat '/two words/secret')\""""


def test_no_secret_file(make_worker: MakeWorker) -> None:
    """Without credentials no secret is exported."""
    exports = instructions(make_worker(tls=False, security="none"), None).exports
    assert [line for line in exports if "SECRET" in line] == []
