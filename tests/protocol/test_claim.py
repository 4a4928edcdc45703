"""What a body claims to be, read before authentication."""

from __future__ import annotations

import base64
import contextlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import cloudpickle
import pytest
from wove.context import WoveContextManager

from tests.protocol.helpers import INITIAL_VALUE_NAME, double, wove_cancel, wove_frame, wove_run
from wove_http_dev.errors import FrameError
from wove_http_dev.protocol import frames
from wove_http_dev.protocol.claim import READ_BYTES, Claim

INITIAL = WoveContextManager()._tasks["data"]["func"]


class WritesAFile:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str, str], Any], tuple[str, str]]:
        return open, (str(self.path), "w")


HOSTILE_PICKLES = {
    "empty": b"",
    "unknown opcode": b"\xff\xff",
    "cut short": cloudpickle.dumps(double)[:40],
    "promises more than there is": b"\x80\x04\x8d" + b"\xff" * 8,
    "negative length": b"\x80\x02\x8b\xff\xff\xff\xff",
    "number of many digits": b"I" + b"9" * 5000 + b"\n.",
    "text that is not UTF-8": b"\x80\x04\x8c\x02\xff\xfe.",
    "bad escape": b"S'\\x'\n.",
    "no stop": pickle.dumps(None)[:-1],
}


def claimed(body: bytes) -> tuple[str | None, str | None, str | None, bool]:
    """The type, task id, run id and initial-value flag that ``body`` claims."""
    claim = Claim(body)
    return claim.type, claim.task_id, claim.run_id, claim.initial_value


NOTHING = (None, None, None, False)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies whose JSON was parsed as a whole."""
    bodies: list[bytes] = []
    plain = frames.parse

    def counting(body: bytes) -> dict[str, Any]:
        bodies.append(body)
        return plain(body)

    monkeypatch.setattr(frames, "parse", counting)
    return bodies


class TestClaim:
    """The fields that a body claims, read before authentication."""

    def test_claims(self) -> None:
        """The type and both ids are read."""
        assert claimed(wove_run()) == ("run_task", "double", "run-1", False)

    def test_claims_of_a_cancel(self) -> None:
        """Type and ids of a ``cancel_task`` are read."""
        assert claimed(wove_cancel()) == ("cancel_task", "double", "run-1", False)

    def test_claims_an_initial_value(self) -> None:
        """An initial value is recognised before authentication."""
        assert Claim(wove_run(callable=WoveContextManager()._tasks["data"]["func"])).initial_value

    @pytest.mark.parametrize(
        "body", [b"", b"\xff", b"{", b"[]", b"null", b"{}", b"[" * 200_000, b'{"type": 1}']
    )
    def test_junk_claims_nothing(self, body: bytes) -> None:
        """A body that is not a frame has no type and no ids."""
        assert claimed(body) == NOTHING

    @pytest.mark.parametrize("body", [b'{"type": "run_task"}', wove_frame(type="run_task", args=1)])
    def test_half_a_frame(self, body: bytes) -> None:
        """A broken frame's readable fields are read."""
        assert claimed(body) == ("run_task", None, None, False)

    @pytest.mark.parametrize("kind", [{}, {"type": None}, {"type": 1}, {"type": "run_task"}])
    @pytest.mark.parametrize("payload", ["*", "é", "", 1, None, []])
    def test_payload_that_is_not_base64(self, kind: dict[str, Any], payload: Any) -> None:
        """A payload field that is not base64 makes no initial value, whatever the type says."""
        assert not Claim(wove_frame(task_id="t", callable_pickle=payload, **kind)).initial_value

    @pytest.mark.parametrize(
        "payload",
        HOSTILE_PICKLES.values(),
        ids=[name.replace(" ", "-") for name in HOSTILE_PICKLES],
    )
    def test_hostile_pickle_is_not_an_initial_value(self, payload: bytes) -> None:
        """A pickle made to confuse a disassembler is not an initial value, even if it contains the
        name."""
        hostile = INITIAL_VALUE_NAME.encode().join((b"", payload)) + INITIAL_VALUE_NAME.encode()
        text = base64.b64encode(payload + hostile).decode()
        body = wove_frame(type="run_task", task_id="t", run_id="r", callable_pickle=text)
        assert claimed(body) == ("run_task", "t", "r", False)

    def test_pickle_is_not_loaded(self, tmp_path: Path) -> None:
        """No pickle is loaded."""
        target = tmp_path / "written"
        claimed(wove_run(callable=(INITIAL_VALUE_NAME, WritesAFile(target))))
        assert not target.exists()

    @pytest.mark.parametrize("body", [wove_run(), wove_run(callable=INITIAL), wove_cancel(), b"{}"])
    def test_decoding_changes_nothing(self, body: bytes) -> None:
        """A claim has the same values after it was decoded."""
        claim = Claim(body)
        with contextlib.suppress(FrameError):
            claim.decode()
        assert (claim.type, claim.task_id, claim.run_id, claim.initial_value) == claimed(body)

    def test_decoding_twice(self) -> None:
        """A claim that was decoded gives the same command again."""
        claim = Claim(wove_run())
        assert claim.decode() is claim.decode()

    @pytest.mark.parametrize("body", [wove_run(), wove_cancel(), b"{}", b"{", b"\xff"])
    def test_reading_parses_no_body(self, body: bytes, parsed: list[bytes]) -> None:
        """Reading a claim does not parse the body's JSON as a whole."""
        claimed(body)
        assert parsed == []

    def test_body_is_parsed_once(self, parsed: list[bytes]) -> None:
        """A body's JSON is parsed once, even if it is decoded several times."""
        claim = Claim(wove_run())
        for _ in range(2):
            claim.decode()
        assert parsed == [wove_run()]

    def test_the_pickle_would_have_acted(self, tmp_path: Path) -> None:
        """The pickle of the test above has its effect when it is loaded."""
        target = tmp_path / "written"
        frames.loads(frames.dumps((INITIAL_VALUE_NAME, WritesAFile(target))))[1].close()
        assert target.exists()


LARGE = "QUJD" * READ_BYTES


def jsoned(*members: tuple[str, Any]) -> bytes:
    """A JSON object with ``members`` in this order; a name may occur more than once."""
    pairs = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in members)
    return ("{" + ", ".join(pairs) + "}").encode()


NAMES = (("type", "run_task"), ("task_id", "t"), ("run_id", "r"), ("callable_pickle", "QUJD"))
LATER = ("task_id", "later")
NOTES = ("delivery", {"notes": ["x"] * 30_000})


@pytest.mark.parametrize(
    ("body", "task"),
    [
        (jsoned(*NAMES, LATER), "later"),
        (jsoned(*NAMES, ("args_pickle", LARGE), LATER), "later"),
        (jsoned(*NAMES, NOTES, LATER), "later"),
        (jsoned(NOTES, *NAMES), "t"),
        (jsoned(NOTES, ("args_pickle", LARGE * 4), *NAMES), None),
        (jsoned(("args_pickle", LARGE + "/" * 9), *NAMES).replace(b"/", b"\\/"), "t"),
        (jsoned(("args_pickle", '\\"' * READ_BYTES * 2), *NAMES), None),
        (jsoned(("args_pickle", '\\"' * 900 + LARGE * 4 + "\\"), *NAMES), "t"),
        (jsoned(*NAMES[:1], ("task_id", LARGE), *NAMES[2:]), LARGE),
        (jsoned(*NAMES[:1], ("task_id", LARGE * 4), *NAMES[2:]), None),
        (jsoned(*NAMES, *((str(number), LARGE) for number in range(9)), LATER), None),
    ],
    ids=[
        *("twice", "twice-around-a-pickle", "twice-around-a-long-value", "after-a-long-value"),
        *(
            "too-much",
            "escapes",
            "many-escaped-quotes",
            "escaped-quotes",
            "long-name",
            "longer-name",
        ),
        "many-long-strings",
    ],
)
def test_claim_is_what_is_decoded(body: bytes, task: str | None) -> None:
    """A claim is what the parsed body says, or unknown where that would take too much."""
    assert (Claim(body).task_id, json.loads(body)["task_id"]) in [(task, task), (None, ANY)]
    assert Claim(body).task_id == task


@pytest.mark.parametrize("order", [1, -1], ids=["names-last", "names-first"])
def test_claim_at_every_end_of_a_part(order: int) -> None:
    """Wherever the part that is parsed first ends, nothing is claimed but what the frame says."""
    members = [("args_pickle", ""), ("delivery", {"mode": "x"}), *NAMES][::order]
    found = set()
    for size in range(READ_BYTES - 250, READ_BYTES + 10):
        padded = [(name, "Q" * size if name == "args_pickle" else value) for name, value in members]
        found.add(claimed(jsoned(*padded)))
    assert found == {("run_task", "t", "r", False)}


class Metered(bytes):
    """A body that counts the bytes that are copied out of it."""

    copied = 0

    def __getitem__(self, index: Any) -> Any:
        part = super().__getitem__(index)
        Metered.copied += len(part)
        return part


class TestLargeBody:
    """A claim is read from a bounded part of a body."""

    def test_large_pickles(self) -> None:
        """The names before a large pickle are read."""
        body = wove_run(callable_pickle=LARGE, args_pickle=LARGE)
        assert claimed(body) == ("run_task", "double", "run-1", False)

    def test_names_after_the_pickles(self) -> None:
        """The names after large pickles are read."""
        frame = {"args_pickle": LARGE, "callable_pickle": LARGE, "run_id": "r", "task_id": "t"}
        assert claimed(json.dumps({**frame, "type": "run_task"}).encode()) == (
            *("run_task", "t", "r"),
            False,
        )

    def test_beginning_of_a_body(self) -> None:
        """The names are read from the beginning of a body."""
        body = wove_run(callable_pickle=LARGE)[:READ_BYTES]
        assert claimed(body) == ("run_task", "double", "run-1", False)

    @pytest.mark.parametrize("size", [1, 1000, 10**6])
    def test_initial_value_of_any_size(self, size: int) -> None:
        """The beginning of a weave's initial value is enough to recognise it."""
        value = WoveContextManager(x=bytes(size))._tasks["x"]["func"]
        body = wove_run(callable=value, task_id="x")[:READ_BYTES]
        assert claimed(body) == ("run_task", "x", "run-1", True)

    @pytest.mark.parametrize(
        "body",
        [
            b'{"a": ' + b"[" * 2**20,
            b'{"a": [' + b"1," * 2**20,
            b"{" + b'"a":1,' * 2**20,
            b'{"a": ' + b"9" * 2**20,
            b'{"' + b"a" * 2**20,
            b" " * 2**20,
            b'{"a": "' + b"\\u0061" * 2**20 + b'"}',
            b'{"a": "' + b"\xff" * 2**20,
            b"{" + b'"a": "%s", ' % (b"a" * 70_000) * 20,
            b"{" + b'"a": [%s1], ' % (b"1," * 20_000) * 60,
        ],
        ids=[
            *("nested", "list", "members", "number", "name", "space", "escapes", "not-utf8"),
            *("strings", "lists"),
        ],
    )
    def test_little_is_copied(self, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of a large body that is made to be slow little is read, and nothing is claimed."""
        monkeypatch.setattr(Metered, "copied", 0)
        assert claimed(Metered(body)) == NOTHING
        assert Metered.copied <= 11 * READ_BYTES

    def test_part_that_is_not_utf8(self) -> None:
        """What is before the first bytes that are not UTF-8 is read."""
        assert claimed(b'{"type": "run_task", "x": "\xff\xff"}')[0] == "run_task"

    def test_cut_character(self) -> None:
        """A character that the end of the part cuts in two is no error."""
        body = json.dumps({"type": "run_task", "x": "ü" * READ_BYTES}, ensure_ascii=False)
        assert claimed(b" " + body.encode())[0] == claimed(body.encode())[0] == "run_task"
