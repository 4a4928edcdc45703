"""What the markers ``wove_http`` and ``wove_http_faults`` mean for a test, and mistakes in them."""

from __future__ import annotations

import difflib
import importlib.metadata
from collections.abc import Iterable, Mapping
from inspect import signature
from typing import Any

import pytest

from wove_http_dev.errors import UsageError
from wove_http_dev.faults.fault import Fault
from wove_http_dev.faults.text import expand_marker_words, instance_of, read_injection, without
from wove_http_dev.options import Options
from wove_http_dev.pytest_plugin.stash import WORKERS

PER_TEST = {"wove_http_worker", "wove_http_worker_factory"}
"""The fixtures that take the options of the marker ``wove_http``."""
MISSPELT = 0.85
"""Likeness, of 1, from which a marker counts as a misspelt one. A project's own ``wove_http_slow``
is less like ``wove_http``, and pytest warns of it if it is not registered."""


def place(item: pytest.Item) -> str:
    """Return the test and its line. pytest itself names the file only, and of a parametrized test
    the item's name has the parameters."""
    _, line, name = item.location
    return name if line is None else f"{name} (line {line + 1})"


def run_once_per_fault(metafunc: pytest.Metafunc) -> None:
    """Parametrize a test that has the marker ``wove_http_faults``. A fault that the installed Wove
    cannot contain is expected to fail the test."""
    try:
        if not {"wove_http_worker", "wove_http_fault"} & set(metafunc.fixturenames):
            raise UsageError(
                "the test must use wove_http_worker, where the fault is injected: request that"
                " fixture"
            )
        faults = _chosen(metafunc.definition.iter_markers("wove_http_faults"))
    except UsageError as exc:
        message = f"{place(metafunc.definition)}: wove_http_faults: {exc}"
        raise pytest.Collector.CollectError(message) from None
    if "wove_http_fault" not in metafunc.fixturenames:
        metafunc.fixturenames.append("wove_http_fault")
    wove = importlib.metadata.version("wove")
    metafunc.parametrize("wove_http_fault", [_parameter(fault, wove) for fault in faults])


def _chosen(markers: Iterable[pytest.Mark]) -> list[str | Fault]:
    words: list[Any] = []
    excluded: list[Any] = []
    for marker in markers:
        words.append(marker.args)
        unknown = marker.kwargs.keys() - {"exclude"}
        if unknown:
            raise UsageError(
                f"it takes no keywords but exclude=, not {min(unknown)}=; a fault with a field is"
                ' one text, as in "status code=503"'
            )
        excluded.append(marker.kwargs.get("exclude", ()))
    faults = expand_marker_words(words)
    kept = without(faults, excluded)
    if not kept:
        raise UsageError("exclude= leaves no fault")
    return kept


def _parameter(fault: str | Fault, wove: str) -> Any:
    why = instance_of(fault).why_uncontained(wove)
    reason = f"Wove {wove} cannot contain {fault}: {why}"
    # Not strict: the test may be one that the fault does not disturb.
    marks = [pytest.mark.xfail(reason=reason, strict=False)] if why is not None else []
    return pytest.param(fault, id=str(fault), marks=marks)


def marked_options(item: pytest.Item) -> dict[str, Any]:
    """Return the options of the markers ``wove_http`` of the test, its class and its module; the
    nearest counts. Raises :class:`UsageError` for one without a keyword."""
    options: dict[str, Any] = {}
    for marker in reversed(list(item.iter_markers("wove_http"))):
        if marker.args:
            raise UsageError("it takes keyword options only, e.g. faults=[…]")
        options.update(marker.kwargs)
    return options


def project_options(returned: object) -> dict[str, Any]:
    """Return what the fixture ``wove_http_options`` returned. Raises :class:`UsageError` if it is
    no dict."""
    if not isinstance(returned, dict):
        kind = type(returned).__name__
        raise UsageError(f"it must return a dict of options, not {kind}")
    return returned


def refuse_wrong_options(item: pytest.Item, project: object) -> None:
    """Fail the test, in one line, for an option of its markers or of ``wove_http_options`` that no
    worker takes: the line of a call that uses the option would hide where it is."""
    source = "wove_http_options"
    try:
        _check_options(project_options(project))
        source = "the marker wove_http"
        _check_options(marked_options(item))
    except UsageError as exc:
        raise pytest.fail.Exception(f"{place(item)}: {source}: {exc}", pytrace=False) from None


def _check_options(options: Mapping[str, Any]) -> None:
    if not options:  # as in most tests
        return
    from wove_http_dev.worker import HttpWorker  # slow, and not needed to collect tests

    # Whether options suit each other is known when a worker is made with all of them.
    beside = HttpWorker.__init__.__kwdefaults__ or {}
    checked = Options.of(**{name: options[name] for name in options if name not in beside})
    for fault in checked.faults:
        read_injection([fault], {})


def why_without_effect(item: pytest.Item) -> str | None:
    """Return why the marker ``wove_http`` of the test itself does nothing; ``None`` if it does
    something.

    A marker of a class or module may be for some of its tests. Another fixture may have got the
    worker from ``request``, and a test with ``request`` may still do so.
    """
    names = set(getattr(item, "fixturenames", ()))
    body = getattr(item, "obj", None)
    if names & PER_TEST:
        return None
    where = f"{place(item)}: the marker wove_http"
    if "wove_http_session_worker" in names:
        return (
            f"{where} cannot change the session's worker: request wove_http_worker, or set the"
            " options in the fixture wove_http_options"
        )
    if WORKERS in item.stash or (callable(body) and "request" in signature(body).parameters):
        return None
    return f"{where} is for a worker, and the test uses none: request the fixture wove_http_worker"


def why_without_faults(item: pytest.Item) -> str | None:
    """Return why the test does not run once per fault although its marker ``wove_http_faults`` asks
    for that; ``None`` if it does."""
    callspec = getattr(item, "callspec", None)
    if not isinstance(item, pytest.Function) or callspec is not None:
        return None
    return (
        f"{place(item)}: the marker wove_http_faults does nothing in a unittest.TestCase, whose"
        " tests pytest cannot run once per fault: write a plain class or function, or call"
        " worker.inject() in the test"
    )


def why_misspelt(item: pytest.Item, name: str, known: Iterable[str]) -> str | None:
    """Return which of ``known`` the marker ``name`` was probably meant to be; ``None`` if it is
    like none of them, or the project has registered it as its own."""
    registered = {
        line.partition(":")[0].partition("(")[0].strip() for line in item.config.getini("markers")
    }
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=MISSPELT)
    if not close or name in registered:
        return None
    return f"{place(item)}: there is no marker {name!r}; did you mean {close[0]!r}?"
