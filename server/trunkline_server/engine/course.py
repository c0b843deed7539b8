# SPDX-License-Identifier: Apache-2.0
"""The course of one call: which endpoint is next after each failure, and what everybody who keeps count is told.

The decision itself is `routing/retry.py`'s. Here it gets what it depends on, and its outcome is carried out: pauses, the retry budget, the health book,
conversations. What the caller is told in the end is made here too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Final, Self

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import FinishReason
from trunkline.v1.error_pb2 import ErrorReason, Recourse
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.core.call import Call
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch, UpstreamAnswer
from trunkline_server.engine.answer import Answer
from trunkline_server.engine.ledgers import Ledgers
from trunkline_server.engine.limits import RETRY_AFTER_S
from trunkline_server.engine.patience import Patience, allow
from trunkline_server.engine.pipeline import describe_rendering
from trunkline_server.engine.record import CallStory
from trunkline_server.engine.seam import Beginning, ask_to_go_on
from trunkline_server.routing.explain import describe_route
from trunkline_server.routing.plan import Plan
from trunkline_server.routing.retry import (
    LEAST_SHARE_S,
    MOST_TRIES_AT_ONE,
    ROUNDING_S,
    GiveUp,
    Situation,
    TryAgain,
    next_step,
)

_NO_TIME_S: Final = 1e-9
_SLOW_READER: Final = 0.1
_TIMEOUT: Final = ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT
_DEADLINE: Final = ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED
_FAILS_OTHERWISE: Final = frozenset({Recourse.RECOURSE_RETRY, Recourse.RECOURSE_OTHER_ENDPOINT})
_REQUEST_FAULTS: Final = range(400, 429)
_LEAVING: Final = (asyncio.CancelledError, GeneratorExit)
_FAILED: Final = FinishReason.FINISH_REASON_ERROR
_WHOLE: Final = 200


class Course:
    """Where one call goes. The context is the call being under way.

    `endpoint` is the one of the attempt that runs or comes next, `request` what it is asked, `beginning` what it is to go on with (None: nothing). `away_s`
    is how long the attempt's reader was away, who takes what the endpoint says.
    """

    __slots__ = (
        "_begun_s", "_broken", "_call", "_has_no_place", "_held_back", "_hurries", "_is_beside", "_is_turned_down", "_ledgers", "_patience",
        "_plan", "_probes", "_queues", "_rest", "_retries", "_sent_s", "_story", "_tried", "_tries_here", "answer",
        "away_s", "beginning", "endpoint", "request",
    )  # fmt: skip

    def __init__(self, call: Call, plan: Plan, story: CallStory, ledgers: Ledgers) -> None:
        """Raises GatewayError where the plan has no endpoint."""
        self._call = call
        self._plan = plan
        self._story = story
        self._ledgers = ledgers
        self._tried: list[tuple[Endpoint, int]] = []
        self.answer: Answer | None = None
        if plan.error is not None:
            # A copy: the one of the plan would hold itself, by its traceback's frames, until garbage is collected, and the request with it.
            raise self._with_route(plan.error.with_attempts((), requested_models=plan.requested_models))
        self.endpoint, *self._rest = plan.endpoints
        self._is_beside = False
        self._begun_s = 0.0
        self.request = call.request
        self.beginning: Beginning | None = None
        self._tries_here = 1
        self._sent_s = 0.0
        self._patience: Patience | None = None
        self._hurries = 0
        self.away_s = 0.0
        self._retries = False
        self._queues = False
        self._probes = False
        self._has_no_place = False
        self._held_back = False
        self._is_turned_down = False
        # Whose failure broke the text off that others go on with, and what it was. Not the exception, whose traceback would hold the call.
        self._broken: tuple[str, ErrorReason.ValueType, str, float | None] | None = None

    def __enter__(self) -> Self:
        self._ledgers.budget.begin_call()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end_retry()
        self._ledgers.waits.end(self)
        if kind in _LEAVING:
            self._break_off()
        self._ledgers.budget.end_call()

    def begin_attempt(self, answer: Answer) -> None:
        """The endpoint of the moment is tried. Raises GatewayError where the deadline has passed."""
        ledgers = self._ledgers
        self.answer = answer
        self._sent_s = self._begun_s = now_s = ledgers.monotonic_s()
        self.away_s = 0.0
        if self._call.deadline_s <= now_s:
            message = "The deadline passed before a provider could be tried."
            reason = ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED
            raise self._with_route(GatewayError(reason, message, attempts=self._story.failures))
        if self._plan.health.endpoints:
            self._probes = ledgers.health.begin_probe(self.endpoint.key)
        self._story.begin_attempt(answer)

    def begin_sending(self) -> Patience:
        """The endpoint is asked from now on. Returns how long it may be silent."""
        call, ledgers, endpoint = self._call, self._ledgers, self.endpoint
        self._sent_s = now_s = ledgers.monotonic_s()
        if endpoint.most_concurrent is None:
            ledgers.waits.begin(self, endpoint.key, now_s, streamed=call.streamed)
        patience = self._patience = allow(
            endpoint,
            self._plan.health.of(endpoint),
            streamed=call.streamed,
            left_s=call.deadline_s - now_s,
            others_could_follow=bool(self._rest),
        )
        return patience

    def note_head(self) -> None:
        """The head of the attempt's answer has come."""
        self._ledgers.waits.end(self)

    def note_content(self) -> None:
        """The first content of the attempt has come."""
        self._story.saw_content()
        ledgers = self._ledgers
        ledgers.health.note_content(self.endpoint.key, first_token_s=ledgers.monotonic_s() - self._sent_s)

    @asynccontextmanager
    async def wait_for_place(
        self, sending: AbstractAsyncContextManager[UpstreamAnswer]
    ) -> AsyncIterator[UpstreamAnswer]:
        """The exchange, once its endpoint has a place for the call. A call waits only where no other endpoint could take it."""
        ledgers, now_s = self._ledgers, self._ledgers.monotonic_s()
        until_s = now_s if self._rest or self._is_beside else min(now_s + ledgers.longest_wait_s, self._call.deadline_s)
        self._queues = True
        async with ledgers.limits.admit(self.endpoint, until_s):
            self._queues = False
            self._sent_s = ledgers.monotonic_s()
            ledgers.waits.begin(self, self.endpoint.key, self._sent_s, streamed=self._call.streamed)
            async with sending as answer:
                yield answer

    def succeed(self, answer: Answer, last: Batch) -> None:
        """The answer is whole; `last` is its last chunk."""
        self._probes, self._patience = False, None
        call, endpoint, ledgers, story = self._call, self.endpoint, self._ledgers, self._story
        story.succeed()
        if answer.finish_reason == _FAILED:
            reason = ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE
            ledgers.health.note_failure(endpoint.key, reason, began_s=self._sent_s)
        else:
            self._measure(last[0].usage.completion_tokens)
            if call.session_id:
                ledgers.pins.keep(call.principal.name, call.session_id, endpoint.key, asked_model(call.request))
        if call.wants_router_metadata:
            self._tried.append((endpoint, _WHOLE))
            last[0].openrouter_metadata.CopyFrom(
                describe_route(self._plan, self._tried, endpoint, describe_rendering(answer.rendering))
            )

    def _measure(self, completion_tokens: int) -> None:
        """Tell how long the endpoint took. The time in which the reader was away is not its own; where that was much, nobody knows how fast it wrote."""
        ledgers, content_s, away_s = self._ledgers, self._story.attempt_content_s, self.away_s
        passed_s = ledgers.monotonic_s() - self._sent_s
        if self.beginning is not None:
            completion_tokens -= self.beginning.usage.completion_tokens
        ledgers.health.note_success(
            self.endpoint.key,
            latency_s=passed_s - away_s,
            first_token_s=content_s - self._sent_s if self._call.streamed and content_s is not None else None,
            completion_tokens=completion_tokens if away_s <= passed_s * _SLOW_READER else 0,
            away_s=away_s,
        )

    async def go_on(self, error: GatewayError, answer: Answer) -> bool:
        """Whether another attempt follows a failed one. If so its endpoint is up, after a pause where that is due."""
        self._note(error, has_begun=answer.has_begun)
        if answer.has_begun:
            # A text that a filter or the model itself stopped is not for others to go on with.
            if not answer.can_be_joined or error.shape.recourse not in _FAILS_OTHERWISE:
                return False
            # Only endpoints that take the text so far can go on with it, and the one that failed has had its turn.
            self._rest = [endpoint for endpoint in self._rest if endpoint.takes_prefill]
            self._tries_here = MOST_TRIES_AT_ONE
        failed, ledgers = self.endpoint, self._ledgers
        left_s = self._call.deadline_s - ledgers.monotonic_s()
        situation = Situation(
            rest=self._rest,
            tries=len(self._tried),
            tries_here=self._tries_here,
            standings=ledgers.standings(self._plan),
            has_budget=ledgers.budget.has_one(),
            # Where the deadline has passed, the attempt at another endpoint that does not begin says so.
            left_s=max(left_s, _NO_TIME_S),
            draw=ledgers.draw,
            hurries=self._hurries,
        )
        step = next_step(error, failed, situation)
        if isinstance(step, GiveUp):
            self._held_back = step.held_back
            self._is_turned_down = not answer.has_begun and self.beginning is not None and _speaks_of_request(error)
            return False
        # Before the pause, in which the caller may leave: the record has the failure then.
        self._story.pass_on(error)
        if isinstance(step, TryAgain):
            # The budget is asked again and taken from after the pause: a call that waits keeps no retry from others.
            await ledgers.sleep(step.after_s)
            if not ledgers.budget.has_one():
                self._held_back = True
                return False
        if answer.has_begun:
            self._broken = (self.endpoint.provider.name, error.reason, error.message, error.retry_after_s)
            self.beginning = answer.break_off(error.shape.error_type)
            self.request = ask_to_go_on(self._call.request, self.beginning.text)
        if isinstance(step, TryAgain):
            self._begin_retry()
            self._tries_here += 1
            return True
        if step.spends:
            self._begin_retry()
        self.endpoint = self._rest[step.place]
        del self._rest[: step.place + 1]
        self._tries_here = 1
        return True

    def failure(self, error: GatewayError) -> GatewayError:
        """What the caller is told when nothing follows."""
        story, plan = self._story, self._plan
        if self._has_no_place and self._call.deadline_s <= self._ledgers.monotonic_s():
            reason = ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED
            told = self._sum_up(error, reason, "The deadline passed while the call waited for a place.", None)
        elif self._has_no_place:
            reason = ErrorReason.ERROR_REASON_CAPACITY_EXHAUSTED
            message = "The endpoints left are at the limits that this gateway sets for them; try again shortly."
            told = self._sum_up(error, reason, message, RETRY_AFTER_S)
        elif self._held_back:
            reason = ErrorReason.ERROR_REASON_TEMPORARILY_UNAVAILABLE
            message = "The endpoints failed just now, and too many calls are tried again already; try again later."
            told = self._sum_up(error, reason, message, self._ledgers.next_chance_s(plan))
        elif self._is_turned_down and self._broken is not None:
            # What was refused is the text so far: the caller's own request was served until another provider failed.
            told = self._sum_up(error, *self._broken[1:])
            told.provider = self._broken[0]
        else:
            told = error.with_attempts(
                story.failures, provider=self.endpoint.provider.name, requested_models=plan.requested_models
            )
        return self._with_route(told)

    def _sum_up(
        self, error: GatewayError, reason: ErrorReason.ValueType, message: str, wait_s: float | None
    ) -> GatewayError:
        """One failure for all attempts, the last one among them."""
        self._story.pass_on(error)
        told = GatewayError(reason, message, retry_after_s=wait_s)
        told.open_choices = error.open_choices
        told.__cause__ = error.__cause__
        return told.with_attempts(self._story.failures, requested_models=self._plan.requested_models)

    def _with_route(self, error: GatewayError) -> GatewayError:
        if self._call.wants_router_metadata:
            rendering = None if self.answer is None else self.answer.rendering
            error.route = describe_route(self._plan, self._tried, None, describe_rendering(rendering))
        return error

    def _note(self, error: GatewayError, *, has_begun: bool) -> None:
        """What a failed attempt says of its endpoint, and of the call."""
        self._end_retry()
        ledgers, endpoint = self._ledgers, self.endpoint
        ledgers.waits.end(self)
        probed, self._probes = self._probes, False
        patience, self._patience = self._patience, None
        self._has_no_place = self._queues
        if self._queues:  # it was never asked
            self._queues = False
            self._story.withdraw()
            if probed:
                ledgers.health.give_back_probe(endpoint.key)
            return
        self._tried.append((endpoint, error.shape.http_status))
        if error.reason in (_TIMEOUT, _DEADLINE) and patience is not None and not error.is_chance:
            self._note_time_out(error, patience, has_begun=has_begun)
        elif not error.is_chance:
            ledgers.health.note_failure(endpoint.key, error.reason, error.retry_after_s, began_s=self._sent_s)

    def _note_time_out(self, error: GatewayError, patience: Patience, *, has_begun: bool) -> None:
        """Whose time it was that ended decides whom the silence speaks of: a time-out of the provider's own always of the endpoint."""
        health, silent_s = self._ledgers.health, self._ledgers.monotonic_s() - self._sent_s
        if has_begun:
            # How long an answer takes from then on depends on who reads it.
            if error.reason == _DEADLINE or silent_s + ROUNDING_S >= self.endpoint.provider.timeouts.total_s:
                return
        elif error.reason == _DEADLINE or silent_s + ROUNDING_S >= patience.share_s:
            self._hurries += error.reason != _DEADLINE
            self._note_hurry(patience, silent_s)
            return
        health.note_failure(self.endpoint.key, _TIMEOUT, error.retry_after_s, began_s=self._sent_s)

    def _note_hurry(self, patience: Patience, silent_s: float) -> None:
        """The call has no more time for the endpoint, which has said nothing."""
        if patience.is_telling(silent_s):
            self._ledgers.health.note_silence(self.endpoint.key, self._call.principal.name, began_s=self._sent_s)

    def _begin_retry(self) -> None:
        self._ledgers.budget.take()
        self._retries = True

    def _break_off(self) -> None:
        """The attempt under way, if there is one, is left before its end. Where it had no time to show anything, another call may be the probe that it was."""
        health, patience, key = self._ledgers.health, self._patience, self.endpoint.key
        probed, self._probes, self._patience = self._probes, False, None
        silent_s = self._ledgers.monotonic_s() - self._sent_s
        if probed and (self._queues or silent_s < LEAST_SHARE_S):
            health.give_back_probe(key)
        elif patience is not None and not self._queues and self.answer is not None and not self.answer.has_begun:
            self._note_hurry(patience, silent_s)

    def _end_retry(self) -> None:
        if self._retries:
            self._retries = False
            self._ledgers.budget.give_back()


def asked_model(request: ChatCompletionRequest) -> str:
    """The first model that a request names; "" where it names none."""
    return request.model or next(iter(request.models), "")


def _speaks_of_request(error: GatewayError) -> bool:
    """Whether a failure says that the request is at fault, and not the endpoint."""
    return error.shape.recourse not in _FAILS_OTHERWISE and error.shape.http_status in _REQUEST_FAULTS
