"""Authentication cases about what a signature covers: each byte of the body and of the target,
however large the body is and in whatever form it is sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from wove_http_dev.conformance.worker import commands, pickles, sources, tasks
from wove_http_dev.conformance.worker.cases.auth import auth
from wove_http_dev.conformance.worker.cases.auth.normalised_bodies import normalised
from wove_http_dev.conformance.worker.cases.auth.probe import (
    REFUSAL,
    Attempt,
    Attempts,
    Probe,
    cancelling,
    chunked,
    probe,
    refuses,
    signed,
)
from wove_http_dev.conformance.worker.cases.auth.targets import (
    neighbours,
    respelled,
    with_query,
)
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import NoAnswer

KIB, MIB = 2**10, 2**20
LARGE, LARGEST = MIB + 100 * KIB, 16 * MIB + 100 * KIB
"""Sizes of bodies in bytes, beyond limits that are common: a MiB and 16 MiB."""
WRONG = b"another secret"
FIRST_CHUNK = 64
"""The number of bytes in the first chunk of a body that is sent in chunks."""
PREFIXES = (KIB, 4 * KIB, 8 * KIB, 16 * KIB, 64 * KIB)
"""How many bytes a hash might cover that is made of the beginning of a body only."""


@auth.must(
    "03",
    sources.SECURITY,
    scenario="bodies changed after they were signed: another task, other arguments, another run,"
    " fields added, in another order or repeated, JSON respelled, bytes more, other line ends,"
    " letter case and Unicode forms; signatures that cover only a part of the body",
    expected=REFUSAL,
)
@refuses("signed")
def tampered_body(check: CaseContext) -> Attempts:
    """A body that was changed after it was signed is refused, even if the change is insignificant
    in JSON. (Bodies that were compressed are not tried: aiohttp, among others, decompresses them
    before an application sees them, and the signature is then right.)"""
    for number, (what, _) in enumerate(_altered(b'{"":0}')):
        sent, headers = signed(check)
        body = list(_altered(sent.body))[number][1]
        yield Attempt(
            f"a body {what} after it was signed",
            replace(sent, body=body),
            headers,
            wrong=check.service.credentials(body, secret=WRONG),
        )
    yield from _normalised(check)
    for name in ("type", "run_id", "delivery", "callable_pickle", "args_pickle"):
        sent = probe(check)
        frame = json.loads(sent.body)
        frame[name] = _OTHERS[name]
        headers = check.service.credentials(commands.encode(frame))
        yield Attempt(f"a body whose {name} was changed after it was signed", sent, headers)
    for what, part in _PARTS.items():
        sent = probe(check)
        headers = check.service.credentials(part(json.loads(sent.body)))
        yield Attempt(f"a body of which only {what} is signed", sent, headers)
    for size in PREFIXES:
        sent = _padded(probe(check), size + 1)
        headers = check.service.credentials(sent.body[:size])
        yield Attempt(f"a body of which only the first {size:,} bytes are signed", sent, headers)


_OTHERS: dict[str, Any] = {
    "type": "cancel_task",
    "run_id": "conformance:another",
    "delivery": {},
    "callable_pickle": commands.text(pickles.pickled(tasks.nothing)),
    "args_pickle": commands.text(pickles.pickled({})),
}
"""Other values for the fields of a frame."""
_PARTS: dict[str, Callable[[Any], bytes]] = {
    "the empty string": lambda frame: b"",
    "the run_id": lambda frame: str(frame["run_id"]).encode(),
    "the text of callable_pickle": lambda frame: str(frame["callable_pickle"]).encode(),
    "callable_pickle": lambda frame: base64.b64decode(frame["callable_pickle"]),
    "the payload (both pickles)": lambda frame: (
        base64.b64decode(frame["callable_pickle"]) + base64.b64decode(frame["args_pickle"])
    ),
}
"""Parts of a frame that a service might verify instead of the body."""


def _altered(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield changes of ``body``, each as its description and the changed body."""
    name = b'"task_id":"conformance'
    yield "changed", body.replace(name, b'"task_id":"Conformance')
    yield "respelled (a space in its JSON)", body.replace(b'"task_id":', b'"task_id": ')
    yield "respelled (an escaped letter)", body.replace(name, b'"task_id":"\\u0063onformance')
    yield "respelled (a field twice)", b'{"task_id":"x",' + body[1:]
    yield "respelled (its fields in another order)", _reordered(body)
    yield "changed (a field more)", b'{"conformance":1,' + body[1:]
    yield "changed (a space at its beginning)", b" " + body
    yield "changed (a byte order mark at its beginning)", b"\xef\xbb\xbf" + body
    yield "changed (a line feed at its end)", body + b"\n"
    yield "changed (a zero byte at its end)", body + b"\0"
    yield "changed (a byte at its end that is not UTF-8)", body + b"\xff"


def _reordered(body: bytes) -> bytes:
    return commands.encode(dict(reversed(json.loads(body).items())))


def _normalised(check: CaseContext) -> Attempts:
    """Yield requests whose signature covers another form of the body. Some are no valid JSON as
    they are sent, so that only their status tells whether the signature was taken for right."""
    for number, (what, _, _) in enumerate(normalised(b'{"":0}')):
        sent = probe(check)
        _, covered, used = list(normalised(sent.body))[number]
        yield Attempt(
            f"a body with {what} after it was signed",
            replace(sent, body=used),
            check.service.credentials(covered),
            wrong=check.service.credentials(used, secret=WRONG),
        )


def _padded(sent: Probe, size: int) -> Probe:
    """Return ``sent`` with spaces in its JSON, so that its body has ``size`` bytes."""
    return replace(sent, body=_spaced(sent.body, size))


def _spaced(body: bytes, size: int) -> bytes:
    # Behind the last brace they would cost much more: json.loads() looks for them with a regex.
    return body[:-1].ljust(size - 1) + b"}"


@auth.must(
    "04",
    sources.SECURITY,
    scenario="requests signed for this URL's target, sent to similar targets: with an additional"
    " query, slash or parameter, in other letter case, with the query in another order or without"
    " it; requests signed for another transport, or for a target that a header names",
    expected=REFUSAL,
)
@refuses("signed")
def tampered_target(check: CaseContext) -> Attempts:
    """The signature covers the target, including the query: a request signed for another target is
    refused."""
    usual = check.service.target
    target = with_query(usual)
    what = f"a query that the signature does not cover ({target!r})"
    yield Attempt(what, *signed(check), target)
    pairs = [(usual, other) for other in neighbours(check)]
    pairs += [(with_query(usual, "a=1"), usual), (check.service.path.rpartition("/")[0], usual)]
    pairs += [
        ("/", usual),
        (check.service.url, usual),
        (f"{check.service.authority}{usual}", usual),
    ]
    for covered, used in (
        ("a=1&b=2", "b=2&a=1"),
        ("a=b+c", "a=b%20c"),
        ("a=1", "a=2"),
        ("a=1", "A=1"),
        ("a=1", "a=1&b=2"),
        ("a=1&b=2", "a=1"),
    ):
        pairs.append((with_query(usual, covered), with_query(usual, used)))
    for covered, used in pairs:
        if covered not in ("", used):
            what = f"a request signed for {covered!r} and sent to {used!r}"
            yield Attempt(what, *signed(check, target=covered), used)
    for transport in ("grpc", "websocket", "https", ""):
        what = f"a request signed for the transport {transport!r} instead of 'http'"
        yield Attempt(what, *signed(check, transport=transport))
    names = ("X-Original-URI", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri")
    sent, headers = signed(check, target="/another")
    what = f"a request signed for '/another' that gives it as {', '.join(names)}"
    yield Attempt(what, sent, {**headers, **dict.fromkeys(names, "/another")})


@auth.must(
    "45",
    sources.SECURITY,
    scenario="cancel_tasks sent to this URL's path in other spellings (escaped, with dots, with"
    " double slashes, …): signed for that spelling, and for the usual one",
    expected="at most one of the two is accepted, because a signature covers one spelling",
)
def respelled_target(check: CaseContext) -> str:
    """A signature covers the target as it was sent: if a service accepts one for another spelling
    of its path, it does not accept one for the usual spelling there as well."""
    check.need_mode("signed")
    seen = "no other spelling was accepted"
    for used in respelled(check, whole_url=False):
        if not _accepts(check, used, check.service.target):
            continue
        seen = "one signature for each spelling was accepted"
        if _accepts(check, used, used):
            check.fail(
                f"requests sent to {used!r} were accepted both with a signature for it and with one"
                f" for {check.service.target!r}"
            )
    return seen


def _accepts(check: CaseContext, used: str, covered: str) -> bool:
    """Send a request to ``used``, signed for ``covered``, and return whether it was accepted."""
    try:
        return check.post(*cancelling(check, target=covered), target=used).ok
    except NoAnswer:
        return False


@auth.should(
    "05",
    sources.EXECUTOR,
    scenario="a request to this URL with a query, signed for path and query, as Wove signs it",
    expected="the request is accepted",
)
def signed_query(check: CaseContext) -> str:
    """A URL with a query works: Wove signs the path and query exactly as written in the URL."""
    check.need_mode("signed")
    target = with_query(check.service.target)
    body = commands.encode(commands.run_frame(tasks.nothing))
    headers = check.service.credentials(body, target=target)
    answer = check.ask("a signed query", body, headers, target=target)
    if answer.status in (401, 403):
        check.fail(
            f"a request signed for {target!r} was refused ({answer.shown()}):"
            " the query, exactly as in the URL, is not part of what is verified"
        )
    return f"HTTP {answer.status}"


@auth.must(
    "32",
    sources.SECURITY,
    scenario=f"bodies of {LARGE / MIB:.1f} MiB and {LARGEST / MIB:.1f} MiB without credentials,"
    " with wrong ones, only partly signed, changed after they were signed, and sent twice",
    expected=REFUSAL,
)
@refuses("signed", "bearer")
def large_bodies(check: CaseContext) -> Attempts:
    """A large body is verified like a small one: completely, and it is accepted only once."""
    size, largest = f"of {LARGE / MIB:.1f} MiB", f"of {LARGEST / MIB:.1f} MiB"
    yield Attempt(f"a body {size} without credentials", _padded(probe(check), LARGE), {})
    if check.service.mode == "bearer":
        sent = _padded(probe(check), LARGEST)
        wrong = {"Authorization": "Bearer wrong"}
        yield Attempt(f"a body {largest} with a wrong bearer token", sent, wrong)
        return
    for what, part in (("nothing", slice(0)), ("the first MiB", slice(MIB))):
        sent = _padded(probe(check), LARGE)
        headers = check.service.credentials(sent.body[part])
        yield Attempt(f"a body {size} of which only {what} is signed", sent, headers)
    for at, end in (("its middle", LARGE // 2), ("its end", LARGE - 1)):
        sent = _padded(probe(check), LARGE)
        headers = check.service.credentials(sent.body)
        changed = replace(sent, body=b"%b\n%b" % (sent.body[: end - 1], sent.body[end:]))
        what = f"a body {size} that was changed at {at} after it was signed"
        yield Attempt(what, changed, headers)
    sent = probe(check)
    headers = check.service.credentials(sent.body)
    what = f"a body {largest} that was longer than when it was signed"
    yield Attempt(what, _padded(sent, LARGEST), headers)
    body = _spaced(cancelling(check)[0], LARGE)
    headers = check.service.credentials(body)
    answer = check.ask("a good cancel_task", body, headers)
    if answer.status in (401, 403):
        check.fail(f"a body {size} with a right signature was refused: {answer.shown()}")
    yield Attempt(f"a replay (a body {size} that was sent before)", Probe(body, None, 0.0), headers)


@auth.must(
    "33",
    f"{sources.SECURITY}; {sources.HTTP1}, 7.1",
    scenario="requests whose body is sent in chunks (Transfer-Encoding: chunked), without"
    " credentials, changed after they were signed, and with a signature that covers only the"
    " first chunk or nothing",
    expected=REFUSAL,
)
@refuses("signed", "bearer")
def chunked_bodies(check: CaseContext) -> Attempts:
    """A body that is sent in chunks is verified like any other body."""
    attempts: list[tuple[str, Probe, dict[str, str]]] = []
    attempts.append(("without credentials", probe(check), {}))
    if check.service.mode == "bearer":
        attempts += [("with a wrong token", probe(check), {"Authorization": "Bearer wrong"})]
    else:
        for what, size in (("nothing", 0), ("the first chunk", FIRST_CHUNK)):
            sent = probe(check)
            headers = check.service.credentials(sent.body[:size])
            attempts.append((f"of which only {what} is signed", sent, headers))
        sent, headers = signed(check)
        sent = replace(sent, body=sent.body + b"\n")
        attempts.append(("that was changed after it was signed", sent, headers))
    for what, sent, headers in attempts:
        request = chunked(check, sent.body, headers, FIRST_CHUNK)
        yield Attempt(f"a body in chunks {what}", sent, headers, request=request)
