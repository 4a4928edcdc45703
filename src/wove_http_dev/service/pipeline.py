"""``Pipeline``: turns a request into a reply, without sockets.

A request is authenticated, decoded, run or cancelled, and answered with event frames. A fault may
change each of these stages. The pickles in the body are loaded only after the request was accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import partial
from typing import Any

from wove_http_dev.errors import HungUpError, ServiceError, UnavailableError
from wove_http_dev.faults.injections import Injection, Injections
from wove_http_dev.faults.plan import NO_PLAN, Hit, Plan
from wove_http_dev.protocol.authenticator import Authenticator, Verdict
from wove_http_dev.protocol.claim import Claim
from wove_http_dev.protocol.frames import CancelTask, RunTask
from wove_http_dev.protocol.messages import Reply, Request, json_reply
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.forwarding import ForwardedCommand
from wove_http_dev.runs.holds import Gates
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.once import FirstOutcomes
from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.runs.records import Exchange, Run
from wove_http_dev.runs.redaction import TEXT_LIMIT
from wove_http_dev.runs.runner import Forwarder, Runner
from wove_http_dev.runs.steps import Steps
from wove_http_dev.runs.stubs import Stubs
from wove_http_dev.runs.thread_pool import ThreadPool
from wove_http_dev.service.active_runs import ActiveRuns
from wove_http_dev.service.event_reply import (
    events_reply,
    note_upstream,
    outcome_events,
    upstream_answer,
)
from wove_http_dev.service.failures import record_failure
from wove_http_dev.service.health import HealthReply, is_health_check
from wove_http_dev.service.reply import ServiceReply
from wove_http_dev.service.stages import (
    AuthStage,
    CancelStage,
    EventsStage,
    ResponseStage,
    RunStage,
    execution_name,
)

SecondOriginUrl = Callable[[str, Injection | None], str]
"""A function that returns a URL on the second origin, for a run id and for the injection whose
fault redirects the client. With ``None`` the redirected request is not recorded on an injection."""


@dataclass(eq=False)
class Pipeline:
    """Serves requests: authenticates them, runs or cancels tasks, and replies. Thread-safe."""

    authenticator: Authenticator
    journal: Journal
    faults: Injections
    _: KW_ONLY
    threads: ThreadPool
    runner: Runner
    gates: Gates
    stubs: Stubs
    first_outcomes: FirstOutcomes | None
    """Where a repeated idempotency key is looked up; ``None`` if keys are ignored."""
    paths: list[str]
    response_shape: str
    tracebacks: bool
    """Whether a task's exception travels with its traceback."""
    crash: Callable[[int], None]
    """Crashes the worker, if its current life is still that one."""
    second_origin: SecondOriginUrl
    before_run: Callable[[], None]
    """Called in the run's thread before a body is run."""
    active: ActiveRuns = field(default_factory=ActiveRuns, init=False)

    # service.handler.Handler

    def plan_connection(self) -> Plan:
        return self.faults.plan_connection()

    def connection_failed(self, error: str, *, code: str, status: int | None, plan: Plan) -> None:
        exchange = self.journal.open("connection")
        exchange.error = error
        exchange.code = code
        exchange.status = status
        if status is not None:
            exchange.refusal = error
        exchange.faults, exchange.drawn = plan.names, plan.drawn
        self.journal.close(exchange)

    def service_failed(self, exc: BaseException, plan: Plan = NO_PLAN) -> None:
        record_failure(self.journal, exc, plan=plan)

    def judge(self, head: Request) -> Verdict | None:
        if is_health_check(head):
            return None
        # A fault may change the verdict, and is chosen by what the body claims to be.
        return None if self.faults.await_requests else self.authenticator.judge_head(head)

    def handle(
        self,
        request: Request,
        refusal: Verdict | None = None,
        on_accepted: Callable[[], None] = lambda: None,
    ) -> Steps[ServiceReply | HealthReply]:
        if refusal is None and is_health_check(request):
            return HealthReply(self.journal)
        life = self.active.life
        exchange = self.journal.open()
        claim = Claim(request.body)
        exchange.method = request.method
        exchange.target = self.journal.redaction.clean(request.target)
        exchange.body_size = len(request.body)
        exchange.head = self.journal.redaction.head(request.headers)
        plan = NO_PLAN
        try:
            if refusal is None:
                plan = self.faults.plan_request(claim)
                if plan is not NO_PLAN:
                    exchange.faults, exchange.drawn = plan.names, plan.drawn
                answer = self._answer(request, claim, plan, exchange, on_accepted)
                if isinstance(answer, RunTask):
                    reply = yield from self._ran(request, answer, plan, exchange, life)
                else:
                    reply = answer
            else:
                reply = self._refused(request, claim, refusal, exchange)
        except HungUpError:
            return ServiceReply(Reply(), plan, exchange, self.journal, hung_up=True)
        except ServiceError as exc:
            seconds = exc.retry_after if isinstance(exc, UnavailableError) else None
            later = {} if seconds is None else {"retry_after": f"{seconds:g}"}
            reply = self._refusal(exchange, exc.status, str(exc), exc.code, **later)
        except BaseException as exc:  # a bug of the service or a fault may raise SystemExit too
            record_failure(self.journal, exc, exchange=exchange)
            reply = json_reply(500, {"error": "the worker service failed; see its log"})
        hit = plan.hit("response")
        if hit is not None:
            reply = self._replied(request, claim, hit, exchange, reply)
        exchange.status = reply.status
        self.journal.update(exchange)
        return ServiceReply(reply, plan, exchange, self.journal)

    # The stages

    def _refusal(
        self, exchange: Exchange, status: int, reason: str, code: str, **headers: str
    ) -> Reply:
        exchange.refusal, exchange.code = self.journal.redaction.clean(reason), code
        return json_reply(status, {"error": exchange.refusal, "code": code}, **headers)

    def _replied(
        self, request: Request, claim: Claim, hit: Hit, exchange: Exchange, reply: Reply
    ) -> Reply:
        """Return what the fault of the stage ``response`` makes of ``reply``."""
        stage = ResponseStage(
            request, hit.wait, lambda: self.second_origin(claim.run_id or "", hit.injection)
        )
        try:
            changed: Any = hit.fault.on_reply(reply, stage)
            if not isinstance(changed, Reply):
                raise TypeError(f"on_reply() returned {type(changed).__name__}, not a Reply")
            return changed
        except BaseException as exc:
            record_failure(self.journal, exc, exchange=exchange)
            return reply

    def _answer(
        self,
        request: Request,
        claim: Claim,
        plan: Plan,
        exchange: Exchange,
        on_accepted: Callable[[], None],
    ) -> Reply | RunTask:
        """Return the reply to a request, or the command whose task is to be run for it."""
        hit = plan.hit("auth")
        if hit is None:
            verdict = self.authenticator.verify(request)
        else:
            verdict = hit.fault.on_auth(AuthStage(request, self.authenticator, hit.wait))
        if not verdict.accepted:
            return self._refused(request, claim, verdict, exchange)
        self._record_verdict(request, verdict, exchange)
        on_accepted()
        # OPTIONS may ask for the server as a whole, which has no path (RFC 9110, 9.3.7): a 405.
        of_server = request.method == "OPTIONS" and request.target == "*"
        if not of_server and request.target.partition("?")[0] not in self.paths:
            reason = f"the path is not {' or '.join(dict.fromkeys(self.paths))}"
            return self._refusal(exchange, 404, reason, "wrong-path")
        if request.method != "POST":
            reason = "only POST is served here"
            return self._refusal(exchange, 405, reason, "wrong-method", allow="POST")
        command = claim.decode()
        clean = self.journal.redaction.clean
        exchange.run_id = clean(command.run_id)
        exchange.task_id = command.task_id and clean(command.task_id)
        if isinstance(command, CancelTask):
            exchange.frame_type = "cancel_task"
            return self._cancelled(request, command, plan, exchange)
        exchange.frame_type = "run_task"
        return command

    def _refused(
        self, request: Request, claim: Claim, verdict: Verdict, exchange: Exchange
    ) -> Reply:
        self._record_verdict(request, verdict, exchange)
        clean = self.journal.redaction.clean
        exchange.refusal = clean(verdict.reason)
        exchange.code = verdict.code or "refused-by-fault"  # the verdict of a custom fault
        exchange.frame_type = claim.type and clean(claim.type, 200)
        exchange.task_id = claim.task_id and clean(claim.task_id, 200)
        exchange.run_id = claim.run_id and clean(claim.run_id, 200)
        exchange.initial_value = claim.initial_value
        document = {"error": exchange.refusal, "code": exchange.code}
        if verdict.hint:
            document["hint"] = verdict.hint
        return json_reply(verdict.status, document)

    def _record_verdict(self, request: Request, verdict: Verdict, exchange: Exchange) -> None:
        exchange.accepted = verdict.accepted
        exchange.verdict = verdict
        reason, quoted = verdict.reason, "\n".join((verdict.reason, *verdict.passed))
        if (
            exchange.target != request.target
            or len(reason) > TEXT_LIMIT
            or self.journal.redaction.redact(quoted) != quoted
        ):
            # A secret, or what is too long, is where the verdict quotes it: in the target, a key
            # or a nonce.
            reason = self.journal.redaction.clean(reason)
            exchange.verdict = replace(
                verdict, reason=reason, passed=(), hint=None, would_match=None
            )

    def _ran(
        self, request: Request, command: RunTask, plan: Plan, exchange: Exchange, life: int
    ) -> Steps[Reply]:
        forwarded = None
        if isinstance(self.runner, Forwarder):
            self.runner.refuse_loop(request)  # its run_id is still running here
            forwarded = ForwardedCommand(request, command, exchange.upstream)
        run = self._new_run(command, exchange)
        execution = Execution(execution_name(run), kills=self.runner.kills)
        self.active.add(run, execution, life)
        self.journal.add_run(run)
        self.journal.announce(exchange)  # in case the process ends
        hit = plan.hit("run")
        stage = RunStage(self, command, run, execution, plan.wait("run"), life, forwarded)
        try:
            if hit is None:  # a fault calls stage.proceed(), which blocks
                outcome = yield from stage.steps()
            else:
                outcome = hit.fault.on_run(stage)
        except BaseException:
            self.journal.lose(run)
            raise
        finally:
            run.cancel_requested |= execution.cancel_requested
            self.active.remove(run)
        # The run has ended, unless a fault ran no body; that it was cancelled is to be announced.
        if hit is not None or run.cancel_requested:
            self.journal.finish(run, outcome)
        if forwarded is not None:
            note_upstream(exchange)
        return self._run_reply(command, plan, exchange, stage, outcome)

    def _new_run(self, command: RunTask, exchange: Exchange) -> Run:
        run = Run(
            command.run_id,
            command.task_id,
            delivery=command.delivery,
            initial_value=command.initial_value,
            args_pickle=command.args_pickle,
            callable_pickle=command.callable_pickle if self.journal.inspected else None,
            received=exchange.received,
            exchange_number=exchange.number,
        )
        run.faults, run.drawn = exchange.faults, exchange.drawn
        exchange.initial_value = run.initial_value
        return run

    def _run_reply(
        self, command: RunTask, plan: Plan, exchange: Exchange, stage: RunStage, outcome: Outcome
    ) -> Reply:
        """Return the reply to a run that ended with ``outcome``: with the event frames of a stub,
        of upstream or of this worker, as a fault of the stage ``events`` changes them."""
        answer = upstream_answer(command, outcome) if stage.stub_events is None else None
        if answer is not None and answer.events is None:
            return answer.reply()
        events = answer.events if answer is not None else stage.stub_events
        if events is None:
            events = outcome_events(command, outcome)
        hit = plan.hit("events")
        if hit is not None:
            events_stage = EventsStage(stage.run, outcome, self.journal.beside, hit.wait)
            events = hit.fault.on_events([dict(event) for event in events], events_stage)
        return events_reply(events, exchange, answer, self.response_shape)

    def _cancelled(
        self, request: Request, command: CancelTask, plan: Plan, exchange: Exchange
    ) -> Reply:
        self.journal.announce(exchange)  # in case the process ends while the run is waited for
        forward, runner = None, self.runner
        if isinstance(runner, Forwarder):
            runner.refuse_loop(request)
            forwarded = ForwardedCommand(request, command, exchange.upstream)
            forward = partial(runner.forward_cancel, forwarded)
        stage = CancelStage(self.active, command, plan.wait("run"), forward)
        events = plan.fault("run").on_cancel(stage)
        note_upstream(exchange)
        answer = stage.answer
        if not events and not stage.awaited and answer is None:
            return Reply(headers=[("Content-Type", "application/json")])
        return events_reply(events, exchange, answer, self.response_shape)
