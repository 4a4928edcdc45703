"""The tests of a table of remedies, for both kinds of checks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from wove_http_dev.conformance.case import Case, Remedy

ROOT = Path(__file__).resolve().parents[2]


def _functions(body: Sequence[ast.stmt], prefix: str = "") -> Iterator[str]:
    """Yield the functions of a file, as ``name()`` or ``Class.name()``."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield f"{prefix}{node.name}()"
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}.")


def exists(example: str) -> bool:
    """Return whether ``example`` names a function of a file of this repository."""
    file, _, function = example.partition(": ")
    path = ROOT / file
    return path.is_file() and function in _functions(ast.parse(path.read_text("utf-8")).body)


class RemedyTests:
    """The base class of a test class that has ``cases`` and their ``remedies``."""

    cases: Sequence[Case]
    remedies: Sequence[tuple[str, Remedy]]

    def test_every_case_has_one(self) -> None:
        assert [case.id for case in self.cases if case.remedy is None] == []

    def test_every_word_is_for_a_case(self) -> None:
        """Every id and family of the table is that of a case without a nearer one."""
        unused = [
            word
            for words, remedy in self.remedies
            for word in words.split()
            if not any(case.matches(word) and case.remedy is remedy for case in self.cases)
        ]
        assert unused == []

    def test_every_example_exists(self) -> None:
        """Every example is a function of a file of this repository, as it is named there now."""
        examples = [remedy.example for _, remedy in self.remedies]
        assert [example for example in examples if not exists(example)] == []

    def test_each_is_one_sentence(self) -> None:
        texts = [remedy.how for _, remedy in self.remedies]
        assert [
            text for text in texts if not text.endswith(".") or re.search(r"[a-z]\. [A-Z]", text)
        ] == []
