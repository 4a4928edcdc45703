"""The guide, ``conformance/README.md``, matches the code."""

from __future__ import annotations

import importlib.metadata
import inspect
import os
import re
import shlex
import sys
import textwrap
from pathlib import Path

import pytest

from tests.conformance.worker import references
from tests.support import free_port
from wove_http_dev import conformance
from wove_http_dev.cli.main import main
from wove_http_dev.conformance.executor.suite import EXECUTOR_CASES
from wove_http_dev.conformance.known_failures import parse_list
from wove_http_dev.conformance.worker.cases.auth import timestamps
from wove_http_dev.conformance.worker.suite import WORKER_CASES

GUIDE = (Path(str(conformance.__file__)).parent / "README.md").read_text(encoding="utf-8")


def test_the_shown_case_is_in_the_suite() -> None:
    """The example of a case in the guide is the source code of a case."""
    (shown,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert textwrap.dedent(f"   {shown}").strip() in inspect.getsource(timestamps)


def test_the_shown_list_can_be_read() -> None:
    """The example of a list of known failures in the guide can be parsed."""
    *_, shown = re.findall(r"```text\n(.*?)```", GUIDE, re.DOTALL)
    assert parse_list(shown, "guide", WORKER_CASES, (3, 11)) == ["auth.16", "errors.08"]


@pytest.mark.parametrize("kind", ["worker", "executor"])
def test_every_option_is_explained(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The guide names every option that ``--help`` lists."""
    with pytest.raises(SystemExit):
        main(["check", kind, "--help"])
    options = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert {option for option in options if option not in GUIDE} == set()


def test_the_command_of_a_reference_worker_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that starts and checks a reference worker works as it is printed, with ``python``
    of the active environment; only its port is another one here."""
    (shown,) = re.findall(r"\$ (python -m wove_http_dev check worker .*\n.*--cmd .*)", GUIDE)
    _, _, _, *words = shlex.split(shown.replace("\\\n", " ").replace("8080", str(free_port())))
    monkeypatch.chdir(references.EXAMPLES.parent)
    monkeypatch.setenv("WOVE_WORKER_SECRET", "a secret")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert main([*words, "--run", "run.01"]) == 0


def test_the_extra_has_what_the_examples_need() -> None:
    """The extra ``examples`` names every package that a reference worker imports and that this
    package does not need."""
    extra = {
        re.split(r"\W", line)[0]
        for line in importlib.metadata.requires("wove-http-dev") or []
        if re.search(r"""extra == ['"]examples['"]""", line)
    }
    assert extra == {module for needs in references.NEEDS.values() for module in needs}


def test_named_cases_exist() -> None:
    """Every case id in the guide is the id of a case."""
    cases = {case.id for case in (*WORKER_CASES, *EXECUTOR_CASES)}
    families = "|".join({case.family for case in (*WORKER_CASES, *EXECUTOR_CASES)})
    named = set(re.findall(rf"`({families})\.(\d\d)`", GUIDE))
    assert {f"{family}.{number}" for family, number in named} - cases == set()


def test_no_counts_are_written_by_hand() -> None:
    """The guide has no number of cases, because it would be out of date after the next case."""
    assert re.findall(r"\d+ (?:numbered )?cases", GUIDE) == []
