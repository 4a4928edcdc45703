"""Every message about wrong input is one short, printable line, whatever the input is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from wove_http_dev.cli.main import main
from wove_http_dev.conformance.executor.executor_under_test import load_executor
from wove_http_dev.conformance.known_failures import parse_list, read_known_failing
from wove_http_dev.errors import UsageError
from wove_http_dev.faults.selector import Selector
from wove_http_dev.faults.text import expand_marker_words, parse_fault, read_injection
from wove_http_dev.fields import fields_of
from wove_http_dev.given_secrets import secret_from_environment, secret_from_file
from wove_http_dev.options import Options
from wove_http_dev.private_files import read_own
from wove_http_dev.protocol.credentials import credentials
from wove_http_dev.remote_worker import RemoteWorker
from wove_http_dev.runs.holds import Gates
from wove_http_dev.runs.journal import Journal
from wove_http_dev.service.port import Port

# Colours, a line break, text from right to left, and half of a character, which no encoding writes.
HOSTILE = "\x1b[31m\r\n\u202e\udcff" + "x" * 100_000 + "\x1b]0;title\x07\u2028"
LONGEST = 500


def remote(**words: Any) -> RemoteWorker:
    """A RemoteWorker with these arguments."""
    defaults = {"url": "http://localhost:1", "secret": None, "token": None, "ca_file": None}
    return RemoteWorker(**{**defaults, "skip": pytest.skip, **words})


def with_option(name: str, text: str) -> Options:
    """Options, of which one is ``text``."""
    return Options.of(**{name: text})


def with_fault(form: str, text: str) -> object:
    """A fault whose text has ``text`` in place of TEXT."""
    return parse_fault(form.replace("TEXT", text[:9000]))


CALLS: dict[str, Callable[[str], object]] = {
    **{
        f"option {name}": partial(with_option, name)
        for name, each in fields_of(Options).items()
        if name not in ("environment", "secret", "key", "security")
    },
    "unknown option": lambda text: Options.of(**{text: 1}),
    "header name": lambda text: Options.of(headers={text: "value"}),
    "header name that is one": lambda text: Options.of(headers={"x" * 100_000: text}),
    "header of a connection": lambda text: Options.of(headers={"Host": text}),
    "security": lambda text: credentials(text),
    "security of a variable": lambda text: credentials("env:" + text),
    "host": lambda text: Port(text[:10_000], 0),
    "impersonate": lambda text: Options.of(impersonate="https://" + text),
    "impersonate, user": lambda text: Options.of(impersonate=f"https://{text}@host/"),
    **{
        f"fault {form!r}": partial(with_fault, form)
        for form in (
            *("TEXT", "'TEXT", "status TEXT", "status TEXT=1", "status code=TEXT"),
            *("status task=a task=TEXT", "status times=TEXT", "'TEXT' code=1"),
        )
    },
    "fault, long": lambda text: parse_fault(text),
    "fault, field": lambda text: parse_fault("status", given={text: 1}),
    "fault, value": lambda text: parse_fault("status", given={"code": text}),
    "inject": lambda text: read_injection([text], {}),
    "inject, keyword": lambda text: read_injection(["status", "status"], {}, {text: 1}),
    "inject, twice": lambda text: read_injection([f"status task={'a' * 500}"], {"task": text}),
    "marker": lambda text: expand_marker_words([text]),
    "marker, fields": lambda text: expand_marker_words([f"status code={text}"]),
    "selector": lambda text: Selector(command=text),
    "selector, number": lambda text: Selector(times=text),  # type: ignore[arg-type]
    "wait_for, state": lambda text: Journal().wait_for_runs("task", text, 1, 0.0),
    "hold": lambda text: Gates(Journal()).hold("task", release_when=text),  # type: ignore[arg-type]
    "secret of a variable": lambda text: secret_from_environment("--secret-env", text),
    "secret in a file": lambda text: secret_from_file("--secret-file", text),
    "file": lambda text: read_own(Path("/nonexistent", text), private=True),
    "remote url": lambda text: remote(url=text),
    "remote url, port": lambda text: remote(url="http://localhost:" + text),
    "remote ca": lambda text: remote(ca_file=text),
    "known failing": lambda text: parse_list(text, "list", []),
    "known failing, condition": lambda text: parse_list("* ; " + text.replace("\n", ""), text, []),
    "known failing, file": lambda text: read_known_failing(text, []),
    "executor": lambda text: load_executor(text),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_call(call: Callable[[str], object]) -> None:
    """A message of the Python API."""
    with pytest.raises((UsageError, OSError)) as caught:
        call(HOSTILE)
    if isinstance(caught.value, UsageError):
        message = str(caught.value)
        assert (len(message) <= LONGEST, message.isprintable()) == (True, True)


@pytest.mark.parametrize(
    "words",
    [
        *(["TEXT"], ["serve", "TEXT"], ["serve", "--TEXT"], ["serve", "--port", "TEXT"]),
        *(
            ["serve", "--host", "TEXT"],
            ["serve", "--security", "TEXT"],
            ["serve", "--fault", "TEXT"],
        ),
        *(["serve", "--app-dir", "TEXT"], ["serve", "--state-dir", "TEXT"]),
        *(["serve", "--secret-env", "TEXT"], ["serve", "--secret-file", "TEXT"]),
        *(
            ["serve", "--header", "TEXT"],
            ["serve", "--header", "TEXT=1"],
            ["serve", "--path", "TEXT"],
        ),
        *(["exec", "TEXT"], ["exec", "--", "TEXT"], ["faults", "TEXT"], ["check", "TEXT"]),
        ["check", "worker", "TEXT"],
        ["check", "worker", "https://localhost:1", "--ca-file", "TEXT"],
        ["check", "worker", "http://localhost:1", "--only", "TEXT"],
        ["check", "worker", "http://localhost:1", "--known-failing", "TEXT"],
        ["check", "worker", "http://localhost:1", "--junit", "TEXT/report.xml"],
        *(["check", "executor", "--executor", "TEXT"], ["doctor", "TEXT"]),
    ],
    ids=" ".join,
)
def test_command_line(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A message of the command line: one line on stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    try:
        status = main([word.replace("TEXT", HOSTILE) for word in words])
    except SystemExit as exc:  # of the parser
        status = int(exc.code or 0)
    said = capsys.readouterr().err
    assert (status, len(said) <= LONGEST + 100, said[:-1].isprintable()) == (2, True, True)
