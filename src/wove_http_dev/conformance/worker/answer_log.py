"""Judges every answer that a check gets, whichever case sent the request: `AnswerLog` holds what
was wrong with them, for the cases at the end of the check that report it.

The answers of a case are judged when it has ended, because some cases measure how long a request
takes.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

from wove_http_dev.conformance.worker.answer_rules import Rule, breaches, read_request, reveals
from wove_http_dev.conformance.worker.client import ServiceUnderTest
from wove_http_dev.conformance.worker.sent_log import SentRequests
from wove_http_dev.conformance.worker.wire import HttpResponse

KEPT = 3
"""How many answers are described for each rule."""


@dataclass
class Broken:
    """The answers that broke one rule: how many, and a description of the first ones."""

    count: int = 0
    described: list[str] = field(default_factory=list)


class AnswerLog:
    """What was wrong with the answers of a check. Cases that run at the same time may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._broken: dict[Rule, Broken] = {}
        self._run_ids: Counter[str] = Counter()
        self.judged = 0
        """How many answers have been judged."""

    def judge(
        self, service: ServiceUnderTest, sender: str, answered: list[tuple[bytes, HttpResponse]]
    ) -> None:
        """Judge the answers in ``answered``, pairs of a request and its answer. ``sender`` is the
        id of the case that sent them."""
        read = [(read_request(request), request, answer) for request, answer in answered]
        with self._lock:
            self.judged += len(answered)
            self._run_ids.update(
                sent.command.run_id
                for sent, _, _ in read
                if sent.command is not None and sent.command.kind == "run_task"
            )
        for sent, request, answer in read:
            repeated = sent.command is not None and self._run_ids[sent.command.run_id] > 1
            first: dict[Rule, str] = {}
            for rule, text in breaches(sent, answer, repeated=repeated):
                first.setdefault(rule, text)
            if where := reveals(service.secret or service.bearer.encode(), request, answer):
                first["secret"] = f"the secret is in {where} (HTTP {answer.status})"
            for rule, text in first.items():
                self._note(rule, f"{_described(service, sender, request)}: {text}")

    def _note(self, rule: Rule, text: str) -> None:
        with self._lock:
            broken = self._broken.setdefault(rule, Broken())
            broken.count += 1
            if len(broken.described) < KEPT:
                broken.described.append(text)

    def broken(self, rule: Rule) -> Broken | None:
        """Return the answers that broke ``rule``, or ``None`` if there are none."""
        with self._lock:
            return self._broken.get(rule)


class CaseAnswers:
    """The answers of one case, in the order in which they came. ``sender`` is the id of the case.

    An answer that comes after the end of the case is judged at once.
    """

    sender = ""

    def __init__(self, log: AnswerLog, service: ServiceUnderTest) -> None:
        self._log = log
        self._service = service
        self._lock = threading.Lock()
        self._sent: dict[object, list[bytes]] = {}
        self._answered: list[tuple[bytes, HttpResponse]] = []
        self._ended = False

    def note_sent(self, connection: object, data: bytes) -> None:
        """Record that ``data`` was sent on ``connection``."""
        with self._lock:
            self._sent.setdefault(connection, []).append(data)

    def note_answer(self, connection: object, answer: HttpResponse) -> None:
        """Record ``answer``, which is about everything that was sent on ``connection`` since the
        answer before."""
        with self._lock:
            request = b"".join(self._sent.pop(connection, []))
            self._answered.append((request, answer))
            ended = self._ended
        if ended:
            self.judge()

    def judge(self) -> None:
        """Judge the answers that have come; the case has ended."""
        with self._lock:
            self._ended = True
            answered, self._answered = self._answered, []
        self._log.judge(self._service, self.sender, answered)


def _described(service: ServiceUnderTest, sender: str, request: bytes) -> str:
    sent = SentRequests(service)
    sent.note(None, request)
    return f"{sender}, {sent.text()}" if sender else sent.text()
