"""A run as the source of a pytest test, for ``copy as a pytest test``.

The test makes the worker answer as it did in that run. It runs as it is; the weave in it stands for
the application's own code. Nothing is unpickled: the texts that were made where the task ran are
read as Python literals, and a value that is none is left to the reader.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import re
import textwrap
from collections.abc import Sequence

from wove_http_dev.cut_text import cut_end
from wove_http_dev.printable import printable

COMMENT_LIMIT = 200
"""Characters of the arguments, or of a result that is no literal, in a comment."""

_LITERAL = re.compile(
    r"""(?: b?'(?:[^'\\]|\\[\\'"nrtxuU])*' | b?"(?:[^"\\]|\\[\\'"nrtxuU])*"
        | [0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?j?(?!\w) | None | True | False | set
        | [][(){},:\s+-] )*""",
    re.VERBOSE,
)
"""The tokens of a ``repr`` of literals. For others, Python's parser may print a warning on the
terminal of ``serve``."""


def pytest_text(
    task: str,
    *,
    args: str | None,
    result: str | None,
    error: str | None,
    faults: Sequence[str] = (),
) -> str:
    """Return the source of a test for a run of ``task``.

    ``args`` and ``result`` are the texts that are shown of the run, ``error`` its kind and message
    (``ValueError: too large``), ``faults`` the faults that hit it, as the command line takes them.
    """
    answer, before, expected = _failed(error) if error is not None else _succeeded(result)
    imports = ["from wove import weave"]
    lines = [f"# The task was called with: {_comment(args)}"] if args else []
    lines += before
    lines += [f"wove_http_worker.inject({fault!r}, task={task!r}, times=1)" for fault in faults]
    lines += [f"wove_http_worker.stub({task!r}, {answer}{', unused_ok=True' if faults else ''})"]
    read = f"w.result[{task!r}]"
    if faults:
        imports += ["", "from wove_http_dev import assert_contained"]
        lines += _inside("with assert_contained(wove_http_worker):", [*_weave(task), read])
    elif error is not None:
        imports[:0] = ["import pytest"]
        lines += _inside(f"with pytest.raises({expected}):", [*_weave(task), read])
        lines += ["", _ran(task)]
    else:
        lines += [*_weave(task), "", f"assert {read} == {expected}", _ran(task)]
    name = re.sub(r"\W+", "_", task, flags=re.ASCII).strip("_").lower()[:50] or "task"
    body = textwrap.indent("\n".join(lines), "    ")
    return "\n".join([*imports, "", "", f"def test_{name}(wove_http_worker):", body, ""])


def _succeeded(result: str | None) -> tuple[str, list[str], str]:
    if result is not None and _is_literal(result):
        return f"result={_stubbed(result)}", [], result
    said = f"  # write here what the task returns; it was: {_comment(result)}" if result else ""
    return "result=result", [f"result = None{said}"], "result"


def _stubbed(literal: str) -> str:
    # A list of results is used in order, one for each run.
    return f"[{literal}]" if literal.startswith("[") else literal


def _failed(error: str) -> tuple[str, list[str], str]:
    kind, _, message = error.partition(": ")
    known = getattr(builtins, kind, None)
    if not (isinstance(known, type) and issubclass(known, Exception)):
        kind, message = "RuntimeError", error
    return f"error={kind}({message!r})", [], kind


def _is_literal(text: str) -> bool:
    if not _LITERAL.fullmatch(text):
        return False
    try:
        return repr(ast.literal_eval(text)) == text
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False


def _weave(task: str) -> list[str]:
    plain = task.isidentifier() and task.isascii() and not keyword.iskeyword(task)
    body = f"def {task if plain else 'task'}():"
    lines = ["# In place of this weave, call your application's code that has it."]
    lines += ['with weave(environment="workers") as w:', ""]
    lines += ["    @w.do"] if plain else []
    lines += [f"    {body}", "        raise NotImplementedError  # the stub answers"]
    if not plain:
        lines += ["", f"    task.__name__ = {task!r}", "    w.do(task)"]
    return lines


def _inside(head: str, lines: list[str]) -> list[str]:
    return [head, *(f"    {line}" if line else "" for line in lines)]


def _ran(task: str) -> str:
    return f"wove_http_worker.assert_ran({task!r}, times=1)"


def _comment(text: str | None) -> str:
    return cut_end(printable(text or ""), COMMENT_LIMIT)
