from __future__ import annotations

from typing import Any

import pytest

from wove_http_dev import HttpWorker
from wove_http_dev.inspector.pytest_text import COMMENT_LIMIT, pytest_text


def run(text: str, worker: HttpWorker) -> None:
    """Run the test in ``text``, which uses ``worker`` as its fixture."""
    names: dict[str, Any] = {}
    exec(compile(text, "<pasted test>", "exec"), names)
    (test,) = (value for name, value in names.items() if name.startswith("test_"))
    test(worker)


@pytest.mark.parametrize("result", ["6", "[1, 2]", "{'a': (None, True)}", "b'x'", "[]", "'…'"])
def test_a_literal_result_is_asserted(wove_http_worker: HttpWorker, result: str) -> None:
    text = pytest_text("convert", args="n=3", result=result, error=None)
    assert f"w.result['convert'] == {result}" in text
    run(text, wove_http_worker)


def test_another_result_is_left_to_the_reader(wove_http_worker: HttpWorker) -> None:
    text = pytest_text("convert", args=None, result="<Frame 3>", error=None)
    assert "result = None  # write here what the task returns; it was: <Frame 3>\n" in text
    run(text, wove_http_worker)


def test_an_error_is_expected(wove_http_worker: HttpWorker) -> None:
    text = pytest_text("convert", args="n=3", result=None, error="ValueError: too 'large'\n\\")
    assert "pytest.raises(ValueError)" in text
    run(text, wove_http_worker)


def test_an_error_of_another_kind_keeps_its_text(wove_http_worker: HttpWorker) -> None:
    text = pytest_text("convert", args=None, result=None, error="app.Broken: no disk")
    assert "error=RuntimeError('app.Broken: no disk')" in text
    run(text, wove_http_worker)


@pytest.mark.parametrize("error", ["SystemExit: 1", "print: x", "KeyboardInterrupt"])
def test_what_would_end_the_test_run_is_no_error_of_it(
    wove_http_worker: HttpWorker, error: str
) -> None:
    run(pytest_text("convert", args=None, result=None, error=error), wove_http_worker)


def test_faults_are_injected(wove_http_worker: HttpWorker) -> None:
    text = pytest_text("convert", args=None, result="6", error=None, faults=["status code=503"])
    wove_http_worker.allow_refusals()
    run(text, wove_http_worker)
    assert wove_http_worker.injections[0].hits == 1


@pytest.mark.parametrize(
    "task", ["<img onerror=alert(1)>", "class", "größe", "'''\"\"\"\n#", "a\\", "1st", "💥"]
)
def test_the_name_of_a_task_is_only_text(wove_http_worker: HttpWorker, task: str) -> None:
    run(pytest_text(task, args=None, result="1", error=None), wove_http_worker)


@pytest.mark.parametrize(
    "hostile", ["x\nraise SystemExit(3)", "\r\x0craise SystemExit(3)", "\u2028"]
)
def test_a_comment_is_one_line(wove_http_worker: HttpWorker, hostile: str) -> None:
    run(pytest_text("convert", args=hostile, result=hostile, error=None), wove_http_worker)


def test_long_arguments_are_cut() -> None:
    text = pytest_text("convert", args="x" * 10_000, result="1", error=None)
    assert f"with: {'x' * (COMMENT_LIMIT - 1)}…\n" in text


@pytest.mark.parametrize("result", [r"'C:\dir'", "1if 2else 3", r"b'\d'"])
def test_no_warning_of_the_parser(result: str, recwarn: pytest.WarningsRecorder) -> None:
    """A ``repr`` of a class that looks like a literal prints nothing on the terminal of serve."""
    assert "result = None" in pytest_text("t", args=None, result=result, error=None)
    assert [str(each.message) for each in recwarn] == []


@pytest.mark.parametrize(
    "value",
    [
        *(1, -2.5, 1e16, 1e-05, 3j, 10**50, complex(1, -2), None, True, set(), (), {}),
        *("it's", 'a"b\\\n\x1b\u202e\U0001f600', b"\xff'", [1, (2,), {"a": {3}}]),
    ],
    ids=repr,
)
def test_literal_in_the_test(value: object) -> None:
    """A result that Python can read is in the test as it is."""
    text = pytest_text("t", args=None, result=repr(value), error=None)
    assert f"== {value!r}" in text
