"""``faults --markdown``: prints the reference page of all faults, ``faults/README.md``."""

from __future__ import annotations

from wove_http_dev.faults import FAULTS, Fault, behaviour
from wove_http_dev.faults.fault import STAGES
from wove_http_dev.faults.selector import Selector
from wove_http_dev.fields import TypedField, fields_of

_HEAD = """\
# All faults

Written by `wove-http-dev faults --markdown` from the classes in this folder and `behaviour.json`;
do not edit.

A fault is given by name, by text or as an instance: `worker.inject("slow-response", delay=2)`,
`worker.inject("slow-response delay=2")` and `worker.inject(SlowResponse(delay=2))` are the same.
The class of `slow-response` is `wove_http_dev.faults.SlowResponse`. On the command line a fault is
text: `--fault 'slow-response delay=2'`.

A field of seconds also takes a distribution, `slow-response delay=lognormal(median=0.2,sigma=1)`;
[how it is drawn](../pytest_plugin/README.md#durations-that-are-drawn).

The last column is what a weave of one task saw, measured with Wove {wove} on Python {python}, a
`timeout` of {timeout:g} s and a `delivery_timeout` of {delivery:g} s. `wove-http-dev faults
--measure` measures the Wove that you have installed.

With every fault these words select the requests that it hits:

| word | default | meaning |
|---|---|---|
"""
_FAMILIES = {
    "connection": "before a request: the listening socket and the TLS handshake",
    "auth": "how the worker verifies the request",
    "run": "how the task runs, or is cancelled",
    "events": "the event frames of the answer",
    "response": "the HTTP response: status, headers, form of the body",
    "wire": "the bytes of the response, and the end of the connection",
}
"""What each family changes, as the sentence below its heading."""


def page() -> str:
    """Return the page, in Markdown. Its content depends on the catalogue and the recorded table
    only, not on the installed versions."""
    measured = behaviour.recorded_with()
    head = _HEAD.format(**measured, timeout=behaviour.TIMEOUT, delivery=behaviour.DELIVERY_TIMEOUT)
    words = "\n".join(map(_field_row, fields_of(Selector).values()))
    major, minor = measured["python"].split(".")[:2]
    rows = behaviour.recorded((int(major), int(minor)))
    families = [_family(stage, rows, measured["wove"]) for stage in STAGES]
    return "\n\n".join([head + words, *families]) + "\n"


def _family(stage: str, rows: dict[str, behaviour.Row], wove: str) -> str:
    kinds = [kind for kind in FAULTS.values() if kind.stage == stage]
    return "\n".join(
        [
            f"## {stage}\n",
            f"{_FAMILIES[stage][0].upper()}{_FAMILIES[stage][1:]}.\n",
            "| fault | what it does | expected of Wove's executor | measured |",
            "|---|---|---|---|",
            *(_row(kind, rows[kind.name], wove) for kind in kinds),
        ]
    )


def _row(kind: type[Fault], row: behaviour.Row, wove: str) -> str:
    what = [_cell(kind.summary())]
    what += [
        f"`{each.written(each.default)}`: {_cell(_field_doc(each))}"
        for each in fields_of(kind).values()
    ]
    if kind.needs:
        needs = ", ".join(f"`{word}={wanted!r}`" for word, wanted in kind.needs.items())
        what.append(f"Needs a worker with {needs}.")
    if kind.crashes:
        what.append("Ends the worker; `start()` brings it back.")
    why = kind.why_uncontained(wove)
    if why is not None:
        what.append(f"Wove itself cannot contain it: {_cell(why)}.")
    return f"| `{kind.name}` | {'<br>'.join(what)} | {_cell(kind.effect)} | {_measured(row)} |"


def _field_doc(each: TypedField) -> str:
    return "; or ".join([each.doc, *(kind.short for kind in each.text_kinds)])


def _measured(row: behaviour.Row) -> str:
    if row["outcome"] == "result":
        what = "the result"
    else:
        kind = f" (`{row['kind']}`)" if row.get("kind") else ""
        where = "" if row["outcome"] == "error" else f" {row['outcome']}"
        what = f"`{row['type']}`{kind}{where}"
    return f"{what}, {row['when']}; task ran: {row['bodies run']}"


def _field_row(each: TypedField) -> str:
    name, _, default = each.written(each.default).partition("=")
    return f"| `{name}` | `{default}` | {_cell(each.help())} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
