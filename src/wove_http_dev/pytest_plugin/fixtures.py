"""The plugin's fixtures. They start workers and configure Wove for them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import pytest

from wove_http_dev.pytest_plugin.settings import is_remote, seed
from wove_http_dev.pytest_plugin.stash import WORKERS, join_run

if TYPE_CHECKING:
    from typing_extensions import Unpack  # in typing from Python 3.11

    from wove_http_dev.client_side import ClientSide
    from wove_http_dev.service.limits import Limits
    from wove_http_dev.tls import CertificateAuthority
    from wove_http_dev.worker import HttpWorker
    from wove_http_dev.worker_options import WorkerOptions

    AnyWorker = TypeVar("AnyWorker", bound=ClientSide)


class WorkerFactory(Protocol):
    """The type of the fixture ``wove_http_worker_factory``: takes what :class:`HttpWorker`
    takes."""

    def __call__(
        self,
        *,
        ca: CertificateAuthority | None = ...,
        label: str = ...,
        seed: int = ...,
        limits: Limits | None = ...,
        before_run: Callable[[], None] | None = ...,
        **options: Unpack[WorkerOptions],
    ) -> HttpWorker:
        """Start a worker with ``options``, configure Wove for it, and return it."""


FAULTED_TIMEOUT = 0.5
"""The executor's ``timeout``, in seconds, for a test that runs once per fault. It is short because
many faults show only after it."""
FAULTED_DELIVERY_TIMEOUT = 1.0
"""Wove's ``delivery_timeout``, in seconds, for a test that runs once per fault."""
_TIME_LIMITS = {"timeout", "delivery_timeout"}


@pytest.fixture(scope="session")
def wove_http_options() -> dict[str, Any]:
    """Return a project's default options as a dict; override this fixture in a conftest."""
    return {}


@pytest.fixture
def wove_http_fault() -> Any:
    """The fault that the marker ``wove_http_faults`` injects in this run of the test: a name, a
    text such as ``status code=503``, or a ``Fault`` instance."""
    pytest.fail("wove_http_fault needs the marker wove_http_faults on the test", pytrace=False)


@pytest.fixture(scope="session")
def wove_http_ca() -> Iterator[CertificateAuthority]:
    """The session's certificate authority: ``cert_file``, ``bundle_file``, ``issue(...)``."""
    from wove_http_dev.tls import CertificateAuthority

    with CertificateAuthority() as ca:
        yield ca


@pytest.fixture
def wove_http_worker_factory(
    request: pytest.FixtureRequest, wove_http_options: dict[str, Any]
) -> Iterator[WorkerFactory]:
    """Return ``factory(**options)``, which starts and configures a further worker. It is stopped at
    the end of the test.

    Environments are named ``workers``, ``workers-2``, … unless an option names one.
    """
    from wove_http_dev.errors import UsageError
    from wove_http_dev.options import hide_secrets
    from wove_http_dev.pytest_plugin.markers import marked_options, refuse_wrong_options
    from wove_http_dev.pytest_plugin.strict_check import check_after_test, warn_of_traps

    refuse_wrong_options(request.node, wove_http_options)
    marked = hide_secrets(marked_options(request.node))
    workers = request.node.stash.setdefault(WORKERS, [])
    with ExitStack() as stack:
        others = list(workers)  # the session's worker
        stack.callback(workers.__setitem__, slice(None), others)
        stack.callback(warn_of_traps, request.node, workers)

        def factory(**options: Any) -> HttpWorker:
            __tracebackhide__ = True  # --showlocals would show the secrets in the options
            words = hide_secrets({**wove_http_options, **marked, **options})
            if "environment" not in options and workers:
                words["environment"] = _free_name(words.get("environment", "workers"), workers)
            try:
                worker = _make_worker(request, words, beside=bool(workers))
            except UsageError as exc:  # a page of this package's frames would hide the test's line
                raise exc.with_traceback(None) from None
            worker.marked_fault = _fault_of(request.node)
            try:
                stack.enter_context(worker)
            except UsageError as exc:
                raise exc.with_traceback(None) from None
            workers.append(worker)  # now: of one that never ran there is nothing to report
            stack.enter_context(worker.configured())
            stack.callback(check_after_test, worker, request.node)
            own_limits = not _TIME_LIMITS.isdisjoint([*marked, *options])
            join_run(request.node, worker, own_limits=own_limits)
            # With --wove-http-url it is a RemoteWorker, or a ControlledWorker: of these, members
            # that only a worker of this process has skip.
            return cast("HttpWorker", worker)

        yield factory


@pytest.fixture
def wove_http_worker(
    request: pytest.FixtureRequest, wove_http_worker_factory: WorkerFactory
) -> HttpWorker:
    """A running worker with an empty journal: https, signed requests, environment ``workers``
    configured in Wove, its CA trusted by this process. At the end of the test the worker is checked
    and everything is restored."""
    from wove_http_dev.errors import UsageError
    from wove_http_dev.pytest_plugin.markers import marked_options, place

    fault = _fault_of(request.node)
    options: dict[str, Any] = {}
    if fault is not None:
        options = {"timeout": FAULTED_TIMEOUT, "delivery_timeout": FAULTED_DELIVERY_TIMEOUT}
    try:
        worker = wove_http_worker_factory(**{**options, **marked_options(request.node)})
    except UsageError as exc:  # of options that do not suit each other, or this machine
        message = f"{place(request.node)}: wove_http_worker: {exc}"
        raise pytest.fail.Exception(message, pytrace=False) from None
    if fault is not None:
        why = worker.why_not(fault)
        if why is not None:
            pytest.skip(f"{fault} cannot apply: {why}")
        worker.inject(fault)
    return worker


@pytest.fixture(scope="session")
def wove_http_session_worker(
    request: pytest.FixtureRequest, wove_http_options: dict[str, Any]
) -> Iterator[HttpWorker]:
    """A worker like ``wove_http_worker`` that is started once for the session. After each test that
    uses it, it is checked and reset; Wove is configured for it during those tests only."""
    from wove_http_dev.errors import UsageError
    from wove_http_dev.options import hide_secrets
    from wove_http_dev.pytest_plugin.markers import project_options

    try:
        words = hide_secrets(project_options(wove_http_options))
        worker = _make_worker(request, words)
    except UsageError as exc:
        message = f"wove_http_session_worker: wove_http_options: {exc}"
        raise pytest.fail.Exception(message, pytrace=False) from None
    with worker:
        yield cast("HttpWorker", worker)


@pytest.fixture(scope="session")
def wove_http_adopt(request: pytest.FixtureRequest) -> Callable[[AnyWorker], AnyWorker]:
    """Return ``adopt(worker)``, which treats a worker that a fixture of your own has started as
    one of the test's, and returns it: a failing test shows its report, strict mode checks it, and
    ``--wove-http-faults`` injects faults there. Call it in that fixture, of any scope."""
    from wove_http_dev.pytest_plugin.adoption import adoptions_of

    return adoptions_of(request.config).adopt


def _fault_of(node: pytest.Item) -> Any:
    callspec = getattr(node, "callspec", None)
    return callspec.params.get("wove_http_fault") if callspec is not None else None


def _free_name(base: str, workers: list[ClientSide]) -> str:
    taken = {worker.environment for worker in workers}
    numbered = (f"{base}-{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (base, *numbered) if name not in taken)


def _make_worker(
    request: pytest.FixtureRequest, options: dict[str, Any], *, beside: bool = False
) -> ClientSide:
    """Return a worker; ``beside`` says that the test has one already."""
    if is_remote(request.config):
        from wove_http_dev.pytest_plugin.remote import remote_worker

        return remote_worker(request.config, options, label=request.node.nodeid, beside=beside)
    from wove_http_dev.worker import HttpWorker

    defaults: dict[str, Any] = {
        "ca": request.getfixturevalue("wove_http_ca"),
        "label": request.node.nodeid,
        "seed": seed(request.config),
    }
    if options.get("isolated"):
        defaults["app_dir"] = _import_path(request)
    return HttpWorker(**{**defaults, **options})


def _import_path(request: pytest.FixtureRequest) -> list[str]:
    """Return the directories from which the test, or each of the session's, imports modules of its
    project: those of the ini option ``pythonpath``, that of its own top-level module, and the root
    directory."""
    config = request.config
    try:
        directories = [str(path) for path in config.getini("pythonpath")]
    except (KeyError, ValueError):  # without pytest's own plugin of that name (-p no:…)
        directories = []
    tests = request.session.items if request.scope == "session" else [request]
    for package in dict.fromkeys(test.path.parent for test in tests):
        while (package / "__init__.py").is_file():  # as pytest's import mode "prepend" does
            package = package.parent
        directories.append(str(package))
    directories.append(str(config.rootpath))
    return [each for each in dict.fromkeys(directories) if os.path.isdir(each)]
