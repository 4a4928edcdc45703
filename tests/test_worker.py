"""The members of ``HttpWorker``, used as a test uses them."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import cloudpickle
import pytest
from wove.environment import EnvironmentExecutionError

from tests.forked import forked_child, status_in_a_fork
from tests.service.helpers import served
from tests.support import (
    TIMEOUT,
    MakeWorker,
    answer,
    connect,
    free_port,
    run_frame,
    signed_request,
    weave_one,
)
from wove_http_dev.errors import (
    NotRunningError,
    PortInUseError,
    UsageError,
)
from wove_http_dev.service.port import Port
from wove_http_dev.worker import HttpWorker

# Keywords of the constructor


def test_before_run(make_worker: MakeWorker) -> None:
    """``before_run`` is called before each task."""
    calls: list[None] = []
    worker = make_worker(before_run=lambda: calls.append(None))
    for _ in range(2):
        signed_request(worker, run_frame(answer))
    assert len(calls) == 2


def test_before_run_of_an_isolated_worker() -> None:
    """``before_run`` is a usage error for an isolated worker, because another process cannot call
    it."""
    with pytest.raises(UsageError, match="before_run= needs isolated=False"):
        HttpWorker(isolated=True, before_run=lambda: None)


# Start, stop, restart, crash


def test_url_before_the_start(make_worker: MakeWorker) -> None:
    """A worker that was never started has no URL."""
    with pytest.raises(NotRunningError):
        _ = HttpWorker().url


def test_port_before_the_start(make_worker: MakeWorker) -> None:
    """A worker that was never started has no port."""
    with pytest.raises(NotRunningError):
        _ = HttpWorker().port


def test_repr_before_the_start() -> None:
    """The repr of a worker says that it was not started."""
    assert repr(HttpWorker()) == "<HttpWorker 'workers' not started>"


def test_starting_twice(worker: HttpWorker) -> None:
    """A second ``start()`` changes nothing."""
    port = worker.port
    assert worker.start().port == port


def test_stop_twice(worker: HttpWorker) -> None:
    """A second stop is harmless."""
    worker.stop()
    worker.stop()
    assert not worker.running


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("end", ["stop", "crash"])
def test_end_after_all_descriptors_were_closed(isolated: bool, end: str) -> None:
    """Code that makes a daemon closes all descriptors of its process, those of a worker too: the
    worker ends without an error, and without its threads."""
    program = f"""
import os, threading
from wove_http_dev import HttpWorker
worker = HttpWorker(isolated={isolated}).start()
os.closerange(3, 256)
worker.{end}()
worker.stop()
print(worker.running, threading.active_count())
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * TIMEOUT)
    assert (done.stdout, done.returncode) == ("False 1\n", 0), done.stderr


def test_restart_after_all_descriptors_were_closed() -> None:
    """A restart that finds its port no longer reserved says what to do, and that is true."""
    program = """
import os
from wove_http_dev import HttpWorker
worker = HttpWorker().start()
os.closerange(3, 256)
try:
    worker.restart()
except Exception as exc:
    print("start() the worker again" in str(exc))
print(worker.start().running)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * TIMEOUT)
    # On macOS nothing keeps the port from being bound again, so that restart() succeeds.
    assert (set(done.stdout.split()), done.returncode) == ({"True"}, 0), done.stderr


def test_start_after_a_stop_takes_the_same_port(worker: HttpWorker) -> None:
    """A stopped worker starts again with the same URL."""
    before = worker.url
    worker.stop()
    assert worker.start().url == before


def test_the_url_outlives_a_stop(worker: HttpWorker) -> None:
    """A stopped worker still has its URL."""
    before = worker.url
    worker.stop()
    assert worker.url == before


def test_a_weave_finds_a_worker_that_was_started_again(wove_http_worker: HttpWorker) -> None:
    """The environment still points at a worker that was stopped and started again."""
    wove_http_worker.stop()
    wove_http_worker.start()
    assert weave_one(answer) == 42


def test_a_port_taken_while_stopped(make_worker: MakeWorker) -> None:
    """If another socket has taken the port of a stopped worker, ``start()`` raises and names the
    port."""
    worker = make_worker(port=free_port())
    worker.stop()
    with (
        socket.create_server(("127.0.0.1", worker.port)),
        pytest.raises(PortInUseError, match=str(worker.port)),
    ):
        worker.start()


def test_restart_keeps_the_port(worker: HttpWorker) -> None:
    """A restarted worker has the same port."""
    port = worker.port
    assert worker.restart().port == port


def test_restarted_worker_serves(worker: HttpWorker) -> None:
    """A restarted worker serves."""
    assert served(worker.restart()).result == 42


def test_restart_keeps_the_journal(worker: HttpWorker) -> None:
    """The journal keeps its runs over a restart."""
    served(worker)
    assert len(worker.restart().runs) == 1


def test_concurrent_restarts_leave_a_worker_that_serves(wove_http_worker: HttpWorker) -> None:
    """Thirty concurrent restarts end with a worker that serves."""
    for _ in range(10):
        threads = [threading.Thread(target=wove_http_worker.restart) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert weave_one(answer) == 42


def test_crashed_worker_refuses(worker: HttpWorker) -> None:
    """A crashed worker refuses new connections."""
    worker.crash()
    with pytest.raises(ConnectionRefusedError):
        connect(worker)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS lets SO_REUSEADDR take the port")
def test_crashed_worker_keeps_its_port(worker: HttpWorker, make_worker: MakeWorker) -> None:
    """Another worker cannot take the port of a crashed one."""
    worker.crash()
    with pytest.raises(PortInUseError):
        make_worker(port=worker.port)


def test_start_after_a_crash(worker: HttpWorker) -> None:
    """After a crash ``start()`` serves on the same port."""
    port = worker.port
    worker.crash()
    worker.start()
    assert (served(worker).result, worker.port) == (42, port)


def test_own_ca_files_are_deleted() -> None:
    """A worker that made its own CA deletes the CA's files when it stops."""
    with HttpWorker() as worker:
        path = worker.ca_file
    assert not os.path.exists(path)


def test_worker_in_a_fresh_thread(wove_http_worker: HttpWorker) -> None:
    """A weave in another thread reaches the worker."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(weave_one(answer)))
    thread.start()
    thread.join(TIMEOUT)
    assert results == [42]


# Ports


def test_port_in_use(make_worker: MakeWorker) -> None:
    """A port that is in use is an error that names it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortInUseError, match=str(port)):
            make_worker(port=port)


def test_port_of_another_worker(worker: HttpWorker, make_worker: MakeWorker) -> None:
    """The port of another worker is in use."""
    with pytest.raises(PortInUseError, match=str(worker.port)):
        make_worker(port=worker.port)


def test_two_workers_have_two_ports(make_worker: MakeWorker) -> None:
    """Two workers have different ports."""
    assert make_worker().port != make_worker().port


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_host_of_another_machine(make_worker: MakeWorker, host: str) -> None:
    """An address of another machine is a usage error that says what to use."""
    with pytest.raises(UsageError, match="localhost"):
        make_worker(host=host)


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"host": "0.0.0.0", "tls": False}, "not loopback"),
        ({"host": "0.0.0.0", "security": "none"}, "not loopback"),
        ({"host": "::", "tls": False}, "not loopback"),
        ({"sekurity": "none"}, "did you mean 'security'"),
        ({"security": "none of these"}, "security"),
        ({"secret": ""}, "empty"),
        ({"port": 70000}, "65535"),
        ({"port": "8443"}, "whole number"),
        ({"path": "tasks"}, "start with"),
        ({"path": "/tasks?x=1"}, "query"),
        ({"response_shape": "xml"}, "events, list or frame"),
        ({"timeout": 0}, "above 0"),
        ({"delivery_timeout": float("nan")}, "above 0"),
        ({"max_body": 0}, "1 or more"),
        ({"faults": "reject-auth"}, "list"),
        ({"faults": ["nonsense"]}, "unknown fault"),
        ({"impersonate": "http://workers.internal/"}, "https://"),
        ({"environment": ""}, "environment must not be empty"),
        ({"clock_skew": -1.0}, "clock_skew"),
        ({"key": "é"}, "ASCII"),
    ],
)
def test_option_is_refused(make_worker: MakeWorker, options: dict[str, Any], message: str) -> None:
    """An invalid option is a usage error that says what to do."""
    with pytest.raises(UsageError, match=message):
        make_worker(**options)


@pytest.mark.parametrize(
    "options",
    [{"host": "0.0.0.0"}, {"host": "0.0.0.0", "tls": False, "insecure": True}],
    ids=["tls-and-signed", "insecure"],
)
def test_every_address_may_be_served(make_worker: MakeWorker, options: dict[str, Any]) -> None:
    """Addresses beyond loopback are served with TLS and authentication, or with
    ``insecure=True``."""
    assert signed_request(make_worker(**options), run_frame(answer)).result == 42


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_url_names_the_host(make_worker: MakeWorker, host: str) -> None:
    """The URL has the host of the ``host`` option."""
    worker = make_worker(host=host)
    assert worker.url == f"https://{host}:{worker.port}/wove/tasks"


def test_faults_from_the_start(make_worker: MakeWorker) -> None:
    """``faults=`` puts faults in force from the start."""
    worker = make_worker(faults=["reject-auth status=403"])
    assert signed_request(worker, run_frame(answer)).status == 403


def test_wrong_fault_from_the_start() -> None:
    """A fault that cannot act on the worker is a usage error before it has a port."""
    with pytest.raises(UsageError, match="self-signed cannot apply to this worker"):
        HttpWorker(tls=False, faults=["self-signed"])


# Secrets


SHOWN: list[Callable[[HttpWorker], object]] = [
    lambda worker: worker,
    lambda worker: worker.options,
    lambda worker: worker.credentials,
    lambda worker: worker.environment_definition,
    lambda worker: worker.client_env,
    lambda worker: worker.secret,
]


@pytest.mark.parametrize(
    "shown", SHOWN, ids=["worker", "options", "credentials", "definition", "env", "secret"]
)
@pytest.mark.parametrize("security", ["signed", "bearer"])
def test_repr_shows_no_secret(
    make_worker: MakeWorker, shown: Callable[[HttpWorker], object], security: str
) -> None:
    """No repr that a failed assertion may print contains the secret."""
    worker = make_worker(security=security, secret="hush-hush-hush")
    assert "hush" not in repr(shown(worker))


def test_secret_is_a_string(worker: HttpWorker) -> None:
    """The secret compares as an ordinary string."""
    assert worker.secret == str(worker.client_env["WOVE_WORKER_SECRET"])


def test_secrets_differ(make_worker: MakeWorker) -> None:
    """Two workers have two secrets."""
    assert make_worker().secret != make_worker().secret


# Objects that a task cannot refer to


def test_a_worker_cannot_travel(wove_http_worker: HttpWorker) -> None:
    """A task that refers to its test's worker raises an error that says so."""

    def inside() -> int:
        return len(wove_http_worker.runs)

    with pytest.raises(EnvironmentExecutionError, match=r"a HttpWorker of .* cannot be sent"):
        weave_one(inside)


@pytest.mark.parametrize("make", ["hold", "inject"])
def test_what_a_worker_gives_cannot_travel(worker: HttpWorker, make: str) -> None:
    """A gate and an injection cannot be pickled."""
    thing = worker.hold() if make == "hold" else worker.inject("hang")
    with pytest.raises(TypeError, match="cannot be sent to the worker"):
        cloudpickle.dumps(thing)


# Forked children


@pytest.mark.parametrize("isolated", [False, True], ids=["in-process", "isolated"])
def test_a_fork_that_leaves_the_block_ends_nothing(make_worker: MakeWorker, isolated: bool) -> None:
    """A forked child that leaves the ``with`` block of a worker, and crashes it, does not stop its
    parent's worker and does not delete its files."""
    worker = make_worker(isolated=isolated)
    ca_file = worker.ca_file

    def leaves() -> bool:
        worker.__exit__(None, None, None)
        worker.crash()
        worker._certificates().close()
        return not worker.running

    status = status_in_a_fork(leaves)
    result = signed_request(worker, run_frame(bytes, {"source": 1})).result
    assert (status, result, os.path.exists(ca_file)) == (0, b"\0", True)


@pytest.mark.parametrize("isolated", [False, True], ids=["in-process", "isolated"])
def test_a_fork_does_not_keep_the_port(make_worker: MakeWorker, isolated: bool) -> None:
    """After ``stop()`` the port is free, although a child that was forked before lives."""
    worker = make_worker(isolated=isolated, port=free_port())
    with forked_child():
        worker.stop()
        with contextlib.closing(Port("localhost", worker.port)) as port:
            assert port.number == worker.port


@pytest.mark.parametrize("isolated", [False, True], ids=["in-process", "isolated"])
def test_reset_starts_a_crashed_worker(make_worker: MakeWorker, isolated: bool) -> None:
    """``reset()`` starts a worker that crashed, at the same URL and with an empty journal."""
    worker = make_worker(isolated=isolated)
    url = worker.url
    worker.crash()
    worker.reset()
    assert (worker.running, worker.url, len(worker.exchanges)) == (True, url, 0)


def test_reset_leaves_a_stopped_worker_alone(worker: HttpWorker) -> None:
    """``reset()`` does not start a worker that was stopped."""
    worker.stop()
    worker.reset()
    assert not worker.running
