"""Command line flags for the options of a worker, and a parser whose errors give advice."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from wove_http_dev.errors import MESSAGE_LIMIT, UsageError
from wove_http_dev.fields import TypedField, fields_of
from wove_http_dev.given_secrets import given_secret
from wove_http_dev.options import CLIENT, TEST, Options
from wove_http_dev.printable import shortened
from wove_http_dev.secret import shown_url
from wove_http_dev.spelling import did_you_mean, nearest

PAGE_PORT = 8444
"""The port of the page and the control API, unless another is given or it is in use."""
_HELP_WIDTH = 78
"""Columns of argparse's own texts on a terminal of 80."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line and suggest the flag that was probably meant."""

    client_flags: frozenset[str] = frozenset()
    """Flags of other commands, for options that this command's client sets for itself."""

    def __init__(self, *args: Any, **words: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **words})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse ``args``. An unknown argument exits with status 2."""
        known, extra = super().parse_known_args(args, namespace)
        if extra:  # reported here, because the parser of a command knows the flags to offer
            for flag in (word.partition("=")[0] for word in extra):
                if flag in self.client_flags:  # without its value: a header may be a credential
                    self.error(f"{flag} is for the client: set it in the command's wove.config")
            for flag in (word.partition("=")[0] for word in extra):
                secret = nearest(flag.lstrip("-"), ["secret", "upstream-secret"])
                if secret is not None:  # Not repeated: what follows it may be a secret.
                    self.error(
                        f"unrecognized arguments: --{secret}; the process list shows what is"
                        f" written there, so use --{secret}-env NAME or --{secret}-file FILE"
                    )
            # Not what follows a flag, or is in a URL: it may be a secret.
            flags = [word.partition("=")[0] for word in extra if word.startswith("-")]
            named = " ".join(flags or map(shown_url, extra))
            self.error(f"unrecognized arguments: {named}{self._advice(extra[0])}")
        return known, extra

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            advice = did_you_mean(value, action.choices)
            raise argparse.ArgumentError(action, f"invalid choice: {value!r}; {advice}")

    def error(self, message: str) -> NoReturn:
        """Print ``message`` as one line and exit with status 2."""
        message = shortened(message, MESSAGE_LIMIT)
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def _advice(self, word: str) -> str:
        name = word.lstrip("-").partition("=")[0]
        option = fields_of(Options).get(name)
        if option is not None and option.side == TEST and name != "faults":
            if name == "impersonate":
                return "; that option is of exec, which can give its command a proxy for the name"
            return "; that option is only for tests, not for the command line"
        flag = nearest(f"--{name}", self._option_string_actions)
        if flag is not None and word.startswith("-"):
            return f"; did you mean {flag}?"
        if self.prog.endswith((" inject", " serve", " exec")) and _is_field_of_a_fault(word):
            return "; a fault and its fields are one argument: 'status code=503'"
        return "; put the command after --" if self.prog.endswith(" exec") else ""


def _is_field_of_a_fault(word: str) -> bool:
    from wove_http_dev.faults import FAULTS
    from wove_http_dev.faults.selector import Selector

    name, equals, _ = word.partition("=")
    kinds: list[type] = [Selector, *FAULTS.values()]
    return bool(equals) and any(name in fields_of(kind) for kind in kinds)


def described(about: str, *examples: str) -> dict[str, Any]:
    """Return the arguments with which argparse shows ``about``, sentences, above the options of a
    command, and ``examples``, lines of a shell, below them."""
    return {
        "description": textwrap.fill(about, _HELP_WIDTH),
        "epilog": "\n  ".join(["examples:", *examples]),
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }


def help_only(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    """Return what runs where the word after ``parser`` is missing: it prints the help. Exit status
    2."""

    def run(_: argparse.Namespace) -> int:
        parser.print_help()
        return 2

    return run


def add_options(parser: Parser, *, port: int, client: bool = True) -> None:
    """Add to ``parser`` a flag for each option that is not only for tests.

    ``port`` is the default of ``--port``. If ``client`` is false, the options for Wove's executor
    get no flag.
    """
    flags = _flags()
    if not client:
        names = [name for name, each in flags.items() if each.side == CLIENT]
        parser.client_flags = frozenset(f"--{name.replace('_', '-')}" for name in names)
        parser.client_flags |= {"--header"}
        flags = {name: each for name, each in flags.items() if name not in names}
    for name, each in flags.items():
        each.add_flag(parser, port if name == "port" else each.default)
    secrets = parser.add_mutually_exclusive_group()
    add_secret_flags(secrets, "--secret", "the signing secret, or the bearer token")
    # Without a group, which would be a line of the usage that is longer than a terminal's.
    what = "the signing secret, or the bearer token, of upstream"
    add_secret_flags(parser, "--upstream-secret", what)
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="'NAME field=value ...'",
        help="a fault in force from the start; may be given more than once",
    )
    parser.add_argument(
        "--hosts",
        action="append",
        default=[],
        metavar="HOST",
        help="a further host name that the certificate and the Host check accept; may be given"
        " more than once",
    )
    if client:
        parser.add_argument(
            "--header",
            action="append",
            type=_header,
            default=[],
            metavar="NAME=VALUE",
            help="an extra header that the executor sends; may be given more than once",
        )


def add_secret_flags(group: Any, flag: str, what: str, *, default: Any = None) -> None:
    """Add ``flag`` with the ends ``-env`` and ``-file`` to an argparse group; their value is that
    of ``options.given_secret``. There is no plain ``flag``: the process list would show it."""
    for end, metavar, place in (
        ("-env", "NAME", "environment variable with"),
        ("-file", "FILE", "file with nothing but"),
    ):
        group.add_argument(f"{flag}{end}", metavar=metavar, default=default, help=f"{place} {what}")


def given_options(namespace: argparse.Namespace) -> dict[str, Any]:
    """Return the options that the flags of :func:`add_options` set, by name. Raises
    :class:`UsageError` for a secret that cannot be used."""
    secret = given_secret("--secret", namespace.secret_env, namespace.secret_file)
    if secret is not None and namespace.security not in ("signed", "bearer"):
        raise UsageError("--secret-env and --secret-file go with --security signed or bearer")
    return {
        **{name: getattr(namespace, name) for name in _flags() if hasattr(namespace, name)},
        "secret": secret,
        "upstream_security": _upstream_security(namespace),
        "faults": list(namespace.fault),
        "hosts": list(namespace.hosts),
        "headers": dict(getattr(namespace, "header", [])) or None,
    }


def _upstream_security(namespace: argparse.Namespace) -> Any:
    """Return the option ``upstream_security`` that the flags for it and for the secret give."""
    flag, form = "--upstream-secret", namespace.upstream_security
    secret = given_secret(flag, namespace.upstream_secret_env, namespace.upstream_secret_file)
    if secret is None and form not in ("signed", "bearer"):
        return form
    if namespace.upstream is None:
        raise UsageError(f"{flag}-env and {flag}-file go with --upstream URL")
    if secret is None:
        raise UsageError(
            f"--upstream-security {form} needs {flag}-env NAME or {flag}-file FILE with the secret"
        )
    if form not in (None, "signed", "bearer"):
        raise UsageError(f"{flag}-env and {flag}-file go with --upstream-security signed or bearer")
    return {"type": form or "signed", "token" if form == "bearer" else "secret": secret}


def _flags() -> Mapping[str, TypedField]:
    # These have flags of another form: --header; --hosts; --secret-env and --secret-file.
    options = fields_of(Options).items()
    return {
        name: each
        for name, each in options
        if each.side != TEST and name not in ("headers", "hosts", "secret")
    }


def _header(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        # Without the text: it may be "Authorization: Bearer …".
        raise argparse.ArgumentTypeError("takes NAME=VALUE, as in X-Tenant=acme")
    return name, value
