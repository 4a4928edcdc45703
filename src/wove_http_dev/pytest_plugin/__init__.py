"""The pytest plugin: options, marker, fixtures, report section.

It contains no behaviour: a fixture is ``with HttpWorker(...)``. It is loaded in every pytest run of
whoever installed the package, so it imports nothing heavy before a fixture is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from wove_http_dev.tls import CertificateAuthority
    from wove_http_dev.worker import HttpWorker

Factory = Callable[..., "HttpWorker"]

_workers: pytest.StashKey[list[Any]] = pytest.StashKey()
_passed: pytest.StashKey[bool] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The ``--wove-http-…`` options."""
    group = parser.getgroup("wove-http", "Wove http/https worker")
    group.addoption(
        "--wove-http-url",
        metavar="URL",
        help="run the tests against the worker service at URL instead of one of their own",
    )
    group.addoption(
        "--wove-http-secret-env",
        metavar="NAME",
        help="environment variable that holds that service's signing secret",
    )
    group.addoption(
        "--wove-http-bearer-env",
        metavar="NAME",
        help="environment variable that holds that service's bearer token",
    )
    group.addoption(
        "--wove-http-ca-file", metavar="FILE", help="CA certificate of that service, PEM"
    )
    group.addoption(
        "--wove-http-seed",
        metavar="N",
        type=int,
        default=0,
        help="seed of probability= decisions of faults (default: 0)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "wove_http(**options): options of the wove_http_worker of this test (see the README)",
    )
    config.addinivalue_line(
        "markers",
        'wove_http_faults("all" | names or families): run the test once per fault, which is in'
        " force on its wove_http_worker",
    )
    if not config.getoption("--wove-http-url"):
        for option in ("--wove-http-secret-env", "--wove-http-bearer-env", "--wove-http-ca-file"):
            if config.getoption(option):
                raise pytest.UsageError(f"{option} goes with --wove-http-url")
        return
    from wove_http_dev.errors import UsageError

    try:
        _remote(config)
    except UsageError as exc:
        raise pytest.UsageError(str(exc)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test marked ``wove_http_faults`` once per fault."""
    markers = list(metafunc.definition.iter_markers("wove_http_faults"))
    if not markers:
        return
    from wove_http_dev.errors import UsageError
    from wove_http_dev.faults.text import choose

    try:
        if any(marker.kwargs for marker in markers):
            raise UsageError('it takes no keywords; say "all", names, or families')
        if not {"wove_http_worker", "wove_http_fault"} & set(metafunc.fixturenames):
            raise UsageError("the test must use wove_http_worker: it is what has the fault")
        faults = choose(marker.args for marker in markers)
    except UsageError as exc:
        message = f"wove_http_faults: {exc}"
        raise pytest.Collector.CollectError(message) from None
    if "wove_http_fault" not in metafunc.fixturenames:
        metafunc.fixturenames.append("wove_http_fault")
    metafunc.parametrize("wove_http_fault", faults, ids=map(str, faults))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Tell the fixtures whether the body passed; show the journal of a test that failed."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    if report.when == "call":
        item.stash[_passed] = report.passed
    if report.failed:
        for worker in item.stash.get(_workers, []):
            report.sections.append(("wove http worker", worker.report()))


@pytest.fixture(scope="session")
def wove_http_options() -> dict[str, Any]:
    """A project's default options; override it in a conftest and return a dict."""
    return {}


@pytest.fixture
def wove_http_fault() -> Any:
    """The fault in force, as the marker ``wove_http_faults`` has it (a name, mostly)."""
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
) -> Iterator[Factory]:
    """``factory(**options)`` starts and configures one more worker, stopped with the test.

    Environments are named ``workers``, ``workers-2``, … unless an option names one.
    """
    from wove_http_dev.errors import UsageError

    node = request.node
    workers: list[Any] = node.stash.setdefault(_workers, [])
    with ExitStack() as stack:

        def factory(**options: Any) -> HttpWorker:
            if not isinstance(wove_http_options, dict):
                raise UsageError(
                    f"wove_http_options must return a dict of options, not {wove_http_options!r}"
                )
            words = {**wove_http_options, **_marked(node), **options}
            if "environment" not in options and workers:
                base = words.get("environment", "workers")
                taken = {worker.environment for worker in workers}
                numbered = (f"{base}-{n}" for n in range(2, len(taken) + 3))
                words["environment"] = next(name for name in (base, *numbered) if name not in taken)
            worker = _make_worker(request, words)
            workers.append(worker)
            stack.callback(workers.remove, worker)
            stack.enter_context(worker)
            stack.enter_context(worker.configured())
            stack.callback(_check, worker, node)
            started: HttpWorker = worker
            return started

        yield factory


def _make_worker(request: pytest.FixtureRequest, words: dict[str, Any]) -> Any:
    from wove_http_dev.worker import HttpWorker

    if request.config.getoption("--wove-http-url"):
        return _remote(request.config, words)
    ours = {
        "ca": request.getfixturevalue("wove_http_ca"),
        "label": request.node.nodeid,
        "seed": request.config.getoption("--wove-http-seed"),
    }
    return HttpWorker(**{**ours, **words})


def _remote(config: pytest.Config, words: Any = ()) -> Any:
    from wove_http_dev.options import secret_from_environment
    from wove_http_dev.remote_worker import RemoteWorker

    option = config.getoption
    return RemoteWorker(
        option("--wove-http-url"),
        secret=secret_from_environment("--wove-http-secret-env", option("--wove-http-secret-env")),
        token=secret_from_environment("--wove-http-bearer-env", option("--wove-http-bearer-env")),
        ca_file=option("--wove-http-ca-file"),
        skip=pytest.skip,
        **dict(words),
    )


def _check(worker: Any, node: Any) -> None:
    if not worker.options.strict or not node.stash.get(_passed, False):
        return
    from wove_http_dev.errors import StrictnessError

    complaint = ""
    try:
        worker.check()
    except StrictnessError as exc:
        complaint = str(exc)
    if complaint:
        pytest.fail(complaint, pytrace=False)


@pytest.fixture
def wove_http_worker(
    request: pytest.FixtureRequest, wove_http_worker_factory: Factory
) -> HttpWorker:
    """A running, empty worker: https, signed, environment ``workers`` configured in Wove, its CA
    trusted by this process; checked and everything restored at the end of the test."""
    from wove_http_dev.errors import UsageError

    fault = _fault_of(request.node)
    hasty = {"timeout": 0.5, "delivery_timeout": 1.0} if fault is not None else {}
    try:
        worker = wove_http_worker_factory(**{**hasty, **_marked(request.node)})
    except UsageError as exc:  # of the marker or wove_http_options: the test's code is not to blame
        pytest.fail(f"wove_http_worker: {exc}", pytrace=False)
    if fault is not None:
        why = worker.why_not(fault)
        if why is not None:
            pytest.skip(f"{fault} cannot apply: {why}")
        worker.inject(fault)
    return worker


def _marked(node: Any) -> dict[str, Any]:
    from wove_http_dev.errors import UsageError

    options: dict[str, Any] = {}
    for marker in reversed(list(node.iter_markers("wove_http"))):
        if marker.args:
            raise UsageError("wove_http takes keyword options only, e.g. faults=[…]")
        options.update(marker.kwargs)
    return options


def _fault_of(node: Any) -> Any:
    callspec = getattr(node, "callspec", None)
    return callspec.params.get("wove_http_fault") if callspec is not None else None
