"""``wove-http-dev doctor`` as a command: what it prints, its exit status, and usage errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from wove.runtime import runtime

from tests.cli.commands import PATIENCE, run, run_here
from wove_http_dev import cli
from wove_http_dev.cli import doctor as doctor_command
from wove_http_dev.cli.state_directory import StateDirectory
from wove_http_dev.client.wove_config import preserved
from wove_http_dev.inspector.connect import instructions
from wove_http_dev.worker import HttpWorker

README = Path(str(cli.__file__)).parent / "README.md"
pytestmark = pytest.mark.usefixtures("environ")

PATIENTLY = ("--timeout", f"{PATIENCE:g}")
"""The default may be too short for a worker on a busy machine."""
ROOT = Path(__file__).parents[2]
SETTINGS = (ROOT / "examples" / "settings.py").read_text(encoding="utf-8")


@pytest.fixture
def reachable(worker: HttpWorker, monkeypatch: pytest.MonkeyPatch) -> HttpWorker:
    """A worker, and the environment variables with which a client reaches it."""
    for name, value in worker.client_env.items():
        monkeypatch.setenv(name, value)
    return worker


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command may run in this process: what it imports and configures is undone."""
    monkeypatch.setattr(doctor_command, "end_despite_threads", lambda status: None)
    # From Python 3.12 on the default opener keeps the CAs of its first use.
    monkeypatch.setattr(urllib.request, "_opener", None)
    modules = set(sys.modules)
    with preserved():
        runtime.__init__()  # type: ignore[misc]
        yield
    for name in [n for n in sys.modules if n not in modules and n.split(".")[0] in USERS_MODULES]:
        del sys.modules[name]


USERS_MODULES = ("app", "settings", "wove_config")


def write_settings(source: str) -> None:
    Path("app").mkdir(exist_ok=True)
    Path("app/settings.py").write_text(source)


def doctor(source: str) -> subprocess.CompletedProcess[str]:
    """Run ``doctor`` on a module with this source, in this process."""
    write_settings(source)
    return run_here("doctor", "app.settings", *PATIENTLY)


def test_right(reachable: HttpWorker) -> None:
    """A right configuration has only ``ok``, and exit status 0."""
    write_settings(SETTINGS)
    done = run("doctor", "app.settings", *PATIENTLY)
    verdicts = {line.split()[0] for line in done.stdout.splitlines()[:-1] if line}
    assert (done.returncode, verdicts) == (0, {"ok", "environment"})


@pytest.mark.usefixtures("in_process")
def test_wrong(reachable: HttpWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong one has exit status 1."""
    monkeypatch.setenv("WOVE_WORKER_SECRET", "another")
    done = doctor(SETTINGS)
    assert (done.returncode, done.stderr) == (1, "")
    assert "signature: does not match" in done.stdout


@pytest.mark.usefixtures("in_process")
def test_function(reachable: HttpWorker) -> None:
    """``MODULE:FUNCTION`` calls the function that configures Wove."""
    body = SETTINGS.replace("\nwove", "\ndef configure(): wove", 1)
    Path("settings.py").write_text(body)
    assert run_here("doctor", "settings:configure", *PATIENTLY).returncode == 0


@pytest.mark.usefixtures("in_process")
def test_wove_config_file(reachable: HttpWorker) -> None:
    """Without a module, Wove's own ``wove_config.py`` is used."""
    source = SETTINGS.replace("import wove\n\nwove.config(", "WOVE_CONFIG = dict(")
    Path("wove_config.py").write_text(source)
    assert run_here("doctor", *PATIENTLY).returncode == 0


@pytest.mark.usefixtures("in_process")
def test_app_dir(reachable: HttpWorker, tmp_path: Path) -> None:
    """``--app-dir`` is where the module is imported from."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "settings.py").write_text(SETTINGS)
    assert run_here("doctor", "settings", "--app-dir", "elsewhere", *PATIENTLY).returncode == 0


@pytest.mark.usefixtures("in_process")
def test_secret_of_serve(reachable: HttpWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default state directory of ``serve`` is read, and not created."""
    assert doctor(SETTINGS).returncode == 0
    assert not Path(os.environ["XDG_STATE_HOME"]).exists()


@pytest.mark.usefixtures("in_process")
def test_snippet_of_serve(worker: HttpWorker, reachable: HttpWorker) -> None:
    """What ``serve`` prints for an application is right."""
    done = doctor(instructions(worker, None).snippet)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "no problem found")


MISTYPED = """
import wove
wove.config(environments={"workers": {"executor": "https", "executor_config": {
    "url": "%s", "security": "env:WOVE_WORKER_SECRET", "timeout": 10.0}}})
"""
TASKS = """import wove

def report():
    with wove.weave() as w:
        @w.do(environment="wrokers")
        def render(): ...
"""


def test_readme(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines that the README shows are printed for such an application."""
    state = StateDirectory()
    with (
        state.certificate_authority() as ca,
        HttpWorker(ca=ca, secret=state.secret(), strict=False) as worker,
    ):
        monkeypatch.setenv("WOVE_WORKER_SECRET", "that of last week")
        monkeypatch.setenv("SSL_CERT_FILE", ca.bundle_file)
        for name in ("https_proxy", "HTTPS_PROXY"):
            monkeypatch.delenv(name, raising=False)
        Path("myapp").mkdir()
        Path("myapp/settings.py").write_text(MISTYPED % worker.url)
        Path("myapp/tasks.py").write_text(TASKS)
        printed = run("doctor", "myapp.settings", *PATIENTLY).stdout
    printed = printed.replace(str(state.path), "/home/me/.local/state/wove-http-dev")
    section = README.read_text(encoding="utf-8").partition("## doctor")[2]
    lines = section.split("```text\n")[1].partition("```")[0]
    shown = re.sub(r"\n {10,}", " ", lines).strip().splitlines()
    assert len(shown) == 5
    assert [line for line in shown if line.removesuffix("…") not in printed] == []


# Usage errors


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "import nowhere",
            "ModuleNotFoundError: No module named 'nowhere' (app/settings.py, line 1)",
        ),
        ("\n\nwith:", "SyntaxError: invalid syntax (app/settings.py, line 3)"),
        (
            "import os\nos.environ['NOT_SET']",
            "environment variable NOT_SET is not set (app/settings.py, line 2); export NOT_SET=…",
        ),
        ("raise SystemExit('no')", "SystemExit: no (app/settings.py, line 1)"),
        (
            "def f():\n    1 / 0\nf()",
            "ZeroDivisionError: division by zero (app/settings.py, line 2)",
        ),
        (
            "import wove\nwove.config(environments={'workers': 7})",
            "TypeError: Environment 'workers' must be a dict. (app/settings.py, line 2)",
        ),
        ("raise ValueError('two\\nlines')", "ValueError: two lines (app/settings.py, line 1)"),
    ],
)
@pytest.mark.usefixtures("in_process")
def test_import_fails(source: str, message: str) -> None:
    """A module that cannot be imported is one line: its own exception's last one, and where."""
    write_settings(source)
    done = run_here("doctor", "app.settings", *PATIENTLY)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"wove-http-dev: cannot import 'app.settings': {message}\n"


WEAVE = """import wove
wove.config(environments={"workers": {"executor": "https", "executor_config": {
    "url": "https://localhost:1/x", "security": "env:SECRET_OF_WORKER"}}})
with wove.weave() as w:
    @w.do(environment="workers")
    def render(): ...
print(w.result.render)
"""


@pytest.mark.usefixtures("in_process")
def test_weave_in_the_body_of_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """A weave that runs on import, where Wove would wait for ever, is an error that says so."""
    monkeypatch.setenv("SECRET_OF_WORKER", "s" * 40)
    write_settings(WEAVE)
    done = run_here("doctor", "app.settings", *PATIENTLY)
    assert (done.returncode, done.stderr) == (
        2,
        "wove-http-dev: cannot import 'app.settings': RuntimeError: a weave runs when the module is"
        " imported, where Wove waits for ever; put it in a function, or below if __name__ =="
        " '__main__' (app/settings.py, line 7)\n",
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "No module named 'nowhere'"),
        (["app/settings.py"], "is not MODULE or MODULE:FUNCTION; did you mean app.settings?"),
        (["./app/settings.py"], "did you mean app.settings?"),
        (["/app/settings.py"], "is not MODULE or MODULE:FUNCTION; e.g. myapp.settings"),
        (["my-app/settings.py"], "e.g. myapp.settings"),
        (["settings.py"], "is not MODULE"),
        (["app.settings:"], "is not MODULE"),
        (["."], "is not MODULE"),
        (["app.settings:waits"], "app.settings:waits is called, not awaited"),
        (["app.settings:configure"], "app.settings has no function 'configure'"),
        (["app.settings:fails"], "app.settings:fails cannot be called: KeyError: 'x'"),
        (["app.settings"], "configures no environment with the http or https executor"),
        ([], "name the MODULE that calls wove.config"),
        (["app.settings", "--timeout", "0"], "takes seconds"),
        (["app.settings", "--timeout", "soon"], "takes seconds"),
        (["app.settings", "--app-dir", "/no/such"], "/no/such is not a directory"),
        (["app.settings", "--timout", "1"], "did you mean --timeout?"),
    ],
)
@pytest.mark.usefixtures("in_process")
def test_usage(arguments: list[str], words: str) -> None:
    """A usage error is one line, with exit status 2."""
    write_settings("def fails():\n    raise KeyError('x')\nasync def waits(): ...\n")
    done = run_here("doctor", *arguments)
    assert (done.returncode, done.stderr.count("\n"), words in done.stderr) == (2, 1, True)


@pytest.mark.usefixtures("in_process")
def test_environment_whose_name_is_no_string() -> None:
    """Wove takes any name; one that is no string is shown like the others."""
    http = "{'executor': 'http', 'executor_config': {'url': 'http://127.0.0.1:9/x'}}"
    done = doctor(f"import wove\nwove.config(environments={{7: {http}}})")
    assert (done.returncode, done.stderr) == (1, "")
    assert "environment 7 at http://127.0.0.1:9/x" in done.stdout


@pytest.mark.usefixtures("in_process")
def test_broken_config_file() -> None:
    """So is a ``wove_config.py`` that fails."""
    Path("wove_config.py").write_text("import nowhere")
    done = run_here("doctor")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "wove_config.py cannot be used: ModuleNotFoundError" in done.stderr


def test_help() -> None:
    """The help has a sentence, examples, and names for what each flag takes."""
    text = run_here("doctor", "--help").stdout
    for words in ("examples:", "MODULE[:FUNCTION]", "--timeout SECONDS", "--app-dir DIR"):
        assert words in text
