"""The executor under test, given by name or by MODULE:FACTORY."""

from __future__ import annotations

import gc
import warnings

import pytest

from tests.conformance.executor.conforming_executor import ConformingExecutor
from wove_http_dev.conformance.executor.executor_under_test import builtin_executor, load_executor
from wove_http_dev.errors import UsageError

MODULE = "tests.conformance.executor.conforming_executor"


def test_a_builtin_executor_is_made_by_its_name() -> None:
    """For a built-in executor make() returns its name, which Wove accepts as an executor."""
    assert builtin_executor("https").make() == "https"


def test_another_name_is_a_usage_error() -> None:
    """An unknown name is a usage error that lists the known names."""
    with pytest.raises(UsageError, match="http or https, not 'grpc'"):
        builtin_executor("grpc")


def test_a_factory_is_called_for_each_weave() -> None:
    """make() calls the factory each time and returns a new executor."""
    subject = load_executor(f"{MODULE}:ConformingExecutor")
    first, second = subject.make(), subject.make()
    assert isinstance(first, ConformingExecutor)
    assert first is not second


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("myapp", "is not MODULE:FACTORY"),
        ("no.such.module:make", "cannot be imported: ModuleNotFoundError"),
        (f"{MODULE}:missing", "has no missing"),
        (f"{MODULE}:LIMIT", "is not callable"),
        ("builtins:int", "is not a wove.environment.EnvironmentExecutor"),
        ("sys:exit", "cannot be called: SystemExit"),
    ],
)
def test_what_makes_no_executor_is_a_usage_error(spec: str, message: str) -> None:
    """A factory that cannot be imported or makes no executor is a usage error that says why."""
    with pytest.raises(UsageError, match=message):
        load_executor(spec)


async def make_executor() -> ConformingExecutor:
    """A factory that must be awaited."""
    return ConformingExecutor()


def test_a_coroutine_function_is_a_usage_error() -> None:
    """It is refused in one line: Python does not warn of a coroutine that was never awaited."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with pytest.raises(UsageError, match="is called, not awaited: name a plain function"):
            load_executor(f"{__name__}:make_executor")
        gc.collect()
    assert [str(each.message) for each in seen] == []
