"""``check executor`` on the command line: choosing the executor, known failures, exit statuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from wove_http_dev.cli.main import main
from wove_http_dev.conformance.executor import context

CONFORMING = "tests.conformance.executor.conforming_executor:ConformingExecutor"
FLAWED = "tests.conformance.executor.defects.commands"


def run(*words: str) -> int:
    """Run ``check executor`` and return its exit status."""
    return main(["check", "executor", *words])


def usage(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run ``check executor``, require a usage error, and return its line."""
    assert run(*words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


# Exit statuses


def test_an_executor_without_a_defect_exits_0() -> None:
    """A check without a failed case exits with status 0."""
    assert run(CONFORMING, "--run", "frames.0*", "--strict") == 0


def test_a_must_that_fails_exits_1(capsys: pytest.CaptureFixture[str]) -> None:
    """A MUST that fails is shown with requirement, sent, expected and actual; the exit status is
    1."""
    assert run("--executor", "http", "--run", "security.02") == 1
    out = capsys.readouterr().out
    words = ("required", "sent", "expected", "a 302 redirect was followed to another origin")
    assert [word in out for word in words] == [True] * 4


def test_a_should_that_fails_exits_0(capsys: pytest.CaptureFixture[str]) -> None:
    """A SHOULD that fails is shown, and the exit status is 0."""
    assert run("--executor", "http", "--run", "errors.13") == 0
    assert "not counted without --strict" in capsys.readouterr().out


def test_a_should_that_fails_exits_1_if_strict() -> None:
    """With --strict a SHOULD that fails makes the exit status 1."""
    assert run("--executor", "http", "--run", "errors.13", "--strict") == 1


def test_a_failed_prerequisite_ends_the_check(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the prerequisite fails, no other case is run and the exit status is 1."""
    monkeypatch.setattr(context, "DELIVERY_TIMEOUT", 0.1)
    assert run(f"{FLAWED}:SaysNothing", "--run", "errors.*") == 1
    assert "NOT RUN" in capsys.readouterr().out


# Known failures


@pytest.mark.parametrize("executor", ["http", "https"])
def test_the_shipped_list_makes_a_clean_run(executor: str) -> None:
    """Wove's own executors fail only the cases in the list for their version."""
    known = ("--known-failing", "builtin", "--strict")
    assert run("--executor", executor, *known, "--run", "security.0*", "--run", "errors.1*") == 0


def test_a_known_failure_that_passes_exits_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A listed case that passes fails the check, because the list is out of date."""
    known = tmp_path / "known.txt"
    known.write_text("frames.02  # not any more\n")
    words = ("--run", "frames.02", "--known-failing", str(known))
    assert run("--executor", "http", *words) == 1
    assert "KNOWN TO FAIL, BUT PASSED" in capsys.readouterr().out


def test_the_shipped_list_is_for_woves_own(capsys: pytest.CaptureFixture[str]) -> None:
    """The shipped list is a usage error for any other executor."""
    assert "for --executor http|https" in usage(capsys, CONFORMING, "--known-failing", "builtin")


# Which executor


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "either MODULE:FACTORY or --executor"),
        ([CONFORMING, "--executor", "http"], "either MODULE:FACTORY or --executor"),
        (["--executor", "gopher"], "http or https, not 'gopher'"),
        (["conforming"], "'conforming' is not MODULE:FACTORY"),
        (["no_such_module:make"], "cannot be imported: ModuleNotFoundError"),
        (["json:no_such"], "json has no no_such"),
        (["json:loads"], "cannot be called: TypeError"),
        (["json:__name__"], "is not callable: its type is str"),
        (["os:getcwd"], "type str, which is not a wove.environment.EnvironmentExecutor"),
        (["--executor", "http", "--run", "no.such"], "'no.such' matches no case"),
        (["--executor", "http", "--known-failing", "/no/such"], "No such file"),
    ],
)
def test_a_usage_error(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong argument is a usage error: one line, and exit status 2."""
    assert says in usage(capsys, *words)


def test_a_module_that_exits_when_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A module that calls sys.exit() when it is imported is a usage error, and does not end the
    checker."""
    (tmp_path / "module_that_exits.py").write_text("raise SystemExit('bye')\n")
    monkeypatch.chdir(tmp_path)
    line = usage(capsys, "module_that_exits:make")
    assert "cannot be imported: SystemExit: bye (module_that_exits.py, line 1)" in line


def test_a_factory_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The working directory is on the import path during the check, and not afterwards."""
    (tmp_path / "module_of_mine.py").write_text(
        "from wove.environment import HttpEnvironmentExecutor\n\n"
        "def make():\n    return HttpEnvironmentExecutor()\n"
    )
    monkeypatch.chdir(tmp_path)
    assert run("module_of_mine:make", "--run", "frames.02") == 0
    assert str(tmp_path) not in sys.path


def test_an_executor_that_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error of an executor that cannot run any weave is shown with its place."""
    (tmp_path / "executor_that_raises.py").write_text(
        "from wove.environment import HttpEnvironmentExecutor\n\n"
        "class Mine(HttpEnvironmentExecutor):\n"
        "    async def start(self, *, environment_config, **more):\n"
        "        environment_config['uri']\n"
    )
    monkeypatch.chdir(tmp_path)
    assert run("executor_that_raises:Mine", "--run", "frames.01") == 1
    assert "'uri' (executor_that_raises.py, line 5)" in " ".join(capsys.readouterr().out.split())


def test_an_executor_that_raises_at_some_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every case shows the place of an error that the executor raised."""
    (tmp_path / "executor_that_raises_late.py").write_text(
        "from wove.environment import HttpEnvironmentExecutor\n\n"
        "class Mine(HttpEnvironmentExecutor):\n"
        "    async def send(self, frame):\n"
        "        if frame['task_id'] != 'task':\n"
        "            raise ValueError('another task')\n"
        "        await super().send(frame)\n"
    )
    monkeypatch.chdir(tmp_path)
    assert run("executor_that_raises_late:Mine", "--run", "frames.05") == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "another task (executor_that_raises_late.py, line 6)" in out


# Selection and files


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    """``--list`` shows the cases without an executor."""
    assert run("--list", "--run", "cancel", "--exclude", "cancel.02") == 0
    out = capsys.readouterr().out
    assert "cancel.01-sent  MUST" in out
    assert "cancel.02" not in out


def test_the_reports(tmp_path: Path) -> None:
    """The JSON and JUnit XML reports have every case."""
    files = [tmp_path / "report.json", tmp_path / "report.xml"]
    words = ["--json", str(files[0]), "--junit-xml", str(files[1])]
    assert run("--executor", "http", "--run", "frames.0[1-4]", *words) == 0
    document: dict[str, Any] = json.loads(files[0].read_text())
    assert document["subject"] == "executor http"
    assert document["counts"]["passed"] == 4
    assert len(ElementTree.parse(files[1]).findall(".//testcase")) == 4


def test_a_thread_that_never_ends_does_not_keep_the_program(tmp_path: Path) -> None:
    """The program ends with its exit status even if the executor leaves a thread behind."""
    (tmp_path / "leaving.py").write_text(
        "import threading\n"
        "from wove.environment import HttpEnvironmentExecutor\n\n"
        "class Leaving(HttpEnvironmentExecutor):\n"
        "    async def start(self, **config):\n"
        "        threading.Thread(target=threading.Event().wait).start()\n"
        "        await super().start(**config)\n"
    )
    command = [sys.executable, "-m", "wove_http_dev", "check", "executor", "leaving:Leaving"]
    ended = subprocess.run(
        [*command, "--run", "frames.0[1-3]"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=60.0,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "3 passed" in ended.stdout


def test_the_environment_is_as_before() -> None:
    """Environment variables that the check sets are restored."""
    before = dict(os.environ)
    run("--executor", "http", "--run", "frames.02")
    assert dict(os.environ) == before
