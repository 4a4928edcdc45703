"""An exception, such as that of Ctrl-C, at any call of the fixtures, or between their steps, leaves
threads, descriptors and patches as they were before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from tests.interruption import interrupt_each_place
from wove_http_dev.pytest_plugin import fixtures
from wove_http_dev.pytest_plugin.stash import WORKERS
from wove_http_dev.tls import CertificateAuthority


class Request:
    """What the fixtures use of ``pytest.FixtureRequest``."""

    def __init__(self, ca: CertificateAuthority) -> None:
        self._ca = ca
        self.node = self
        self.config = self
        self.nodeid = "test_module.py::test"
        self.stash = pytest.Stash()

    def iter_markers(self, name: str) -> Iterator[pytest.Mark]:
        """The test has no markers."""
        return iter(())

    def getoption(self, name: str) -> None:
        """No option is given."""

    def getini(self, name: str) -> str:
        """No ini option is given."""
        return ""

    def getfixturevalue(self, name: str) -> CertificateAuthority:
        """The fixture ``wove_http_ca``."""
        return self._ca


def of_fixture(fixture: Any) -> Callable[..., AbstractContextManager[Any]]:
    """The generator function of ``fixture``, as a context manager."""
    get = getattr(fixture, "_get_wrapped_function", None)  # pytest 8.4
    return contextmanager(get() if get is not None else fixture.__pytest_wrapped__.obj)


def test_factory(wove_http_ca: CertificateAuthority) -> None:
    """The workers of ``wove_http_worker_factory`` are stopped at its end, although starting or
    ending them was interrupted."""
    assert wove_http_ca.cert_file
    made: list[Request] = []

    def use() -> None:
        request = Request(wove_http_ca)
        made.append(request)
        with of_fixture(fixtures.wove_http_worker_factory)(request, {}) as factory:
            factory(tls=False)
            factory(tls=False)

    def afterwards() -> None:
        assert made[-1].stash.get(WORKERS, []) == []

    interrupt_each_place(lambda: use, afterwards=afterwards)


def test_ca() -> None:
    """``wove_http_ca`` deletes its files although that was interrupted."""

    def use() -> None:
        with of_fixture(fixtures.wove_http_ca)() as ca:
            assert ca.cert_file

    interrupt_each_place(lambda: use)
