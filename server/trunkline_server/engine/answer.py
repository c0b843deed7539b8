# SPDX-License-Identifier: Apache-2.0
"""One attempt's chunks made into the call's answer.

Rules: every chunk bears the call's id and the serving model; nothing leaves before the first content; each choice ends once; usage is held back and
stands in the last chunk alone. An answer that goes on with another one says so in its first chunk, and repeats neither role nor text. No I/O: an object with
`accept` and `finish`.
"""

from __future__ import annotations

from typing import Final

from trunkline.v1.chat_response_pb2 import ChatCompletionChunk, ChunkChoice, Delta, FinishReason
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.usage_pb2 import Usage
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.catalog.tiers import served_tier
from trunkline_server.core.call import Call
from trunkline_server.core.chunks import has_content
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.core.usage import count_images, count_prompt_bytes, estimate_usage, price_usage, waive_cost
from trunkline_server.engine.pipeline import Rendering
from trunkline_server.engine.seam import Beginning, Seam, add_usage, wants_continuation

# Names of an enum are looked up by Python code each time they are asked for.
_NO_FINISH: Final = FinishReason.FINISH_REASON_UNSPECIFIED
_FAILED: Final = FinishReason.FINISH_REASON_ERROR
_BESIDE_DELTA: Final = frozenset({"index", "delta"})
_PLAIN: Final = frozenset({"role", "content", "reasoning", "reasoning_details"})


class Answer:
    """What one endpoint says to one call. `held` are chunks that leave ahead of the first content, whoever says it (debug chunks). `beginning` is what another
    endpoint had said, None: nothing.

    `upstream_id` and `service_tier` are what the provider calls its answer and says it served, "" until it does. `finish_reason` and
    `native_finish_reason` are those of the first choice that ended. `images_made` counts the images so far. `rendering` says what the provider did not get or
    got otherwise, None: it got everything.
    """

    def __init__(self, call: Call, endpoint: Endpoint, held: Batch, beginning: Beginning | None = None) -> None:
        self._id = call.generation_id
        self._created_s = call.created_s
        self._model = endpoint.model
        self._provider = endpoint.provider.name
        self.endpoint = endpoint
        self.upstream_id = ""
        self.service_tier = ""
        self.finish_reason = _NO_FINISH
        self.native_finish_reason = ""
        self.images_made = 0
        self.rendering: Rendering | None = None
        self._request = call.request
        self._hides_reasoning = _hides_reasoning(call)
        self._held = held
        # What this endpoint said without content. Not in `held`: it must not leave with the content of another endpoint.
        self._unsaid: Batch | None = []
        self._open: set[int] = set()
        self._ended: set[int] = set()
        self._completion_bytes = 0
        self._last = ChatCompletionChunk()
        self._told: Usage | None = None
        self._settled: Usage | None = None
        self._beginning = beginning
        self._seam: Seam | None = None
        self._joins = call.streamed and wants_continuation(call.request)
        # What was said, as long as another endpoint could go on with it.
        self._pieces: list[str] | None = [] if self._joins else None
        if beginning is not None:
            self._seam = Seam(beginning.text)
            self._open.add(0)

    @property
    def has_begun(self) -> bool:
        """Content has left, so no other endpoint can take over."""
        return self._unsaid is None

    @property
    def is_heard(self) -> bool:
        """The client has content of the call's answer, from whichever endpoint."""
        return self._unsaid is None or self._beginning is not None

    @property
    def can_be_joined(self) -> bool:
        """Another endpoint may go on with it: that was asked for, and it is text alone that has not ended."""
        return bool(self._pieces) and self._open == {0} and any(self._pieces or ())

    def break_off(self, after_error: str) -> Beginning:
        """What another endpoint is to go on with."""
        earlier = "" if self._beginning is None else self._beginning.text
        text = earlier + "".join(self._pieces or ())
        return Beginning(text=text, usage=self.settle(), after_error=after_error)

    @property
    def open_choices(self) -> tuple[int, ...] | None:
        """The choices that have begun and not ended, in order; None where nothing has been said."""
        return tuple(sorted(self._open)) if self.is_heard else None

    def accept(self, batch: Batch) -> Batch:
        """The part of a decoded batch that leaves now; empty until the first content."""
        if len(batch) == 1:  # the usual batch of a stream
            leaving = batch if self._keep(batch[0]) else []
        else:
            leaving = [chunk for chunk in batch if self._keep(chunk)]
        if self._unsaid is None:
            return leaving
        self._unsaid.extend(leaving)
        if not any(has_content(chunk) for chunk in leaving):
            return []
        leaving, self._unsaid = [*self._held, *self._unsaid], None
        self._held.clear()
        if self._beginning is not None:
            mark = leaving[0].continuation
            mark.provider, mark.model = self._provider, self._model
            mark.after_error = self._beginning.after_error
        return leaving

    def finish(self) -> Batch:
        """The last chunk, with usage. Raises GatewayError where the provider ended without an answer."""
        if not self.has_begun or self._open:
            reason = ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE
            what = "an answer without an end" if self.has_begun else "an empty answer"
            raise GatewayError(reason, f"The provider gave {what}.", provider=self._provider)
        last = self._last
        last.usage.CopyFrom(self.settle())
        self._sign(last)
        return [last]

    def settle(self) -> Usage:
        """Usage of what was said until now, with its cost; estimated where the provider told none. Asked again it is the same."""
        usage = self._settled
        if usage is None:
            usage = self._told
            if usage is None:
                prompt_bytes = count_prompt_bytes(self._request)
                if self._beginning is not None:
                    prompt_bytes += len(self._beginning.text.encode())
                usage = estimate_usage(prompt_bytes=prompt_bytes, completion_bytes=self._completion_bytes)
            self._price(usage)
            if self._is_free(usage):
                waive_cost(usage)
            if self._beginning is not None:
                add_usage(usage, self._beginning.usage)
            self._settled = usage
        return usage

    def _price(self, usage: Usage) -> None:
        """Prices usage by the service tier that the provider says it served: it bills that one, whichever was asked for.

        Where that tier has no known price, those of the endpoint's own tier count, and the details say so.
        """
        endpoint, served = self.endpoint, served_tier(self.service_tier)
        sold = endpoint if served is None or served == endpoint.tier else endpoint.of_tiers.get(served)
        is_known = sold is not None and bool(sold.prices_pusd)
        priced = sold if sold is not None and is_known else endpoint
        prices = priced.prices_for(usage.prompt_tokens)
        images_read = count_images(self._request) if "image" in prices else 0
        price_usage(usage, prices, images_read=images_read, images_made=self.images_made)
        if endpoint.prices_pusd and not is_known:
            usage.cost_details.priced_as_tier = endpoint.tier

    def _is_free(self, usage: Usage) -> bool:
        """Whether the provider failed, or said nothing and gave no reason: the caller pays for neither."""
        if self.finish_reason == _FAILED:
            return True
        return usage.completion_tokens <= 0 and not self.native_finish_reason

    def _keep(self, chunk: ChatCompletionChunk) -> bool:
        """Takes out of the chunk what does not belong there; False where nothing is left."""
        if chunk.HasField("usage"):
            self._told = Usage()
            self._told.CopyFrom(chunk.usage)
            chunk.ClearField("usage")
            self.service_tier = chunk.service_tier or self.service_tier
        choices = chunk.choices
        left = len(choices)
        if left == 1:
            if not self._keep_choice(choices[0]):
                del choices[0]
                left = 0
        elif left:
            left = self._keep_choices(chunk)
        if not left and not chunk.HasField("debug"):
            # What is said once may be said in the chunk that brings usage: it goes into ours.
            if chunk.HasField("service_tier"):
                self._last.service_tier = chunk.service_tier
            if chunk.HasField("system_fingerprint"):
                self._last.system_fingerprint = chunk.system_fingerprint
            return False
        self._sign(chunk)
        return True

    def _keep_choices(self, chunk: ChatCompletionChunk) -> int:
        """Takes out the choices of which nothing is left. How many stay."""
        gone = [place for place, choice in enumerate(chunk.choices) if not self._keep_choice(choice)]
        for place in reversed(gone):
            del chunk.choices[place]
        return len(chunk.choices)

    def _keep_choice(self, choice: ChunkChoice) -> bool:
        """Counts and clears a choice; False where nothing is left of it, or where it had ended before."""
        index = choice.index
        if index in self._ended:
            return False
        delta = choice.delta
        self._count(delta)
        is_new = index not in self._open
        finish_reason = choice.finish_reason
        if finish_reason:
            if not self._ended:
                self.finish_reason = finish_reason
                self.native_finish_reason = choice.native_finish_reason
            self._open.discard(index)
            self._ended.add(index)
        elif is_new:
            self._open.add(index)
        is_joined = self._joins and self._join(index, delta, is_last=bool(finish_reason))
        if self._hides_reasoning and (delta.reasoning or delta.reasoning_details):
            delta.ClearField("reasoning")
            delta.ClearField("reasoning_details")
        elif not is_joined:
            return True
        return (is_new and bool(delta.role)) or _says_anything(choice)

    def _join(self, index: int, delta: Delta, *, is_last: bool) -> bool:
        """Takes out what the endpoint before has said, where there is one, and keeps what the next one would have to go on with. Whether there is one before."""
        seam = self._seam
        if seam is not None:
            delta.ClearField("role")
            text = seam.pass_on(delta.content)
            if is_last:
                text += seam.end()
            if text or delta.HasField("content"):
                delta.content = text
        if index or any(field.name not in _PLAIN for field, _ in delta.ListFields()):
            self._pieces = None
        elif self._pieces is not None:
            self._pieces.append(delta.content)
        return seam is not None

    def _count(self, delta: Delta) -> None:
        """Counts images, and UTF-8 bytes of what the model wrote, for an estimate of tokens. Pictures and sound have no bytes of that kind."""
        size = 0
        # To list what is set costs less than to ask for each field: a delta has one or two.
        for field, value in delta.ListFields():
            match field.name:
                case "content" | "reasoning" | "refusal":
                    size += len(value) if value.isascii() else len(value.encode())
                case "tool_calls":
                    for call in value:
                        size += len(call.function.name.encode()) + len(call.function.arguments.encode())
                case "function_call":
                    size += len(value.name.encode()) + len(value.arguments.encode())
                case "images":
                    self.images_made += len(value)
        if self._told is None:
            self._completion_bytes += size

    def _sign(self, chunk: ChatCompletionChunk) -> None:
        if not self.upstream_id:
            self.upstream_id = chunk.id
            self.service_tier = chunk.service_tier or self.service_tier
        chunk.id = self._id
        chunk.created = self._created_s
        chunk.model = self._model
        chunk.provider = self._provider


def _hides_reasoning(call: Call) -> bool:
    request = call.request
    if request.HasField("reasoning") and request.reasoning.exclude:
        return True
    return request.HasField("include_reasoning") and not request.include_reasoning


def _says_anything(choice: ChunkChoice) -> bool:
    """Whether a choice holds more than its place, a role and empty texts."""
    if any(field.name not in _BESIDE_DELTA for field, _ in choice.ListFields()):
        return True
    return any(field.name != "role" and value != "" for field, value in choice.delta.ListFields())
