"""What watching costs: the time of a task, and the processor time that ``serve`` needs for it,
beside a subscriber of its events and beside its page in a browser.

One process each for ``serve``, for the client, which sends signed ``run_task`` requests at a steady
rate over one connection, and for the browser; the subscriber is in this one. The windows in which
each condition is measured follow each other in a random order, so that a machine's drift falls on
all of them.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import random
import resource
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from wove import NetworkExecutorSecurity

from tests.benchmarks.served import serving
from tests.inspector.browser.helpers import ARGUMENTS
from tests.support import TARGET, encode, read_response, request_bytes
from tests.worker_process import ROOT
from wove_http_dev.runs.journal import COUNT_LIMIT

RATE = 200.0
"""Requests a second."""
WINDOW = 5.0
"""Seconds of one window."""
CLOCK_SKEW = 10.0
"""Seconds; nonces are remembered for twice as long, and so few of them that they do not count as
growth."""
PATIENCE = 60.0
"""Seconds until a watcher has to show the newest run."""
Newest = Callable[[], int]
"""Returns the number of the newest finished run that a watcher shows; -1 for none."""


def measure_page(seconds: float) -> None:
    """Print the table; each condition is measured for ``seconds``."""
    with ExitStack() as stack:
        served = stack.enter_context(serving("--clock-skew", str(CLOCK_SKEW)))
        client = stack.enter_context(Client(served))
        memory = [resident(served["pid"])]
        client.send(COUNT_LIMIT, rate=0.0)
        memory.append(resident(served["pid"]))
        watchers: dict[str, Callable[[], AbstractContextManager[Newest]]] = {
            "none": lambda: nullcontext(lambda: client.number),
            "stream": lambda: stream(served),
        }
        browser = _browser(stack)
        if browser is not None:
            watchers["page"] = lambda: _page(browser, served)
        times: dict[str, list[float]] = {name: [] for name in watchers}
        used: dict[str, list[float]] = {name: [] for name in watchers}
        rates: dict[str, list[float]] = {name: [] for name in watchers}
        lags: dict[str, list[tuple[int, float]]] = {name: [] for name in watchers}
        rounds = max(2, round(seconds / WINDOW))
        for number in range(rounds):
            if number == rounds // 2:  # what a page needs for a moment is there by then
                memory.append(resident(served["pid"]))
            for name in random.sample(list(watchers), len(watchers)):
                with watchers[name]() as newest:
                    before = processor_time(served["pid"])
                    sent = client.send(int(RATE * WINDOW), rate=RATE)
                    lags[name].append(_lag(newest, client.number))
                    used[name].append((processor_time(served["pid"]) - before) / (RATE * WINDOW))
                times[name] += sent["times"]
                rates[name].append(sent["rate"])
        memory.append(resident(served["pid"]))
    _print(times, used, rates, lags)
    start, full, half, end = (f"{size / 2**20:.1f}" for size in memory)
    print(
        f"resident memory of serve, MiB: {start} at the start, {full} with a full journal, {half}"
        f" half-way, {end} at the end"
    )


def _print(
    times: dict[str, list[float]],
    used: dict[str, list[float]],
    rates: dict[str, list[float]],
    lags: dict[str, list[tuple[int, float]]],
) -> None:
    base, base_used = statistics.median(times["none"]), statistics.median(used["none"])
    print(
        f"\ntime of a task beside a watcher, at {RATE:.0f} a second\n"
        f"{'watcher':10}{'p50 ms':>9}{'ratio':>8}{'p99 ms':>9}{'sent/s':>9}"
        f"{'processor ms':>14}{'ratio':>8}"
        "   runs behind at the end (median, worst), seconds until it had them all"
    )
    for name, values in times.items():
        behind, late = zip(*lags[name], strict=True)
        print(
            f"{name:10}{statistics.median(values) * 1000:9.3f}"
            f"{statistics.median(values) / base:8.3f}"
            f"{statistics.quantiles(values, n=100)[-1] * 1000:9.2f}"
            f"{statistics.median(rates[name]):9.1f}"
            f"{statistics.median(used[name]) * 1000:14.3f}"
            f"{statistics.median(used[name]) / base_used:8.3f}"
            f"   {statistics.median(behind):.0f}, {max(behind)}"
            f"; {statistics.median(late):.2f}, {max(late):.2f}"
        )


def _lag(newest: Newest, last: int) -> tuple[int, float]:
    """How many runs a watcher is behind, and the seconds until it shows the ``last``."""
    behind = last - newest()
    start = time.monotonic()
    while newest() < last:
        if time.monotonic() > start + PATIENCE:
            raise TimeoutError(f"run {last} was not shown; the newest was {newest()}")
        time.sleep(0.01)
    return behind, time.monotonic() - start


def resident(pid: int) -> int:
    """Return the bytes of memory that the process ``pid`` has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def processor_time(pid: int) -> float:
    """Return the seconds of processor time that the process ``pid`` has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# Watchers


@contextmanager
def stream(served: dict[str, Any]) -> Iterator[Newest]:
    """A subscriber of the events, which reads each."""
    address = urllib.parse.urlsplit(served["api_url"])
    token = Path(served["token_file"]).read_text().strip()
    newest = -1
    connection = http.client.HTTPConnection(str(address.hostname), address.port or 80)
    connection.request(
        "GET", f"{address.path.rstrip('/')}/events", headers={"Authorization": f"Bearer {token}"}
    )
    sock = connection.sock
    response = connection.getresponse()
    assert response.status == 200, response.status

    def read() -> None:
        nonlocal newest
        with suppress(OSError, http.client.HTTPException):
            while line := response.readline():
                if line.startswith(b'data: {"run_id"'):
                    run = json.loads(line.removeprefix(b"data: "))
                    if run["state"] == "succeeded":
                        newest = max(newest, int(run["run_id"].partition(":")[2]))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield lambda: newest
    finally:
        sock.shutdown(socket.SHUT_RDWR)
        thread.join()
        connection.close()


def _browser(stack: ExitStack) -> Any:
    """A headless browser; ``None``, and a line that says so, where there is none."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None or importlib.util.find_spec("playwright") is None:
        print("no page: Playwright or Chromium is missing")
        return None
    from playwright.sync_api import sync_playwright

    playwright = stack.enter_context(sync_playwright())
    return playwright.chromium.launch(executable_path=path, args=ARGUMENTS)


@contextmanager
def _page(browser: Any, served: dict[str, Any]) -> Iterator[Newest]:
    """The page, with its table of runs."""
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    page = context.new_page()
    token = Path(served["token_file"]).read_text().strip()
    page.goto(f"{served['page_url']}?token={urllib.parse.quote(token)}")
    page.locator("#runs td.task").first.wait_for()

    def newest() -> int:
        row = page.evaluate(
            "document.querySelector('#runs tr.succeeded [data-key]')?.dataset.key ?? 'run:-1'"
        )
        return int(row.partition(":")[2])

    try:
        yield newest
    finally:
        context.close()


# The client


class Client:
    """The process that sends the requests."""

    def __init__(self, served: dict[str, Any]) -> None:
        self.number = -1
        """The number of the newest run."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        secret = Path(served["secret_file"]).read_text()
        self._ask([urllib.parse.urlsplit(served["url"]).port, served["ca_file"], secret])

    def send(self, count: int, rate: float) -> dict[str, Any]:
        """Send ``count`` tasks, ``rate`` a second (0: as fast as possible); return the ``times`` of
        each in seconds, and the ``rate`` reached."""
        answer: dict[str, Any] = self._ask([self.number + 1, count, rate])
        self.number += count
        return answer

    def _ask(self, question: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def _task(number: int) -> int:
    return number * 2


def _answer(document: Any) -> None:
    print(json.dumps(document), flush=True)


def _be_a_client(port: int, ca_file: str, secret: str) -> None:
    function = encode(_task)
    security = NetworkExecutorSecurity(mode="signed", secret=secret)
    context = ssl.create_default_context(cafile=ca_file)
    _answer({})
    for line in sys.stdin:
        first, count, rate = json.loads(line)
        frames = [_frame(number, function) for number in range(first, first + count)]
        with (  # one for each window: the worker closes a connection that is not used for a while
            socket.create_connection(("127.0.0.1", port)) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as sock,
        ):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            times, start = [], time.perf_counter()
            for index, frame in enumerate(frames):
                if rate:
                    time.sleep(max(0.0, start + index / rate - time.perf_counter()))
                headers = security.headers_for(transport="http", target=TARGET, body=frame)
                request = request_bytes({**headers, "Connection": ""}, frame)
                begin = time.perf_counter()
                sock.sendall(request)
                response = read_response(sock)
                times.append(time.perf_counter() - begin)
                assert response.terminal == "task_result", response
            _answer({"times": times, "rate": count / (time.perf_counter() - start)})


def _frame(number: int, function: str) -> bytes:
    frame = {
        "type": "run_task",
        "run_id": f"run:{number}",
        "task_id": "task",
        "callable_pickle": function,
        "args_pickle": encode({"number": number}),
        "delivery": {},
    }
    return json.dumps(frame).encode()


if __name__ == "__main__":
    _be_a_client(*json.loads(sys.stdin.readline()))
    os._exit(0)
