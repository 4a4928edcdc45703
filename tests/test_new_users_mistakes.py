"""What a person sees after each mistake that new users make: ``new_users_mistakes.md``, a page of
tests and of the whole text that pytest shows for them."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import cloudpickle
import pytest
import wove.context

from tests.pytest_plugin.helpers import INI, without_others
from wove_http_dev.worker import HttpWorker

PAGE = Path(__file__).with_suffix("").with_name("new_users_mistakes.md")
EXAMPLE = re.compile(
    r"^## (?P<name>.+)\n\n```python\n(?P<source>(?:.*\n)*?)```\n"
    r"\n```text\n(?P<text>(?:.*\n)*?)```$",
    re.MULTILINE,
)
EXAMPLES = {found["name"]: found for found in EXAMPLE.finditer(PAGE.read_text("utf-8"))}
IMPORTS = """\
import asyncio
import threading
import time

import pytest
import wove
from wove import weave

"""
WARNINGS = """\
filterwarnings =
    default
    ignore::ResourceWarning
"""
APPLICATION = """
import wove

wove.config(
    environments={
        "workers": {
            "executor": "https",
            "executor_config": {
                "url": "https://workers.example.com/wove/tasks",
                "security": "env:WOVE_WORKER_SECRET",
            },
        },
    },
)
"""
VARYING = (
    (re.compile(r"localhost:\d+"), "localhost:PORT"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "RUN"),
    (re.compile(r" \d+\.\d m?s$", re.MULTILINE), ""),
    (re.compile(r" at 0x[0-9a-f]+"), " at ADDRESS"),
    (re.compile(r'File ".*[/\\]', re.MULTILINE), 'File ".../'),
    (re.compile(r'(\.py", line) \d+'), r"\1 LINE"),
    (re.compile(r"^( *)(?:/.*/)?test_it\.py:\d+", re.MULTILINE), r"\1test_it.py:LINE"),
    # pytest lists the fixtures with their places, each of its versions in another form.
    (re.compile(r"(?<=request object).*\n(?:.*\n)*?(?=wove_http_worker is)"), "\n"),
    (re.compile(r"PosixPath\(.*\)"), "PATH"),
    (re.compile(r"^-+ Captured stderr call -+\n(?:(?!^[-_=]).*\n)*", re.MULTILINE), ""),
    # Whether Wove sends the cancel frame, and so how the run ends, is a race.
    (re.compile(r"^\w+ RUN (?:has|is|was answered) .*\n", re.MULTILINE), ""),
    (re.compile(r"^(.*DeliveryTimeout(?:.*\n)*?journal:) .*\n(?:  #.*\n)+", re.M), r"\1 …\n"),
    (re.compile(r"^E? *[~^]+\n", re.MULTILINE), ""),  # Python 3.11 marks the part of a line
    (re.compile(r"^[_=]{3,} .* [_=]{3,}$", re.MULTILINE), ""),
    (re.compile(r"^(?:_ )+_?\n", re.MULTILINE), ""),
    (re.compile(r"^-+ wove http worker -+$", re.MULTILINE), "wove http worker:"),
    (re.compile(r"\n(?: *\n)+"), "\n"),
)


def seen(output: str) -> str:
    """Return what pytest's ``output`` says of failures and warnings, without what varies."""
    begin = re.search(r"^=+ (?:ERRORS|FAILURES|warnings summary.*) =+$", output, re.MULTILINE)
    end = re.search(r"^(?:-- Docs: .*|=+ short test summary info =+|=+ .* in .* =+)$", output, re.M)
    assert begin
    assert end
    text = output[begin.end() : end.start()]
    for pattern, common in VARYING:
        text = pattern.sub(common, text)
    return text.strip() + "\n"


@pytest.mark.parametrize("name", EXAMPLES)
def test_mistake(name: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole text that a person sees after the mistake is that of the page."""
    if name == "The result cannot be pickled" and cloudpickle.__version__.startswith("2."):
        pytest.skip("the calls of cloudpickle 2 have other names")
    monkeypatch.setenv("WOVE_WORKER_SECRET", "the application's secret")
    # The child process of a forked weave is not started.
    process = SimpleNamespace(Popen=lambda words: Path(words[-1]).unlink())
    monkeypatch.setattr(wove.context, "subprocess", process)
    pytester.makeini(INI + WARNINGS)
    pytester.makepyfile(application=APPLICATION)
    pytester.makepyfile(test_it=IMPORTS + EXAMPLES[name]["source"])
    run = pytester.runpytest_inprocess(*without_others("asyncio"), "-q")
    assert seen(run.stdout.str()) == EXAMPLES[name]["text"]


TO_A_RUNNING_WORKER = """
def test_it(wove_http_worker):
    with weave() as w:
        @w.do(environment="workers")
        def convert():
            return 42
    assert w.result.convert == 42
"""


@pytest.mark.parametrize(
    ("secret", "advice"),
    [
        (
            None,
            "the worker service requires credentials, and these tests have none: add"
            " --wove-http-secret-env NAME, where NAME is the environment variable that holds its"
            " secret, or --wove-http-bearer-env NAME",
        ),
        (
            "another",
            "the worker service refused the credentials of these tests: give it and --wove-http-…"
            " the same secret or token, and check both clocks",
        ),
    ],
    ids=["no secret", "another secret"],
)
def test_a_running_worker(
    secret: str | None,
    advice: str,
    worker: HttpWorker,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The whole text of a test run against a signed worker with no secret, or another one."""
    pytester.makeini(INI + WARNINGS)
    pytester.makepyfile(test_it=IMPORTS + TO_A_RUNNING_WORKER)
    # With =: pytest would look for its ini file beside a path that stands alone.
    options = [f"--wove-http-url={worker.url}", f"--wove-http-ca-file={worker.ca_file}"]
    if secret is not None:
        monkeypatch.setenv("SECRET_OF_THE_TESTS", secret)
        options.append("--wove-http-secret-env=SECRET_OF_THE_TESTS")
    run = pytester.runpytest_inprocess(*without_others("asyncio"), "-q", *options)
    url = "https://localhost:PORT/wove/tasks"
    assert (
        seen(run.stdout.str())
        == f"""\
wove_http_worker = <RemoteWorker 'workers' {url}>
    def test_it(wove_http_worker):
        with weave() as w:
            @w.do(environment="workers")
            def convert():
                return 42
>       assert w.result.convert == 42
E       wove.environment.EnvironmentExecutionError: HTTP Error 401: Unauthorized
test_it.py:LINE: EnvironmentExecutionError
wove http worker:
{advice}
<RemoteWorker 'workers' {url}>: no journal, because another process runs the worker service
"""
    )


def test_every_heading_is_an_example() -> None:
    """No part of the page is left out."""
    headings = re.findall("^## (.+)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert headings == list(EXAMPLES)
