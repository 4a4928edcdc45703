"""The plugin's settings: command line options, and ini options of the same name for a project."""

from __future__ import annotations

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
SEED = "--wove-http-seed"
FAULTS = "--wove-http-faults"
FAULTS_EXCLUDE = f"{FAULTS}-exclude"
FAULTS_REPORT = f"{FAULTS}-report"
FAULTS_STRICT = f"{FAULTS}-strict"
LISTS = (FAULTS, FAULTS_EXCLUDE, FAULTS_REPORT)
"""Options that may be given several times."""


def ini_name(flag: str) -> str:
    """Return the name of the ini option that gives the default of ``flag``."""
    return flag.lstrip("-").replace("-", "_")


def add_ini_options(parser: pytest.Parser) -> None:
    """Add the ini options. None is for a secret itself: an ini file is in version control."""
    for flag in (*REMOTE_OPTIONS, SEED):
        parser.addini(ini_name(flag), f"default of {flag}")
    for flag in LISTS:
        parser.addini(ini_name(flag), f"default of {flag}, one on a line", type="linelist")
    parser.addini(ini_name(FAULTS_STRICT), f"default of {FAULTS_STRICT}", type="bool")


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
