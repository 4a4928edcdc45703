"""Worker options as command-line flags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wove_http_dev.cli.arguments import Parser, add_options, given_options
from wove_http_dev.errors import UsageError
from wove_http_dev.fields import TypedField, fields_of
from wove_http_dev.options import TEST, Options


@pytest.fixture
def parser() -> Parser:
    """A parser with the options of a worker."""
    made = Parser(prog="example")
    add_options(made, port=8443)
    return made


def options_of(parser: Parser, *words: str) -> dict[str, Any]:
    """The options that the command-line arguments ``words`` give."""
    return given_options(parser.parse_args(words))


def test_defaults(parser: Parser) -> None:
    """Without flags every option has its default, and the port is the command's default."""
    assert Options.of(**options_of(parser)) == Options(port=8443, faults=[], hosts=[])


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--no-tls"], "tls", False),
        (["--port", "1"], "port", 1),
        (["--timeout", "0.5"], "timeout", 0.5),
        (["--delivery-timeout", "none"], "delivery_timeout", None),
        (["--security", "bearer"], "security", "bearer"),
        (["--response-shape", "list"], "response_shape", "list"),
        (["--fault", "hang", "--fault", "status code=500"], "faults", ["hang", "status code=500"]),
        (["--hosts", "worker", "--hosts", "10.0.0.7"], "hosts", ["worker", "10.0.0.7"]),
        (["--default"], "default", True),
        (["--header", "A=1", "--header", "B=x=y"], "headers", {"A": "1", "B": "x=y"}),
    ],
)
def test_flag(parser: Parser, words: list[str], name: str, value: object) -> None:
    """A flag gives its option a value of its type."""
    assert options_of(parser, *words)[name] == value


@pytest.mark.parametrize(
    "each",
    [
        each
        for each in fields_of(Options).values()
        if each.side != TEST and each.name not in ("headers", "hosts", "secret")
    ],
    ids=lambda each: each.name,
)
def test_metavar(parser: Parser, each: TypedField) -> None:
    """The help shows the kind of value for each flag that takes one."""
    usage = " ".join(parser.format_usage().split())
    flag = "--" + each.name.replace("_", "-")
    wanted = f"--no-{each.name}]" if each.kinds == (bool,) else f"{flag} {each.metavar}]"
    assert wanted in usage


class TestSecret:
    """The secret is in a variable or in a file, never in an argument."""

    def test_variable(self, parser: Parser, monkeypatch: pytest.MonkeyPatch) -> None:
        """``--secret-env`` names the variable with the secret."""
        monkeypatch.setenv("SOME_SECRET", "correct-horse")
        assert options_of(parser, "--secret-env", "SOME_SECRET")["secret"] == "correct-horse"

    def test_file(self, parser: Parser, tmp_path: Path) -> None:
        """``--secret-file`` names the file with the secret."""
        (tmp_path / "secret").write_text("correct-horse")
        given = options_of(parser, "--secret-file", str(tmp_path / "secret"))
        assert given["secret"] == "correct-horse"

    @pytest.mark.parametrize(
        "words",
        [
            ["--secret", "correct-horse"],
            ["--secret=correct-horse"],
            ["--secre=correct-horse"],
            ["--sercet", "correct-horse"],
            ["--upstream-secret", "correct-horse"],
            ["--upstream-secrt=correct-horse"],
            ["--prt", "1", "--secret", "correct-horse"],
        ],
        ids=" ".join,
    )
    def test_argument(
        self, parser: Parser, capsys: pytest.CaptureFixture[str], words: list[str]
    ) -> None:
        """A secret in an argument is refused by a line that names the flags and not the secret."""
        with pytest.raises(SystemExit):
            parser.parse_args(words)
        (line,) = capsys.readouterr().err.splitlines()
        assert ("secret-env NAME or --" in line, "horse" in line) == (True, False)

    @pytest.mark.parametrize("security", ["none", "env:OTHER_SECRET"])
    def test_other_security(
        self, parser: Parser, monkeypatch: pytest.MonkeyPatch, security: str
    ) -> None:
        """A secret that would not be used is a usage error."""
        monkeypatch.setenv("SOME_SECRET", "correct-horse")
        with pytest.raises(UsageError, match="go with --security signed or bearer"):
            options_of(parser, "--secret-env", "SOME_SECRET", "--security", security)

    def test_both(self, parser: Parser, capsys: pytest.CaptureFixture[str]) -> None:
        """Both flags together are a usage error."""
        with pytest.raises(SystemExit):
            parser.parse_args(["--secret-env", "A", "--secret-file", "b"])
        assert "not allowed with argument" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--prt", "1"], "unrecognized arguments: --prt; did you mean --port?"),
        (["nonsense"], "unrecognized arguments: nonsense"),
        (["--faults", "hang"], "did you mean --fault?"),
        (["--isolated"], "that option is only for tests, not for the command line"),
        (["--impersonate", "https://a/"], "that option is of exec"),
        (["--port", "x"], "argument --port: takes a whole number between 0 and 65535, not 'x'"),
        (["--timeout", "0"], "argument --timeout: takes a number of seconds above 0, or none"),
        (["--response-shape", "xml"], "takes events, list or frame, not 'xml'"),
        (["--header", "nonsense"], "argument --header: takes NAME=VALUE, as in X-Tenant=acme"),
        (["--header", "=x"], "takes NAME=VALUE"),
    ],
)
def test_usage_error(
    parser: Parser, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    """An invalid value is reported in one line that says what to do."""
    with pytest.raises(SystemExit):
        parser.parse_args(words)
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize(
    "words",
    [
        ["--token", "correct-horse"],
        ["--password=correct-horse"],
        ["--impersonate", "https://user:correct-horse@a/"],
        ["https://user:correct-horse@a/"],
        ["correct", "--horse"],
        ["--secret-env", "correct/horse=="],
    ],
    ids=" ".join,
)
def test_error_without_values(
    parser: Parser, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """What follows an unknown flag, is in a URL, or names no variable, may be a secret, and is not
    repeated."""
    with pytest.raises((SystemExit, UsageError)) as caught:
        given_options(parser.parse_args(words))
    assert "correct" not in f"{caught.value} {capsys.readouterr().err}"


@pytest.mark.parametrize(
    "words",
    [
        ["--timeout", "3"],
        ["--delivery-timeout=3"],
        ["--environment", "workers"],
        ["--header", "Authorization=Bearer correct-horse"],
        ["--prt", "1", "--header=Authorization=Bearer correct-horse"],
    ],
    ids=" ".join,
)
def test_flag_of_the_client(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    """A command whose client is another program refuses the client's options, and says where to
    set them."""
    parser = Parser(prog="example")
    add_options(parser, port=0, client=False)
    with pytest.raises(SystemExit):
        parser.parse_args(words)
    (line,) = capsys.readouterr().err.splitlines()
    assert ("set it in the command's wove.config" in line, "horse" in line) == (True, False)


def test_defaults_without_the_flags_of_the_client() -> None:
    """Without the client's flags its options have their defaults."""
    parser = Parser(prog="example")
    add_options(parser, port=0, client=False)
    assert Options.of(**options_of(parser)) == Options(faults=[], hosts=[])


def test_header_that_is_wrong_is_not_shown(
    parser: Parser, capsys: pytest.CaptureFixture[str]
) -> None:
    """A header without ``=`` is not repeated, because it may contain credentials."""
    with pytest.raises(SystemExit):
        parser.parse_args(["--header", "Authorization: Bearer correct-horse"])
    assert "horse" not in capsys.readouterr().err


class TestUpstreamSecret:
    """The secret of upstream is in a variable or in a file, too."""

    @pytest.mark.parametrize(
        ("words", "form"),
        [
            ([], {"type": "signed", "secret": "correct-horse"}),
            (["signed"], {"type": "signed", "secret": "correct-horse"}),
            (["bearer"], {"type": "bearer", "token": "correct-horse"}),
        ],
    )
    def test_form(
        self,
        parser: Parser,
        monkeypatch: pytest.MonkeyPatch,
        words: list[str],
        form: dict[str, str],
    ) -> None:
        """With the flag for its kind the secret is the option ``upstream_security``."""
        monkeypatch.setenv("SOME_SECRET", "correct-horse")
        flags = ["--upstream", "http://localhost/", "--upstream-secret-env", "SOME_SECRET"]
        flags += ["--upstream-security", *words] if words else []
        assert options_of(parser, *flags)["upstream_security"] == form

    def test_file(self, parser: Parser, tmp_path: Path) -> None:
        """``--upstream-secret-file`` names the file with the secret."""
        (tmp_path / "secret").write_text("correct-horse")
        flags = ["--upstream", "http://a/", "--upstream-secret-file", str(tmp_path / "secret")]
        assert options_of(parser, *flags)["upstream_security"]["secret"] == "correct-horse"

    @pytest.mark.parametrize("form", ["none", "env:SOME_SECRET"])
    def test_other_form(self, parser: Parser, form: str) -> None:
        """Other forms need no secret of their own."""
        flags = ["--upstream", "http://a/", "--upstream-security", form]
        assert options_of(parser, *flags)["upstream_security"] == form

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            (["--upstream-secret-env", "SOME_SECRET"], "go with --upstream URL"),
            (["--upstream", "http://a/", "--upstream-security", "signed"], "needs --upstream-secr"),
            (
                [
                    *("--upstream", "http://a/", "--upstream-secret-env", "SOME_SECRET"),
                    *("--upstream-security", "none"),
                ],
                "go with --upstream-security signed or bearer",
            ),
        ],
    )
    def test_wrong(
        self, parser: Parser, monkeypatch: pytest.MonkeyPatch, words: list[str], why: str
    ) -> None:
        """Flags that do not go together are a usage error."""
        monkeypatch.setenv("SOME_SECRET", "correct-horse")
        with pytest.raises(UsageError, match=why):
            options_of(parser, *words)
