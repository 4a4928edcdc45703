"""Workers with a defect in their memory of nonces or in their clock: they accept a request again,
or at a time at which they should not."""

from __future__ import annotations

import email.utils
import sys
import threading
import time
from collections.abc import Mapping

from tests.conformance.worker.defects.base import flagged_by, plant
from tests.conformance.worker.plain_worker import SECRET, Handler, PlainWorker

NONCE, STAMP, SIGNATURE = "X-Wove-Nonce", "X-Wove-Timestamp", "X-Wove-Signature"


class RemembersLater(PlainWorker):
    """A base class for workers that look for a nonce when they verify a request, and remember it
    later."""

    def check_nonce(self, nonce: str) -> None:
        with self.lock:
            if not nonce or nonce in self.nonces:
                raise PermissionError("replayed")

    def remember(self, handler: Handler) -> None:
        with self.lock:
            self.nonces.add(handler.headers.get(NONCE, ""))


@flagged_by("auth.39", "accepted while the task of the first one ran")
class RemembersAfterTheRun(RemembersLater):
    def serve(self, handler: Handler) -> None:
        super().serve(handler)
        self.remember(handler)


@flagged_by("auth.29", "whose client had gone was accepted")
class RemembersWhatWasAnswered(PlainWorker):
    """Forgets a nonce if the client does not wait for the answer."""

    def write(self, handler: Handler, status: int, document: object) -> None:
        try:
            super().write(handler, status, document)
            handler.wfile.flush()
        except OSError:
            with self.lock:
                self.nonces.discard(handler.headers.get(NONCE, ""))


class RemembersMore(PlainWorker):
    """A base class for workers that remember a nonce together with something that the signature
    does not cover."""

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        with self.lock:
            self.nonces.discard(headers.get(NONCE, ""))
        super().verify(headers, target, body)
        with self.lock:
            entry = (headers[NONCE], self.more(headers, body))
            if entry in self.nonces:
                raise PermissionError("replayed")
            self.nonces.add(entry)

    def more(self, headers: Mapping[str, str], body: bytes) -> str:
        raise NotImplementedError


@flagged_by("auth.40", "a replay was accepted with another User-Agent")
class RemembersPerClient(RemembersMore):
    def more(self, headers: Mapping[str, str], body: bytes) -> str:
        return headers.get("User-Agent", "")


@flagged_by("auth.40", "a replay was accepted with another X-Forwarded-For")
class RemembersPerAddress(RemembersMore):
    def more(self, headers: Mapping[str, str], body: bytes) -> str:
        return headers.get("X-Forwarded-For", "127.0.0.1")


class RemembersPerConnectedAddress(RemembersMore):
    def headers(self, handler: Handler) -> dict[str, str]:
        return {**super().headers(handler), "Address": handler.client_address[0]}

    def more(self, headers: Mapping[str, str], body: bytes) -> str:
        return headers["Address"]


if sys.platform == "linux":  # others have no 127.0.0.2 unless it is added
    plant(
        RemembersPerConnectedAddress,
        "auth.40",
        "a replay was accepted from another address .127.0.0.2.",
    )


@flagged_by("auth.40", "a replay was accepted with another Host")
class RemembersPerHost(RemembersMore):
    def more(self, headers: Mapping[str, str], body: bytes) -> str:
        return headers["Host"]


@flagged_by("auth.40", "a replay was accepted with its signature in upper case")
@flagged_by("auth.41", "a signature in upper case was accepted")
class RemembersSignatures(RemembersMore):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        written = headers.get(SIGNATURE, "")
        headers = {**headers, SIGNATURE: written.lower(), "Written": written}
        super().verify(headers, target, body)

    def more(self, headers: Mapping[str, str], body: bytes) -> str:
        return headers["Written"]


@flagged_by("auth.40", "a replay was accepted with HTTP/1.0")
class RemembersOneVersion(PlainWorker):
    def serve(self, handler: Handler) -> None:
        if handler.request_version == "HTTP/1.0":
            self.nonces.discard(handler.headers.get(NONCE, ""))
        super().serve(handler)


@flagged_by("auth.32", "a replay .a body of 1.1 MiB that was sent before. was accepted")
class RemembersSmallBodies(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        if len(body) > 2**20:
            self.nonces.discard(headers.get(NONCE, ""))
        super().verify(headers, target, body)


class RemembersByTimestamp(PlainWorker):
    """Remembers the nonces of requests that were signed in the last minute."""

    kept = 60.0

    def __init__(self) -> None:
        super().__init__()
        self.signed: dict[str, float] = {}

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        super().verify(headers, target, body)
        stamp = float(headers[STAMP])
        ends = self.now(stamp) - self.kept
        with self.lock:
            self.signed[headers[NONCE]] = stamp
            for nonce in [nonce for nonce, stamp in self.signed.items() if stamp < ends]:
                del self.signed[nonce]
                self.nonces.discard(nonce)

    def now(self, stamp: float) -> float:
        return time.time()


@flagged_by("auth.34", "a replay of a request with a timestamp 290 s behind was accepted")
class ForgetsOldTimestamps(RemembersByTimestamp):
    pass


@flagged_by("auth.34", "a replay of a request with a timestamp 290 s behind was accepted")
class BelievesTheirClocks(RemembersByTimestamp):
    """Forgets nonces by the latest timestamp that it has seen instead of its own clock."""

    kept = 300.0
    latest = 0.0

    def now(self, stamp: float) -> float:
        self.latest = max(self.latest, stamp)
        return self.latest


@flagged_by("auth.14", "with a second X-Wove-Timestamp of now after it, was accepted")
class ChecksTheLastTimestamp(PlainWorker):
    def serve(self, handler: Handler) -> None:
        handler.__dict__["stamps"] = handler.headers.get_all(STAMP, [""])
        super().serve(handler)

    def headers(self, handler: Handler) -> dict[str, str]:
        stamps = handler.__dict__["stamps"]
        return {**super().headers(handler), STAMP: stamps[0], "Last": stamps[-1]}

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        self.last = headers["Last"]
        super().verify(headers, target, body)

    def check_timestamp(self, text: str) -> None:
        super().check_timestamp(self.last)


@flagged_by("auth.14", "an expired timestamp, with a Date of now, was accepted")
class BelievesTheDate(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.date, self.dated = "", threading.RLock()

    def serve(self, handler: Handler) -> None:
        handler.__dict__["date"] = handler.headers.get("Date", "")
        super().serve(handler)

    def headers(self, handler: Handler) -> dict[str, str]:
        return {**super().headers(handler), "Sent": handler.__dict__["date"]}

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        with self.dated:
            self.date = headers["Sent"]
            super().verify(headers, target, body)

    def check_timestamp(self, text: str) -> None:
        sent = email.utils.parsedate_to_datetime(self.date).timestamp() if self.date else text
        super().check_timestamp(str(sent))


@flagged_by("auth.14", "the expired timestamp '0' was accepted")
class TakesZeroForNothing(PlainWorker):
    def check_timestamp(self, text: str) -> None:
        if text != "0":
            super().check_timestamp(text)


@flagged_by("auth.14", r"the expired timestamp '-\d+' was accepted")
class IgnoresWhatIsNegative(PlainWorker):
    def check_timestamp(self, text: str) -> None:
        if not text.startswith("-"):
            super().check_timestamp(text)


@flagged_by("auth.15", "the future timestamp 9e300 was accepted")
class IgnoresWhatIsVast(PlainWorker):
    def check_timestamp(self, text: str) -> None:
        if "e" not in text:
            super().check_timestamp(text)


@flagged_by("auth.35", r"the timestamp '\d+000' was accepted")
class ReadsMilliseconds(PlainWorker):
    def check_timestamp(self, text: str) -> None:
        super().check_timestamp(text[:-3] if len(text) == 13 else text)


@flagged_by("auth.30", "with underscores in its name. after its own")
class MixesUpUnderscores(PlainWorker):
    """Takes ``X_Wove_Nonce`` for ``X-Wove-Nonce`` where it looks for replays, as CGI does."""

    def headers(self, handler: Handler) -> dict[str, str]:
        seen = [value for name, value in handler.headers.items() if "wove_nonce" in name.lower()]
        return {**super().headers(handler), "Seen": seen[-1] if seen else ""}

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        if headers["Seen"]:
            self.nonces.discard(headers.get(NONCE, ""))
        super().verify(headers, target, body)


# Cancels


class LooksAtCancelsLess(PlainWorker):
    """A base class for workers that verify a cancel_task less than a run_task."""

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        if b'"cancel_task"' not in body:
            super().verify(headers, target, body)
        elif not self.accepts(headers, target, body):
            raise PermissionError("not for you")

    def accepts(self, headers: Mapping[str, str], target: str, body: bytes) -> bool:
        raise NotImplementedError


@flagged_by("auth.10", "a cancel_task signed with a wrong secret was accepted")
class WantsSomeSignature(LooksAtCancelsLess):
    def accepts(self, headers: Mapping[str, str], target: str, body: bytes) -> bool:
        return SIGNATURE in headers


@flagged_by("auth.10", "a cancel_task with a timestamp a day old was accepted")
@flagged_by("auth.25", "a replayed cancel_task was accepted")
class WantsARightSignature(LooksAtCancelsLess):
    def accepts(self, headers: Mapping[str, str], target: str, body: bytes) -> bool:
        key = headers.get("X-Wove-Key", "")
        right = headers.get(SIGNATURE) == self.expected(headers, target, body)
        return right and key == "default" and bool(headers.get(NONCE))


@flagged_by("auth.10", "a cancel_task with the secret as bearer token was accepted")
class WantsTheSecret(LooksAtCancelsLess):
    def accepts(self, headers: Mapping[str, str], target: str, body: bytes) -> bool:
        return headers.get("Authorization") == f"Bearer {SECRET}"


@flagged_by("auth.10", "a cancel_task .require_ack. without credentials was accepted")
class AcknowledgesForAnybody(LooksAtCancelsLess):
    def accepts(self, headers: Mapping[str, str], target: str, body: bytes) -> bool:
        return b'"require_ack"' in body


@flagged_by("auth.13", "of 6 copies of one request, [2-6] were accepted, and the task ran [2-6] ti")
class LooksAMomentBefore(PlainWorker):
    """Remembers a nonce a millisecond after it has looked for it."""

    def check_nonce(self, nonce: str) -> None:
        if not nonce or nonce in self.nonces:
            raise PermissionError("replayed")
        time.sleep(0.001)
        self.nonces.add(nonce)


@flagged_by("auth.40", "a replay was accepted with another X-Wove-Nonce")
class RemembersWhatItVerified(PlainWorker):
    """Verifies a signature once, and takes it for right when it sees it again."""

    def __init__(self) -> None:
        super().__init__()
        self.right: set[str] = set()

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        signature = headers.get(SIGNATURE, "")
        if signature in self.right:
            self.check_nonce(headers.get(NONCE, ""))
        else:
            super().verify(headers, target, body)
            self.right.add(signature)


@flagged_by("auth.40", "a replay was accepted as it was")
class ForgetsAfterARefusal(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        if headers.get(SIGNATURE) != self.expected(headers, target, body):
            self.nonces.discard(headers.get(NONCE, ""))
        super().verify(headers, target, body)


@flagged_by("auth.10", "a cancel_task .* was answered HTTP 401, yet the task stopped")
class CancelsBeforeItVerifies(PlainWorker):
    """Stops the runs for a cancel_task that it then refuses."""

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        if b'"cancel_task"' in body:
            for run in list(self.runs.values()):
                self.stop(run)
                run.ended.wait(self.grace)
        super().verify(headers, target, body)


@flagged_by("auth.10", "a cancel_task for an unknown run, without credentials, was answered HTTP")
class LooksForTheRunFirst(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        known = any(run_id.encode() in body for run_id in list(self.runs))
        if b'"cancel_task"' not in body or known:
            super().verify(headers, target, body)


@flagged_by("auth.44", "a replay of a request with the nonce 'nnnnnnnnnnnnnnnnnnnn' was accepted")
class RemembersShortNonces(PlainWorker):
    def check_nonce(self, nonce: str) -> None:
        if len(nonce) < 256:
            super().check_nonce(nonce)


@flagged_by("auth.44", r"a replay of a request with the nonce '\.\./.*' was accepted")
class RemembersInFiles(PlainWorker):
    """Remembers a nonce in a file of that name, and goes on if that fails."""

    def check_nonce(self, nonce: str) -> None:
        if "/" not in nonce:
            super().check_nonce(nonce)


@flagged_by("auth.26", "its nonce differs only in its last letter from one that was used before")
class RemembersTheBeginning(PlainWorker):
    def check_nonce(self, nonce: str) -> None:
        super().check_nonce(nonce[:16])


@flagged_by("auth.26", "its nonce differs only in its first letter from one that was used before")
class RemembersTheEnd(PlainWorker):
    def check_nonce(self, nonce: str) -> None:
        super().check_nonce(nonce[-16:])


@flagged_by(
    "auth.26", "a valid request with a new nonce was refused, because its body had been sent"
)
class RemembersRunIds(PlainWorker):
    """Remembers the run_id of a run_task instead of its nonce."""

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        super().verify(headers, target, body)
        with self.lock:
            if b'"run_task"' in body and body in self.nonces:
                raise PermissionError("replayed")
            self.nonces.add(body)
