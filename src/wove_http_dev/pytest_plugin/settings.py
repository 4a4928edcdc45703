"""The plugin's settings: command line options, and ini options of the same name for a project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

CREDENTIALS = (
    "--wove-http-secret-env",
    "--wove-http-secret-file",
    "--wove-http-bearer-env",
    "--wove-http-bearer-file",
)
URL = "--wove-http-url"
CONTROL = "--wove-http-control"
CONTROL_TOKEN = (f"{CONTROL}-token-env", f"{CONTROL}-token-file")
REMOTE_OPTIONS = (URL, *CREDENTIALS, "--wove-http-ca-file", CONTROL, *CONTROL_TOKEN)
EXECUTOR = "--wove-http-executor"
SEED = "--wove-http-seed"
FAULTS = "--wove-http-faults"
FAULTS_EXCLUDE = f"{FAULTS}-exclude"
FAULTS_REPORT = f"{FAULTS}-report"
FAULTS_STRICT = f"{FAULTS}-strict"
LISTS = (FAULTS, FAULTS_EXCLUDE, FAULTS_REPORT)
"""Options that may be given several times."""


def _text(metavar: str, what: str) -> dict[str, Any]:
    return {"metavar": metavar, "help": what}


def _list(metavar: str, what: str) -> dict[str, Any]:
    return {"metavar": metavar, "help": f"{what}; may be repeated", "action": "append"}


_HOLDS = "environment variable that holds", "file that holds nothing but"
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    URL: _text(
        "URL", "run the tests against the worker service at URL instead of starting workers"
    ),
    "--wove-http-secret-env": _text("NAME", f"{_HOLDS[0]} that service's signing secret"),
    "--wove-http-secret-file": _text("FILE", f"{_HOLDS[1]} that service's signing secret"),
    "--wove-http-bearer-env": _text("NAME", f"{_HOLDS[0]} that service's bearer token"),
    "--wove-http-bearer-file": _text("FILE", f"{_HOLDS[1]} that service's bearer token"),
    "--wove-http-ca-file": _text("FILE", "CA certificate of that service, PEM"),
    CONTROL: _text(
        "URL",
        "control API of that service, if it is wove-http-dev serve: inject(), runs, … then"
        " work as well (without --wove-http-url: the service of that API)",
    ),
    f"{CONTROL}-token-env": _text("NAME", f"{_HOLDS[0]} the token of the control API"),
    f"{CONTROL}-token-file": _text("FILE", f"{_HOLDS[1]} the token of the control API"),
    EXECUTOR: _text(
        "MODULE:FACTORY",
        "the executor that the tests of wove_http_dev.conformance.test_executor_cases check; http"
        " or https for one of Wove's own",
    ),
    SEED: {
        **_text("N", "seed of random decisions and of drawn durations of faults (default: 0)"),
        "type": int,
    },
    FAULTS: _list(
        "FAULT",
        "run each test that uses a worker once more per fault, and show which it survives:"
        " all, a family, a name, or 'NAME field=value'",
    ),
    FAULTS_EXCLUDE: _list("FAULT", f"a fault, or a family, to leave out of {FAULTS}"),
    FAULTS_REPORT: _list(
        "FILE", f"write the result of {FAULTS} to FILE, whose name ends in .md, .html or .json"
    ),
    FAULTS_STRICT: {
        "action": "store_true",
        "default": None,
        "help": f"with {FAULTS}: a test that a fault makes fail is a failure too, however it ended",
    },
}
"""Every option, with the keywords of ``addoption()``."""
_INI_TYPES = {"append": "linelist", "store_true": "bool"}


def ini_name(flag: str) -> str:
    """Return the name of the ini option that gives the default of ``flag``."""
    return flag.lstrip("-").replace("-", "_")


def add_options(parser: pytest.Parser) -> None:
    """Add the command line options, and an ini option for each. None is for a secret itself: an
    ini file is in version control."""
    group = parser.getgroup("wove-http", "Wove http/https worker")
    for flag, words in OPTIONS.items():
        # Without a dest pytest derives it, and compares it with those of all options there are.
        group.addoption(flag, dest=ini_name(flag), **words)
        kind: Any = _INI_TYPES.get(words.get("action", ""))
        one_each = ", one on a line" if kind == "linelist" else ""
        parser.addini(ini_name(flag), f"default of {flag}{one_each}", type=kind)


def setting(config: pytest.Config, flag: str) -> str | None:
    """Return the value of ``flag``, or of its ini option; ``None`` if there is neither.

    The path of a file in an ini option starts at the directory of the ini file. Ini options for
    credentials do not count beside a flag for credentials.
    """
    value = config.getoption(flag)
    if value not in (None, ""):  # "": a shell's variable that is not set
        return str(value)
    for group in (CREDENTIALS, CONTROL_TOKEN):
        if flag in group and any(config.getoption(each) is not None for each in group):
            return None
    text = str(config.getini(ini_name(flag)) or "").strip()
    if text and flag.endswith("-file"):
        directory = config.rootpath if config.inipath is None else config.inipath.parent
        return str(directory / text)
    return text or None


def values(config: pytest.Config, flag: str) -> list[str]:
    """Return the values of ``flag``, one of :data:`LISTS`, or else those of its ini option. The
    path of a file in an ini option starts at the directory of the ini file."""
    given = [text for text in config.getoption(flag) or () if text.strip()]
    if given:
        return given
    texts = [text for text in config.getini(ini_name(flag)) or () if text.strip()]
    if flag == FAULTS_REPORT:
        directory = config.rootpath if config.inipath is None else config.inipath.parent
        return [str(directory / text) for text in texts]
    return texts


def is_remote(config: pytest.Config) -> bool:
    """Whether the tests run against a worker service that is already running."""
    return any(setting(config, flag) is not None for flag in (URL, CONTROL))


def seed(config: pytest.Config) -> int:
    """Return the seed of random faults. Raises :class:`pytest.UsageError` if the ini option is not
    a whole number."""
    text = setting(config, SEED)
    try:
        return int(text or "0")
    except ValueError:
        name = ini_name(SEED)
        raise pytest.UsageError(f"ini option {name} takes a whole number, not {text!r}") from None
