"""Workers that verify nearly everything: part of a signature, some of the time, some requests."""

from __future__ import annotations

import time
import urllib.parse
from collections import OrderedDict
from collections.abc import Mapping

from tests.conformance.worker.defects.base import flagged_by
from tests.conformance.worker.plain_worker import Handler, PlainWorker


class ComparesItsOwnWay(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        right = self.expected(headers, target, body)
        sent = headers.get("X-Wove-Signature", "")
        same = self.same(sent.removeprefix("v1="), right.removeprefix("v1="))
        signature = right if same else "v1=wrong"
        super().verify({**headers, "X-Wove-Signature": signature}, target, body)

    def same(self, sent: str, right: str) -> bool:
        return sent == right


@flagged_by("auth.22", "cut in half was accepted")
class ComparesTheBeginning(ComparesItsOwnWay):
    def same(self, sent: str, right: str) -> bool:
        return sent[:16] == right[:16]


@flagged_by("auth.22", "with another first hex digit was accepted")
class ComparesTheEnd(ComparesItsOwnWay):
    def same(self, sent: str, right: str) -> bool:
        return len(sent) == len(right) and sent[8:] == right[8:]


@flagged_by("auth.22", "of which only v1= is left was accepted")
class ComparesAsFarAsItGoes(ComparesItsOwnWay):
    def same(self, sent: str, right: str) -> bool:
        return all(a == b for a, b in zip(sent, right, strict=False))


@flagged_by("auth.22", "with something behind it was accepted")
class ReadsTheFirstOfAList(ComparesItsOwnWay):
    def same(self, sent: str, right: str) -> bool:
        return sent.partition(",")[0] == right


@flagged_by("auth.23", "refused for header names in lower case")
class ReadsNamesLiterally(PlainWorker):
    def headers(self, handler: Handler) -> dict[str, str]:
        return dict(handler.headers.items())


@flagged_by("auth.24", r"a replay was accepted after \d+ other requests")
class RemembersTheLastFew(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.few: OrderedDict[str, None] = OrderedDict()

    def check_nonce(self, nonce: str) -> None:
        with self.lock:
            if nonce in self.few:
                raise PermissionError("replayed")
            self.few[nonce] = None
            if len(self.few) > 100:
                self.few.popitem(last=False)


@flagged_by("auth.24", r"a replay was accepted after")
class RemembersForASecond(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, float] = {}

    def check_nonce(self, nonce: str) -> None:
        with self.lock:
            now = time.monotonic()
            if now - self.seen.get(nonce, -9.0) < 1.0:
                raise PermissionError("replayed")
            self.seen[nonce] = now


@flagged_by("auth.25", "a replayed cancel_task was accepted")
class RemembersRunsOnly(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        if b'"cancel_task"' in body:
            self.nonces.discard(headers.get("X-Wove-Nonce", ""))
        super().verify(headers, target, body)


@flagged_by("auth.26", "one with a wrong signature had used its nonce")
class BurnsNonces(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        nonce = headers.get("X-Wove-Nonce", "")
        self.check_nonce(nonce)
        self.nonces.discard(nonce)
        try:
            super().verify(headers, target, body)
        finally:
            self.nonces.add(nonce)


@flagged_by("auth.27", "a timestamp 60 s ahead was refused")
class WantsThePast(PlainWorker):
    def check_timestamp(self, text: str) -> None:
        super().check_timestamp(text)
        if float(text) > time.time() + 1:
            raise PermissionError("from the future")


@flagged_by("auth.27", "a timestamp 1800 s behind was accepted; .* 1800 s ahead was accepted")
class WaitsForAnHour(PlainWorker):
    def check_timestamp(self, text: str) -> None:
        if not abs(float(text) - time.time()) < 3600:
            raise PermissionError("expired")


@flagged_by("auth.03", "a body changed .a line feed at its end. after it was signed was accepted")
class StripsBodies(PlainWorker):
    def expected(self, headers: Mapping[str, str], target: str, body: bytes) -> str:
        return super().expected(headers, target, body.strip())


@flagged_by("auth.05", "the query, as it stands in the URL, is not part of what is verified")
class UnquotesTargets(PlainWorker):
    def target(self, handler: Handler) -> str:
        return urllib.parse.unquote(handler.path)


@flagged_by("auth.06", "an empty secret under an unknown X-Wove-Key was accepted")
class HasAnEmptySecretForStrangers(PlainWorker):
    def secret(self, headers: Mapping[str, str]) -> str:
        return super().secret(headers) if headers.get("X-Wove-Key") == "default" else ""

    def check_key(self, key: str) -> None:
        return
