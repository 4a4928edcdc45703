"""The guide, ``conformance/README.md``, matches the code."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path

import pytest

from wove_http_dev import conformance
from wove_http_dev.cli.main import main
from wove_http_dev.conformance.executor.suite import EXECUTOR_CASES
from wove_http_dev.conformance.known_failures import parse_list
from wove_http_dev.conformance.worker.cases.auth import replay
from wove_http_dev.conformance.worker.suite import WORKER_CASES

GUIDE = (Path(str(conformance.__file__)).parent / "README.md").read_text(encoding="utf-8")


def test_the_shown_case_is_in_the_suite() -> None:
    """The example of a case in the guide is the source code of a case."""
    (shown,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert textwrap.dedent(f"   {shown}").strip() in inspect.getsource(replay)


def test_the_shown_list_can_be_read() -> None:
    """The example of a list of known failures in the guide can be parsed."""
    (shown,) = re.findall(r"```text\n(.*?)```", GUIDE, re.DOTALL)
    assert parse_list(shown, "guide", WORKER_CASES, (3, 11)) == ["auth.16", "errors.08"]


@pytest.mark.parametrize("kind", ["worker", "executor"])
def test_every_option_is_explained(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The guide names every option that ``--help`` lists."""
    with pytest.raises(SystemExit):
        main(["check", kind, "--help"])
    options = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert {option for option in options if option not in GUIDE} == set()


def test_named_cases_exist() -> None:
    """Every case id in the guide is the id of a case."""
    cases = {case.id for case in (*WORKER_CASES, *EXECUTOR_CASES)}
    families = "|".join({case.family for case in (*WORKER_CASES, *EXECUTOR_CASES)})
    named = set(re.findall(rf"`({families})\.(\d\d)`", GUIDE))
    assert {f"{family}.{number}" for family, number in named} - cases == set()


def test_no_counts_are_written_by_hand() -> None:
    """The guide has no number of cases, because it would be out of date after the next case."""
    assert re.findall(r"\d+ (?:numbered )?cases", GUIDE) == []
