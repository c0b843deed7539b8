# SPDX-License-Identifier: Apache-2.0
"""The record of a call while it is being written, and whom it is given to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import FinishReason
from trunkline.v1.error_pb2 import ErrorBody, ErrorReason
from trunkline.v1.usage_pb2 import Usage
from trunkline_server.core.call import Call
from trunkline_server.core.errors import AttemptFailure, GatewayError, error_body, reason_name
from trunkline_server.core.ports import RecordKeeper
from trunkline_server.core.record import CANCELLED, OK, Attempt, Generation
from trunkline_server.core.usage import waive_cost
from trunkline_server.engine.answer import Answer
from trunkline_server.routing.plan import Plan

_BROKEN: Final = reason_name(ErrorReason.ERROR_REASON_SERVER)
_ERROR: Final = "error"
_WHOLE: Final = 200
_LONGEST_TEXT: Final = 256
_LONGEST_ERROR_BYTES: Final = 4096
_MOST_EXCLUSIONS: Final = 32
_MEDIA: Final = frozenset({"image_url", "video_url", "file"})
_SOUND: Final = "input_audio"
_FINISHES: Final[Mapping[int, str]] = MappingProxyType(
    {number: name.removeprefix("FINISH_REASON_").lower() for name, number in FinishReason.items() if number}
)


class Keepers:
    """A RecordKeeper that gives each record to several others."""

    def __init__(self, *keepers: RecordKeeper) -> None:
        self._keepers = keepers

    def keep(self, generation: Generation) -> None:
        """Gives the record to each, in order."""
        for keeper in self._keepers:
            keeper.keep(generation)


class CallStory:
    """What happened to a call so far. A call that ends unsettled was ended by a fault of the gateway.

    `failures` are the attempts that failed before the one that runs; `attempt_content_s` is when that one's first content left, None: none has.
    """

    def __init__(self, call: Call, monotonic_s: Callable[[], float]) -> None:
        self._call = call
        self._monotonic_s = monotonic_s
        self._begun_s = self._attempt_begun_s = monotonic_s()
        self._first_content_s: float | None = None
        self.attempt_content_s: float | None = None
        self._plan: Plan | None = None
        self._is_counted = False
        self._answer: Answer | None = None
        self._tries: list[Attempt] = []
        self._status = _BROKEN
        # What the failure says and not the exception, whose traceback would hold the call, and be held by it.
        self._error: ErrorBody | None = None
        self.failures: list[AttemptFailure] = []

    def follow(self, plan: Plan) -> None:
        """The call goes by this plan."""
        self._plan = plan

    def begin_attempt(self, answer: Answer) -> None:
        """An endpoint is tried."""
        self._answer = answer
        self._is_counted = False
        self.attempt_content_s = None
        self._attempt_begun_s = self._monotonic_s()

    def resume(self, answer: Answer, begun_s: float) -> None:
        """Of several attempts under way, none of which has content, it is about this one now."""
        self._answer, self._attempt_begun_s = answer, begun_s
        self._is_counted = False
        self.attempt_content_s = None

    def end_attempt(self, status: int | None) -> None:
        """The attempt is left while the call may go on: for another one with this status, None where the caller leaves."""
        if self._answer is not None and not self._is_counted:
            self._tries.append(self._attempt(self._answer, status))
            self._is_counted = True

    def withdraw(self) -> None:
        """The attempt ends before anything was sent: it is no try at a provider, and nobody hears of it."""
        self._is_counted = True

    def pass_on(self, error: GatewayError) -> None:
        """The attempt failed, and is one of several that the caller hears of. Told again, or of one that was withdrawn, it changes nothing."""
        if self._answer is None or self._is_counted:
            return
        endpoint = self._answer.endpoint
        self.failures.append(
            AttemptFailure(
                provider=endpoint.provider.slug,
                model=endpoint.model,
                reason=error.reason,
                retry_after_s=error.retry_after_s,
            )
        )
        self._tries.append(self._attempt(self._answer, error.shape.http_status))
        self._is_counted = True

    def saw_content(self) -> None:
        """Content left for the client."""
        if self.attempt_content_s is None:
            self.attempt_content_s = self._monotonic_s()
            if self._first_content_s is None:
                self._first_content_s = self.attempt_content_s

    def succeed(self) -> None:
        """The answer is whole."""
        self._status = OK

    def fail(self, error: GatewayError) -> None:
        """The call failed for good."""
        self._status = reason_name(error.reason)
        self._error = _brief_error(error)

    def cancel(self) -> None:
        """The client went away. An answer that was whole by then stays so."""
        if self._status != OK:
            self._status = CANCELLED

    def end(self) -> Generation:
        """The record, as things stand now."""
        call, answer, usage = self._call, self._answer, self._settle()
        request, headers = call.request, call.headers
        now_s, first_s = self._monotonic_s(), self._first_content_s
        media, sounds = _count_media(request)
        endpoint = None if answer is None else answer.endpoint
        cached, reasoning, images = _detailed_tokens(usage)
        plan = self._plan
        rendering = None if answer is None else answer.rendering
        return Generation(
            generation_id=call.generation_id,
            request_id=call.request_id,
            principal=call.principal.name,
            wire=call.wire,
            streamed=call.streamed,
            model=_brief(request.model or next(iter(request.models), "")) or "",
            endpoint_model=None if endpoint is None else endpoint.model,
            provider=None if endpoint is None else endpoint.provider.slug,
            provider_name=None if endpoint is None else endpoint.provider.name,
            attempts=tuple(self.failures),
            tries=self._all_tries(),
            status=self._status,
            unsent=() if rendering is None else rendering.dropped,
            changed=() if rendering is None else rendering.changed,
            error=self._error,
            created_s=call.created_s,
            latency_ms=(now_s - self._begun_s) * 1000,
            first_token_ms=None if first_s is None else (first_s - self._begun_s) * 1000,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=cached,
            reasoning_tokens=reasoning,
            image_tokens=images,
            cost_pusd=usage.cost_pusd if usage.HasField("cost_pusd") else None,
            upstream_cost_pusd=_upstream_cost(usage),
            upstream_id=None if answer is None else _brief(answer.upstream_id),
            service_tier=None if answer is None else _brief(answer.service_tier),
            finish_reason=self._finish_reason(),
            native_finish_reason=None if answer is None else _brief(answer.native_finish_reason),
            media_read=media,
            sounds_read=sounds,
            images_made=0 if answer is None else answer.images_made,
            strategy=None if plan is None else plan.strategy,
            exclusions=() if plan is None else _brief_exclusions(plan),
            session_id=_brief(call.session_id),
            user=_brief(request.user),
            referer=_brief(headers.get("referer") or headers.get("http-referer")),
            user_agent=_brief(headers.get("user-agent")),
        )

    def _settle(self) -> Usage:
        """What was used: nothing where no content came. An answer that broke off costs nothing, one that the client left what it was until then."""
        answer = self._answer
        if answer is None or not answer.is_heard:
            return Usage()
        usage = answer.settle()
        if self._status not in (OK, CANCELLED):
            waive_cost(usage)
        return usage

    def _finish_reason(self) -> str | None:
        answer = self._answer
        if answer is None or not answer.is_heard:
            return None
        return _ERROR if self._status not in (OK, CANCELLED) else _FINISHES.get(answer.finish_reason)

    def _http_status(self) -> int | None:
        """How the last attempt ended; None where the client left, or the gateway itself failed."""
        if self._error is not None:
            return self._error.code
        return _WHOLE if self._status == OK else None

    def _all_tries(self) -> Sequence[Attempt]:
        answer = self._answer
        if answer is None or self._is_counted:
            return tuple(self._tries)
        return (*self._tries, self._attempt(answer, self._http_status()))

    def _attempt(self, answer: Answer, status: int | None) -> Attempt:
        return Attempt(
            endpoint=answer.endpoint.tag,
            provider=answer.endpoint.provider.name,
            model=answer.endpoint.model,
            status=status,
            latency_ms=(self._monotonic_s() - self._attempt_begun_s) * 1000,
            upstream_id=_brief(answer.upstream_id),
            service_tier=_brief(answer.service_tier),
        )


def _brief(text: str | None) -> str | None:
    """A text of somebody else in bounded length; None for an empty one."""
    return text[:_LONGEST_TEXT] if text else None


def _brief_exclusions(plan: Plan) -> Sequence[tuple[str, str]]:
    """The first of those who were left out: a caller's own lists may leave out every endpoint of ten models."""
    return tuple((found.endpoint.tag, found.reason) for found in plan.exclusions[:_MOST_EXCLUSIONS])


def _brief_error(error: GatewayError) -> ErrorBody:
    """The failure as the caller was told it; without the lists where they are long, since a caller's own words may stand there."""
    body = error_body(error)
    if body.ByteSize() > _LONGEST_ERROR_BYTES:
        body.ClearField("availability")
        body.metadata.ClearField("faults")
        body.message = body.message[:_LONGEST_TEXT]
    return body


def _detailed_tokens(usage: Usage) -> tuple[int, int, int]:
    """How many tokens were read from a cache, spent on reasoning, and on images."""
    cached = usage.prompt_tokens_details.cached_tokens if usage.HasField("prompt_tokens_details") else 0
    if not usage.HasField("completion_tokens_details"):
        return cached, 0, 0
    made = usage.completion_tokens_details
    return cached, made.reasoning_tokens, made.image_tokens


def _upstream_cost(usage: Usage) -> int | None:
    details = usage.cost_details
    return details.upstream_inference_cost_pusd if details.HasField("upstream_inference_cost_pusd") else None


def _count_media(request: ChatCompletionRequest) -> tuple[int, int]:
    """How many pieces of media, and of sound, the messages hold."""
    media = sounds = 0
    for message in request.messages:
        kind = message.WhichOneof("message")
        if kind is None:
            continue
        for part in getattr(message, kind).content:
            held = part.WhichOneof("part")
            media += held in _MEDIA
            sounds += held == _SOUND
    return media, sounds
