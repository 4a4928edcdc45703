"""``wove_http_adopt``: workers that fixtures of the user's own start, as the plugin's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from wove_http_dev.client_side import ClientSide
from wove_http_dev.pytest_plugin.settings import FAULTS, values
from wove_http_dev.pytest_plugin.stash import WORKERS, join_run
from wove_http_dev.pytest_plugin.strict_check import check_after_test, fail_if_violated

NAME = "wove_http_adopt"
AnyWorker = TypeVar("AnyWorker", bound=ClientSide)


@dataclass
class _Adopted:
    worker: ClientSide
    fixture: str
    """The fixture that adopted it."""


class Adoptions:
    """The adopted workers of a session. A pytest plugin: it must know which fixture makes a call.

    A worker belongs to the tests that request the fixture, also indirectly, and as long as the
    fixture lasts.
    """

    def __init__(self, *, faulting: bool) -> None:
        self._faulting = faulting
        """Whether tests run with faults, which a worker of a wider scope has seen then."""
        self._in_setup: list[Any] = []
        self._joined: list[ClientSide] = []
        self._kept: list[_Adopted] = []
        self._item: pytest.Item | None = None

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        """Note which fixture is set up."""
        self._in_setup.append(fixturedef)
        yield
        self._in_setup.pop()

    def adopt(self, worker: AnyWorker) -> AnyWorker:
        """Treat ``worker``, which a fixture of your own has started, as one of the test's, and
        return it: a failing test shows its report, strict mode checks it, and
        ``--wove-http-faults`` injects faults there.

        Call it in the fixture, of any scope, or in the test.
        """
        if not isinstance(worker, ClientSide):
            pytest.fail(f"{NAME} takes an HttpWorker, not {type(worker).__name__}", pytrace=False)
        if self._item is None:
            message = f"{NAME} must be among the arguments of the fixture, or test, that calls it"
            pytest.fail(message, pytrace=False)
        item, last = self._item, self._in_setup[-1:]
        if last:
            adopted = _Adopted(worker, last[0].argname)
            self._kept.append(adopted)
            last[0].addfinalizer(lambda: self._end(adopted, last[0].scope))
        else:
            item.addfinalizer(lambda: check_after_test(worker, item))
        self._join(worker)
        return worker

    def _end(self, adopted: _Adopted, scope: str) -> None:
        """Forget a worker whose fixture ends, and do the checks of strict mode."""
        self._kept.remove(adopted)
        if scope == "function" and self._item is not None:
            check_after_test(adopted.worker, self._item)
        elif scope != "function" and not self._faulting:
            fail_if_violated(adopted.worker)

    def _join(self, worker: ClientSide) -> None:
        assert self._item is not None
        workers = self._item.stash.setdefault(WORKERS, [])
        if worker not in workers:
            workers.append(worker)
            self._joined.append(worker)
            join_run(self._item, worker)

    @contextmanager
    def in_test(self, item: pytest.Item) -> Iterator[None]:
        """A test with the workers that fixtures of a wider scope have adopted for it."""
        self._item = item
        names = getattr(item, "fixturenames", ())
        for adopted in self._kept:
            if adopted.fixture in names:
                self._join(adopted.worker)
        try:
            yield
        finally:
            self._item = None
            for worker in self._joined:
                item.stash[WORKERS].remove(worker)
            self._joined.clear()


ADOPTIONS: pytest.StashKey[Adoptions] = pytest.StashKey()


def adoptions_of(config: pytest.Config) -> Adoptions:
    """Return the session's adopted workers."""
    if ADOPTIONS not in config.stash:
        adoptions = config.stash[ADOPTIONS] = Adoptions(faulting=bool(values(config, FAULTS)))
        config.pluginmanager.register(adoptions, "wove_http_adoptions")
    return config.stash[ADOPTIONS]
