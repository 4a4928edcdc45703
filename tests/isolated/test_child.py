"""The child process of an isolated worker: its imports and its end."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wove import weave
from wove.environment import EnvironmentExecutionError

from tests.isolated.helpers import pid_of
from tests.support import weave_one
from wove_http_dev import CertificateAuthority, HttpWorker


def module_level() -> int:
    """A task that cloudpickle pickles by reference to its module."""
    return 1


def wait_gone(pid: int) -> bool:
    """Wait at most 10 s until the process ``pid``, not a child of this one, has ended; return
    whether it has."""
    ended = threading.Event()
    for _ in range(1000):
        try:
            os.kill(pid, 0)
            with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":  # not reaped in a container
                    return True
        except ProcessLookupError:
            return True
        ended.wait(0.01)
    return False


def test_tasks_run_in_another_process(shared: HttpWorker) -> None:
    """A task has the child's process id."""
    with weave() as w:

        @w.do(environment="workers")
        def where() -> int:
            import os

            return os.getpid()

    assert w.result.where == pid_of(shared)


def test_the_import_path_is_not_the_tests(shared: HttpWorker) -> None:
    """The child cannot import modules that are only on the test's path."""
    with weave() as w:

        @w.do(environment="workers")
        def path() -> list[str]:
            import sys

            return sys.path

    assert str(os.path.dirname(os.path.dirname(__file__))) not in w.result.path


def test_a_callable_sent_by_name_is_named_in_the_error(shared: HttpWorker) -> None:
    """The error names the module that a real worker could not import."""
    with weave() as w:
        w.do(environment="workers")(module_level)

    with pytest.raises(Exception, match=module_level.__module__.partition(".")[0]):
        _ = w.result.module_level


def count_in_child() -> dict[str, int]:
    """Count the journal entries and injections in the child's memory. It includes those of the task
    that counts."""

    def count() -> dict[str, int]:
        import gc
        from collections import Counter

        gc.collect()
        counts = Counter(type(each).__name__ for each in gc.get_objects())
        return {name: counts[name] for name in ("Exchange", "Run", "Injection", "Verdict")}

    found: dict[str, int] = weave_one(count)
    return found


def wait_for_count(expected: dict[str, int]) -> dict[str, int]:
    """Return ``count_in_child()`` once it is ``expected``, or after a while: the client has its
    reply before the child's thread has let go of it."""
    found = count_in_child()
    for _ in range(100):
        if found == expected:
            break
        found = count_in_child()
    return found


def test_the_child_keeps_no_journal(isolated: HttpWorker) -> None:
    """The child keeps no exchange and no run that has ended, because its parent does."""
    alone = {"Exchange": 1, "Run": 1, "Injection": 0, "Verdict": 1}
    for number in range(20):
        weave_one(number)
    assert wait_for_count(alone) == alone


def test_the_child_keeps_no_removed_injection(isolated: HttpWorker) -> None:
    """The child forgets injections that were removed or reset."""
    for _ in range(5):
        isolated.inject("status", task="other").remove()
        isolated.inject("status", task="other")
        isolated.reset()
    assert count_in_child()["Injection"] == 0


def test_no_process_is_left(wove_http_ca: CertificateAuthority) -> None:
    """After ``stop()`` the child has ended and is reaped."""
    with HttpWorker(ca=wove_http_ca, isolated=True) as worker:
        pid = pid_of(worker)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_child_ends_when_its_parent_does() -> None:
    """The child ends when its parent has ended."""
    program = (
        "import os, wove_http_dev\n"
        "worker = wove_http_dev.HttpWorker(isolated=True).start()\n"
        "print(worker._host.pid, flush=True)\n"
        "os._exit(0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert wait_gone(int(done.stdout))


ENDS_WITHOUT_OUTPUT = """
import os
import threading

import wove
import wove_http_dev

def breaks_output():
    import os
    import sys
    import threading

    threading.Thread(target=threading.Event().wait, daemon=False).start()
    {breaks}

with wove_http_dev.HttpWorker(isolated=True) as worker, worker.configured():
    with wove.weave() as w:
        w.do(environment="workers")(breaks_output)
    w.result.breaks_output
    print(worker._host.pid, flush=True)
    os._exit(0)
"""


@pytest.mark.parametrize(
    "breaks", ["sys.stdout = None", "print('.', end=''); os.close(1)", "sys.stdout.close()"]
)
def test_end_without_standard_output(breaks: str) -> None:
    """The child ends, whatever a task has made of its standard output, and although the task has
    left a thread."""
    program = ENDS_WITHOUT_OUTPUT.format(breaks=breaks)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        gone = wait_gone(pid)
        if not gone:
            os.kill(pid, signal.SIGKILL)
    assert gone


def test_interrupt_of_what_a_task_starts(shared: HttpWorker) -> None:
    """SIGINT does not end the child, and a program that a task starts does not ignore it."""

    def starts() -> str:
        import subprocess
        import sys

        show = "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
        done = subprocess.run(
            [sys.executable, "-c", show], stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout

    os.kill(pid_of(shared), signal.SIGINT)
    inherited = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert weave_one(starts) == f"{inherited}\n"


@pytest.fixture
def module_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A module in ``tmp_path`` that this process can import: its functions are pickled by name."""
    name = f"module_{uuid.uuid4().hex}"
    source = "def task():\n    return 42\n"
    tmp_path.joinpath(f"{name}.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module(name)
    del sys.modules[name]


def test_app_dir(
    module_of_the_test: Any, tmp_path: Path, wove_http_ca: CertificateAuthority
) -> None:
    """A task that is pickled by name is imported from ``app_dir``."""
    worker = HttpWorker(ca=wove_http_ca, isolated=True, app_dir=tmp_path)
    with worker, worker.configured():
        assert weave_one(module_of_the_test.task) == 42


def test_without_app_dir(module_of_the_test: Any, shared: HttpWorker) -> None:
    """The error of a task that the child process cannot import says what to do."""
    name = module_of_the_test.__name__
    with pytest.raises(EnvironmentExecutionError) as caught:
        weave_one(module_of_the_test.task)
    assert caught.value.payload["message"] == (
        "the callable could not be loaded on the worker: ModuleNotFoundError: No module named"
        f" {name!r} (what a module defines is sent by name only, so the worker must import it:"
        " give the module's directory to serve and exec with --app-dir, to an isolated worker with"
        " app_dir=)"
    )
