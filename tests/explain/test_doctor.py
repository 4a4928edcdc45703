"""The table of ``doctor``'s checks, those of Wove's configuration as a whole, and a configuration
that is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.explain.conftest import Diagnose, MakeSettings
from tests.explain.helpers import LEFT_OUT, TASK
from wove_http_dev.explain.doctor import CHECKS, SENDING_NEEDS
from wove_http_dev.private_files import write_private

OF_THE_PROCESS = ["default-environment", "names", "fork"]


def test_right(diagnose: Diagnose, settings: MakeSettings) -> None:
    """A configuration that is right passes every check, in the order of the table."""
    done = diagnose(settings())
    assert done.problems == {}
    assert [*done.findings] == [
        *OF_THE_PROCESS,
        *(check.name for check in CHECKS),
        "no-op",
        "clock",
    ]
    assert (done.status, done.out.splitlines()[-1]) == (0, "no problem found")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_needs(check: Any) -> None:
    """What a check needs stands before it in the table."""
    names = [each.name for each in CHECKS]
    assert set(check.needs) <= set(names[: names.index(check.name)])


def test_sending_needs() -> None:
    """What a request needs is in the table."""
    assert set(SENDING_NEEDS) <= {check.name for check in CHECKS}


def test_not_sent(diagnose: Diagnose, settings: MakeSettings) -> None:
    """After a problem with which nothing can be sent, the output says that nothing was."""
    done = diagnose(settings(config={"security": "env:NOT_SET_ANYWHERE"}))
    assert done.findings["no-op"] == ("skipped", "not sent, because of a problem above")
    assert (done.status, done.out.splitlines()[-1]) == (1, "1 problem found")


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The file of a secret in the state directory of a serve."""
    file = tmp_path / "two words" / "secret"
    file.parent.mkdir()
    write_private(file, b"correct-horse")
    return file


def test_secret_of_a_local_serve(diagnose: Diagnose, settings: MakeSettings, kept: Path) -> None:
    """Where the variable of the secret is not set, the line that sets it to a local serve's is
    shown, as a shell reads it."""
    security = {"security": "env:NOT_SET_ANYWHERE"}
    done = diagnose(settings(config=security), "--state-dir", str(kept.parent))
    advice = f"""a local serve keeps its secret: export NOT_SET_ANYWHERE="$(cat '{kept}')\""""
    assert done.problems["security"].endswith(advice)


@pytest.mark.parametrize(
    "config",
    [
        {"security": "env:WITH_BREAK"},
        {"security": {"type": "bearer", "token_env": "NOT_SET_ANYWHERE"}},
        {"security": "env:NOT_SET_ANYWHERE", "url": "https://workers.internal/wove/tasks"},
        {"security": "env:NOT_SET_ANYWHERE", "url": "no url"},
        {"security": "env:NOT_SET_ANYWHERE", "url": "http://["},
    ],
    ids=["set", "a token", "elsewhere", "nowhere", "not a url"],
)
def test_no_secret_of_a_local_serve(
    diagnose: Diagnose,
    settings: MakeSettings,
    kept: Path,
    config: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A local serve's secret is offered only in place of one that is missing, and for it."""
    monkeypatch.setenv("WITH_BREAK", "correct\n")
    done = diagnose(settings(config=config), "--state-dir", str(kept.parent))
    assert (done.status, "local serve" in done.out) == (1, False)


def test_several_problems(diagnose: Diagnose, settings: MakeSettings) -> None:
    """Problems that have nothing to do with each other are all found."""
    done = diagnose(settings(config={"timeout": LEFT_OUT, "key": "x"}, shared={"fork": True}))
    assert [*done.problems] == ["fork", "keys", "timeout"]
    assert done.findings["no-op"][0] == "ok"
    assert (done.status, done.out.splitlines()[-1]) == (1, "3 problems found")


def test_each_environment(diagnose: Diagnose, settings: MakeSettings) -> None:
    """Each remote environment has a heading of its own."""
    rest = "wove.config(environments={'more': {'executor': 'http'}, 'near': {}})"
    done = diagnose(settings(rest=rest))
    headings = [line for line in done.out.splitlines() if line.startswith("environment")]
    assert [line.split()[1] for line in headings] == ["'workers'", "'more'"]


def test_heading_shows_no_secret(diagnose: Diagnose, settings: MakeSettings) -> None:
    """The query of a URL, which may hold a token, is not shown."""
    done = diagnose(settings(config={"url": settings().url + "?token=hidden"}))
    assert (done.status, "hidden" in done.out) == (0, False)


# The configuration as a whole


def test_misspelt_default_environment(diagnose: Diagnose, settings: MakeSettings) -> None:
    """A default environment for which Wove has made a local one is a problem."""
    done = diagnose(settings(shared={"default_environment": "wrokers"}))
    assert "'wrokers' is local" in done.problems["default-environment"]
    assert "did you mean 'workers'?" in done.problems["default-environment"]


@pytest.mark.parametrize(
    ("name", "words"), [("workers", "go there"), ("default", "do not go to a worker by http")]
)
def test_right_default_environment(
    diagnose: Diagnose, settings: MakeSettings, name: str, words: str
) -> None:
    """Where tasks without ``environment=`` run is said."""
    done = diagnose(settings(shared={"default_environment": name}))
    verdict, text = done.findings["default-environment"]
    assert (verdict, words in text) == ("ok", True)


@pytest.mark.parametrize(
    ("weave", "task"), [("", "environment='wrokers'"), ("environment='wrokers'", "")]
)
def test_unknown_name(diagnose: Diagnose, settings: MakeSettings, weave: str, task: str) -> None:
    """An environment that a task or a weave names, and that nobody configures, is one problem."""
    done = diagnose(settings(rest=TASK.format(weave=weave, task=task)))
    ((check, text),) = done.problems.items()
    assert check == "names"
    assert "names environment 'wrokers', which is not configured; did you mean 'workers'?" in text


def test_right_name(diagnose: Diagnose, settings: MakeSettings) -> None:
    """One that is configured is right."""
    done = diagnose(settings(rest=TASK.format(weave="", task="environment='workers'")))
    assert done.findings["names"] == ("ok", "1 of the source, all of them configured")


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"shared": {"fork": True}}, "wove.config"),
        ({"own": {"fork": True}}, "'workers'"),
        ({"rest": TASK.format(weave="fork=True, background=True", task="")}, "settings.py:6"),
    ],
    ids=["shared", "own", "weave"],
)
def test_fork(
    diagnose: Diagnose, settings: MakeSettings, changes: dict[str, Any], place: str
) -> None:
    """A forked weave is one problem, wherever it is asked for."""
    ((check, text),) = diagnose(settings(**changes)).problems.items()
    assert (check, place in text) == ("fork", True)
