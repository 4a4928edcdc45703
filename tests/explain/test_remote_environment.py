"""An environment, as Wove reads it."""

from __future__ import annotations

from typing import Any

import pytest
from wove.environment import (
    GrpcEnvironmentExecutor,
    HttpEnvironmentExecutor,
    build_executor_from_name,
)

from tests.explain.helpers import environment
from wove_http_dev.explain.remote_environment import RemoteEnvironment, executor_names
from wove_http_dev.explain.task_calls import TaskCall


@pytest.mark.parametrize("name", executor_names())
def test_executor_names(name: str) -> None:
    """Every name is one that Wove knows."""
    assert build_executor_from_name(name)


@pytest.mark.parametrize(
    ("definition", "remote"),
    [
        ({"executor": "http"}, True),
        ({"executor": HttpEnvironmentExecutor()}, True),
        ({"executor": "htpps"}, True),
        ({"executor": None}, True),
        ({"executor_config": {"url": "http://localhost/"}}, True),
        ({"config": {"url": "http://localhost/"}}, True),
        ({"url": "http://localhost/"}, True),
        ({"executor": "local"}, False),
        ({}, False),
        ({"executor": "grpc", "executor_config": {"url": "x"}}, False),
        ({"executor": "celery"}, False),
        ({"executor": GrpcEnvironmentExecutor()}, False),
    ],
)
def test_is_remote(definition: dict[str, Any], remote: bool) -> None:
    """It is remote if it sends by http, or would if its executor were written right."""
    assert RemoteEnvironment("workers", definition).is_remote is remote


@pytest.mark.parametrize(
    ("executor", "name"),
    [
        (HttpEnvironmentExecutor(), "http"),
        (HttpEnvironmentExecutor(require_https=True), "https"),
    ],
)
def test_instance(executor: Any, name: str) -> None:
    """An instance of Wove's executor counts as its name."""
    assert RemoteEnvironment("workers", {"executor": executor}).executor == name


@pytest.mark.parametrize(
    ("own", "shared", "is_default", "value"),
    [
        ({"retries": 1}, {"retries": 2}, True, 1),
        ({"retries": 1}, {"retries": 2}, False, 2),
        ({"retries": None}, {"retries": 2}, True, None),
        ({}, {"retries": 2}, True, 2),
    ],
)
def test_in_force(
    own: dict[str, Any], shared: dict[str, Any], is_default: bool, value: int | None
) -> None:
    """An environment's own setting holds where the environment is the default one."""
    env = RemoteEnvironment("workers", own, shared, is_default)
    assert env.in_force("retries") == value


@pytest.mark.parametrize(
    ("calls", "of_weaves"),
    [
        ([], False),
        ([TaskCall("", "do", {"environment": "workers"})], False),
        ([TaskCall("", "weave", {"environment": "workers"})], True),
        (
            [
                TaskCall("", "weave", {"environment": "workers"}),
                TaskCall("", "do", {"environment": "workers"}),
            ],
            False,
        ),
    ],
)
def test_is_of_weaves(calls: list[TaskCall], of_weaves: bool) -> None:
    """Or where only weaves name it."""
    assert RemoteEnvironment("workers", {}, calls=calls).is_of_weaves is of_weaves


def test_clean() -> None:
    """Secrets of credentials and headers are replaced in a text from outside."""
    env = environment(security={"secret": "hunter2"}, headers={"X-Api-Key": "hunter3", "A": "b"})
    assert env.clean("hunter2, hunter3 and b") == "<secret>, <secret> and b"


def test_clean_with_a_short_secret() -> None:
    """A short secret is replaced where it stands alone, not inside the words of a message."""
    env = environment(security={"secret": "other"})
    said = "the client signs with another secret; it sent 'other' as key=other_"
    assert env.clean(said) == said.replace("'other'", "'<secret>'").replace("=other", "=<secret>")


def test_repr() -> None:
    """The repr shows no secret."""
    assert "hunter2" not in repr(environment(security={"secret": "hunter2"}))
