"""``check worker`` on the command line: selecting cases, known failures, files, exit statuses."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.conformance.worker import references
from tests.conformance.worker.defects.auth import AcceptsTheFuture
from tests.conformance.worker.defects.frames import OwnTaskId
from tests.conformance.worker.defects.run import StripsText
from tests.conformance.worker.defects.transport import TextHtml
from tests.conformance.worker.plain_worker import SECRET, PlainWorker
from tests.support import free_port
from wove_http_dev.cli.main import main
from wove_http_dev.conformance.service_process import ServiceCommand

VARIABLE = "CONFORMANCE_TEST_SECRET"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the secret into the variables that --secret-env and the reference workers use."""
    monkeypatch.setenv(VARIABLE, SECRET)
    monkeypatch.setenv("WOVE_WORKER_SECRET", SECRET)


@pytest.fixture
def healthy() -> Iterator[PlainWorker]:
    """A worker without a defect."""
    with PlainWorker() as worker:
        yield worker


def run(worker: PlainWorker | None, *words: str) -> int:
    """Run ``check worker`` and return its exit status."""
    url = [worker.url] if worker is not None else []
    return main(["check", "worker", *url, "--secret-env", VARIABLE, *words])


def usage(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run ``check worker``, require a usage error, and return its line."""
    assert main(["check", "worker", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


# Exit statuses


def test_a_healthy_worker_exits_0(healthy: PlainWorker) -> None:
    """A check without a failed case exits with status 0."""
    assert run(healthy, "--run", "frames.*") == 0


def test_a_must_that_fails_exits_1(capsys: pytest.CaptureFixture[str]) -> None:
    """A MUST that fails is shown with requirement, sent, expected and actual; the exit status is
    1."""
    with OwnTaskId() as worker:
        assert run(worker, "--run", "frames.04") == 1
    out = capsys.readouterr().out
    assert [part in out for part in ("required", "sent", "expected", "wrong task_id")] == [True] * 4


def test_a_should_that_fails_exits_0(capsys: pytest.CaptureFixture[str]) -> None:
    """A SHOULD that fails is shown, and the exit status is 0."""
    with TextHtml() as worker:
        assert run(worker, "--run", "transport.03") == 0
    assert "not counted without --strict" in capsys.readouterr().out


def test_a_should_that_fails_exits_1_if_strict() -> None:
    """With --strict a SHOULD that fails makes the exit status 1."""
    with TextHtml() as worker:
        assert run(worker, "--run", "transport.03", "--strict") == 1


def test_no_matching_case_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    """A selection that matches no case is a usage error."""
    line = usage(capsys, "http://localhost/x", "--run", "frames.99")
    assert "--run 'frames.99' matches no case" in line


def test_a_dead_service_exits_1(capsys: pytest.CaptureFixture[str]) -> None:
    """If nothing listens at the URL, the reason is printed and the exit status is 1."""
    url = f"http://127.0.0.1:{free_port()}/wove/tasks"
    assert main(["check", "worker", url]) == 1
    assert capsys.readouterr().out.count("the connection was refused") <= 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "needs the URL"),
        (("nonsense",), "is not an http:// or https:// URL"),
        (("http://localhost/x", "--secret-env", "NOT_SET_ANYWHERE"), "is not set"),
        (("https://localhost/x", "--ca-file", "/no/such/file"), "No such file"),
        (("https://localhost/x", "--ca-file", __file__), "holds no certificate"),
        (("http://localhost/x", "--known-failing", "/no/such/file"), "No such file"),
        (("http://localhost/x", "--json", "/no/such/directory/report"), "no such directory"),
        (("http://localhost/x", "--junit-xml", "/"), "it is a directory"),
        (("http://localhost/x", "--known-flaky", "/no/such/file"), "No such file"),
        (("http://localhost/x", "--cmd", ""), "--cmd is empty"),
        (("http://localhost/x", "--cmd", "'"), "No closing quotation"),
        (("http://localhost:1/x", "--cmd", "/no/such/command"), "--cmd: cannot run"),
        (("http://localhost:1/x", "--callback-host", "192.0.2.1"), "no address of this machine"),
        (("http://localhost:1/x", "--callback-host", "a..b"), "no address of this machine"),
    ],
)
def test_a_usage_error_is_one_line(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    """A wrong argument is a usage error: one line, and exit status 2."""
    assert says in usage(capsys, *words)


@pytest.mark.parametrize("jobs", ["0", "17", "-1", "many"])
def test_a_wrong_number_of_jobs(jobs: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The error for a wrong number of jobs says which ones are right."""
    with pytest.raises(SystemExit):
        main(["check", "worker", "http://localhost/x", "--jobs", jobs])
    assert f"--jobs: {jobs!r} is not a number from 1 to 16" in capsys.readouterr().err


def test_secret_in_a_file(healthy: PlainWorker, tmp_path: Path) -> None:
    """``--secret-file`` names the file with the secret."""
    (tmp_path / "secret").write_text(SECRET)
    words = ["--secret-file", str(tmp_path / "secret"), "--run", "run.01"]
    assert main(["check", "worker", healthy.url, *words]) == 0


@pytest.mark.parametrize("flag", ["--secret-file", "--bearer-file"])
def test_secret_with_a_line_break(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, flag: str
) -> None:
    """A secret in a file that ends with a line break is refused."""
    (tmp_path / "secret").write_text(SECRET + "\n")
    assert "line break" in usage(capsys, "http://x/", flag, str(tmp_path / "secret"))


def test_two_kinds_of_credentials_are_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """--secret-env and --bearer-env together are a usage error."""
    with pytest.raises(SystemExit, match="2"):
        main(["check", "worker", "http://x/", "--secret-env", "A", "--bearer-env", "B"])
    assert len(capsys.readouterr().err.splitlines()) == 1


# Selection


def test_list_needs_no_service(capsys: pytest.CaptureFixture[str]) -> None:
    """``--list`` shows each case with its level and source, without a service."""
    assert main(["check", "worker", "--list", "--run", "cancel.06"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("cancel.06-require-ack-honest  MUST")
    assert "[Wove docs" in out


def selected(tmp_path: Path, worker: PlainWorker, *words: str) -> list[str]:
    """Run a check and return the ids of the cases in its report."""
    report = tmp_path / "report.json"
    run(worker, *words, "--json", str(report))
    return [case["id"] for case in json.loads(report.read_text())["cases"]]


def test_run_takes_ids_names_and_families(tmp_path: Path, healthy: PlainWorker) -> None:
    """A glob for --run may match an id, a name or a family."""
    ids = selected(tmp_path, healthy, "--run", "run.02", "--run", "unicod?", "--run", "frame?")
    assert [i for i in ids if not i.startswith("frames.")] == ["run.02", "run.06"]
    assert "frames.14" in ids


def test_exclude_takes_away(tmp_path: Path, healthy: PlainWorker) -> None:
    """--exclude removes cases that --run selected."""
    assert selected(tmp_path, healthy, "--run", "run.0[12]", "--exclude", "async-*") == ["run.01"]


def test_a_prerequisite_that_passes_is_not_reported(tmp_path: Path, healthy: PlainWorker) -> None:
    """A prerequisite that passes is not reported unless it was selected."""
    assert selected(tmp_path, healthy, "--run", "run.05") == ["run.05"]


# Known failures


def known(tmp_path: Path, text: str, flag: str = "--known-failing") -> tuple[str, str]:
    """Write a list of known failures that holds ``text``, and return the option for it."""
    path = tmp_path / "known"
    path.write_text(text)
    return flag, str(path)


def test_a_known_failure_does_not_count(tmp_path: Path) -> None:
    """A listed case that fails does not fail the check; the list may have comments and empty
    lines."""
    with StripsText() as worker:
        words = known(tmp_path, "# a comment\nrun.06  # line ends\n\n")
        assert run(worker, "--run", "run.06", *words) == 0


def test_an_unexpected_pass_counts(
    tmp_path: Path, healthy: PlainWorker, capsys: pytest.CaptureFixture[str]
) -> None:
    """A listed case that passes fails the check, because the list is out of date."""
    assert run(healthy, "--run", "run.06", *known(tmp_path, "unicode")) == 1
    assert "KNOWN TO FAIL, BUT PASSED" in capsys.readouterr().out


def test_a_flaky_case_may_fail(tmp_path: Path) -> None:
    """A case on the list of flaky ones that fails does not fail the check."""
    with StripsText() as worker:
        words = known(tmp_path, "run.06", "--known-flaky")
        assert run(worker, "--run", "run.06", *words) == 0


def test_a_flaky_case_may_pass(tmp_path: Path, healthy: PlainWorker) -> None:
    """A case on the list of flaky ones that passes does not fail the check."""
    assert run(healthy, "--run", "run.06", *known(tmp_path, "run.06", "--known-flaky")) == 0


def test_a_case_on_both_lists_is_flaky(tmp_path: Path, healthy: PlainWorker) -> None:
    """A case on both lists may pass."""
    words = known(tmp_path, "run.06"), ("--known-flaky", str(tmp_path / "known"))
    assert run(healthy, "--run", "run.06", *words[0], *words[1]) == 0


def test_a_known_failure_that_matches_no_case_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An id in the list that matches no case is a usage error."""
    assert "matches no case" in usage(capsys, "http://localhost/x", *known(tmp_path, "run.99"))


# Files


def report_of(tmp_path: Path, *words: str) -> tuple[dict[str, Any], ElementTree.Element]:
    """Check a worker that accepts future timestamps and answers with text/html; return both
    reports."""

    class Both(AcceptsTheFuture, TextHtml):
        pass

    json_file, xml_file = tmp_path / "report.json", tmp_path / "report.xml"
    with Both() as worker:
        run(
            worker,
            *(
                "--run",
                "auth.0[37]",
                "--run",
                "auth.15",
                "--run",
                "auth.09",
                "--run",
                "transport.03",
            ),
            *("--json", str(json_file), "--junit-xml", str(xml_file)),
            *words,
        )
    return json.loads(json_file.read_text()), ElementTree.parse(xml_file).getroot()


def test_the_json_report_has_everything(tmp_path: Path) -> None:
    """The JSON report has the counts, the exit status, and all parts of each result."""
    document, _ = report_of(tmp_path)
    counts = {"passed": 2, "failed": 2, "skipped": 1, "not run": 0}
    assert (document["counts"], document["exit_status"]) == (counts, 1)
    (case,) = [case for case in document["cases"] if case["id"] == "auth.15"]
    assert (case["level"], case["status"], case["is_shortfall"]) == ("MUST", "failed", True)
    assert "timestamp" in case["sent"]
    assert "was accepted" in case["actual"]


def outcomes(root: ElementTree.Element) -> dict[str, str]:
    """Return the tag of each test case's first child, or ``passed`` if it has none."""
    return {
        str(case.get("name"))[:9].rstrip("-"): case[0].tag if len(case) else "passed"
        for case in root.iter("testcase")
    }


def test_the_junit_report_has_a_failure_for_what_counts(tmp_path: Path) -> None:
    """A SHOULD that fails and a case that does not apply are reported as skipped."""
    _, root = report_of(tmp_path)
    assert outcomes(root) == {
        "transport": "skipped",
        "auth.03-t": "passed",
        "auth.15-f": "failure",
        "auth.07-w": "passed",
        "auth.09-w": "skipped",
    }


def test_the_junit_report_counts_a_should_if_strict(tmp_path: Path) -> None:
    """With --strict a SHOULD that fails is reported as a failure."""
    _, root = report_of(tmp_path, "--strict")
    assert outcomes(root)["transport"] == "failure"


def test_the_junit_report_of_a_dead_service_has_errors(tmp_path: Path) -> None:
    """A case that was not run is reported as an error."""
    xml_file = tmp_path / "report.xml"
    url = f"http://127.0.0.1:{free_port()}/wove/tasks"
    main(["check", "worker", url, "--run", "run.01", "--junit-xml", str(xml_file)])
    tags = [case[0].tag for case in ElementTree.parse(xml_file).getroot().iter("testcase")]
    assert tags == ["failure", "error"]


# The service started by the check


def test_the_command_is_stopped_afterwards() -> None:
    """After the check nothing listens at the command's port."""
    port = free_port()
    words = ["--cmd", references.command("stdlib", port), "--run", "run.05"]
    url = f"http://127.0.0.1:{port}/wove/tasks"
    assert main(["check", "worker", url, "--secret-env", VARIABLE, *words]) == 0
    assert main(["check", "worker", url, "--secret-env", VARIABLE, "--run", "run.05"]) == 1


def test_a_command_that_ends_is_shown_with_its_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """If the command ends early, its output is shown and the exit status is 1."""
    words = shlex.join([sys.executable, "-c", "print('no such flag'); raise SystemExit(3)"])
    url = f"http://127.0.0.1:{free_port()}/wove/tasks"
    assert main(["check", "worker", url, "--cmd", words]) == 1
    out = capsys.readouterr().out
    assert "ended with status 3" in out
    assert "no such flag" in out


def test_a_service_that_died_is_started_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A service that a task ends is started again, the rest is run, and the failed case has what it
    printed, without the secret."""
    core = (references.EXAMPLES / "worker_core.py").read_text()
    (tmp_path / "worker_core.py").write_text(
        core.replace(
            "        except BaseException as exc:  # SystemExit ends the task, not the service\n",
            "        except SystemExit as exc:\n"
            "            import os, sys\n"
            f"            print('the end', {SECRET!r}, file=sys.stderr, flush=True)\n"
            "            os._exit(3)\n"
            "        except BaseException as exc:\n",
        )
    )
    script = tmp_path / "worker_stdlib.py"
    script.write_text((references.EXAMPLES / "worker_stdlib.py").read_text())
    port = free_port()
    words = ["--cmd", shlex.join([sys.executable, str(script), "--port", str(port)])]
    words += ["--secret-env", VARIABLE, "--run", "errors.07", "--run", "errors.09"]
    main(["check", "worker", f"http://127.0.0.1:{port}/wove/tasks", *words])
    out = capsys.readouterr().out
    assert "ok      errors.09" in out
    assert re.search(r"printed +the end <?\S+", out)
    assert ("was started again" in out, SECRET in out) == (True, False)


def test_an_interrupt_stops_the_command(tmp_path: Path) -> None:
    """Ctrl-C ends the check and stops the service."""
    port = free_port()
    words = [sys.executable, "-m", "wove_http_dev", "check", "worker"]
    words += [f"http://127.0.0.1:{port}/wove/tasks", "--secret-env", VARIABLE]
    words += ["--cmd", references.command("stdlib", port)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    with ServiceCommand(references.command("stdlib", port), "127.0.0.1", port):
        pass  # the port was free
