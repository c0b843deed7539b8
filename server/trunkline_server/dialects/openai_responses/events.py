# SPDX-License-Identifier: Apache-2.0
"""Chunks as the events of a client of POST /v1/responses.

Theory. A chunk says by how much a turn grows; an event says of which item. Text and reasoning grow one item at a time: what begins something else ends the
item before. Calls may grow side by side, so a call stays open until its arguments are a JSON object and something else begins, or until the end. The last
event tells the whole response, like the answer of a call that is not streamed. A failure before the first chunk is one event `error`; a later one is
`response.failed` with what was said until then.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import orjson

from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk, ChunkChoice, Delta, FinishReason
from trunkline.v1.message_pb2 import ReasoningDetail
from trunkline_server.core.errors import GatewayError, error_body
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.openai_responses.errors import code_of
from trunkline_server.dialects.openai_responses.item_events import (
    CallEvents,
    EventWriter,
    MessageEvents,
    ReasoningEvents,
    WholeItemEvents,
)
from trunkline_server.dialects.openai_responses.names import OWN_KEY, make_id
from trunkline_server.dialects.openai_responses.outbound import (
    COMPLETED,
    FAILED,
    IN_PROGRESS,
    INCOMPLETE,
    Echo,
    Item,
    add_end,
    call_item,
    cut_of,
    image_item,
    name_item,
    response_object,
    rest_of_turn,
    status_of,
)
from trunkline_server.dialects.openai_responses.parts import render_annotation
from trunkline_server.dialects.openai_responses.reasoning_items import KINDS, can_join, open_item
from trunkline_server.jsonshape import Codec

_Open: TypeAlias = MessageEvents | ReasoningEvents
_PLAIN_REASONING: Final = {"type": "reasoning.text"}


class EventRenderer:
    """Writes one answer, its first choice. `end` or `fail` is called once, at the end."""

    def __init__(self, codec: Codec, echo: Echo) -> None:
        self._codec = codec
        self._echo = echo
        self._writer = EventWriter()
        self._end = ChatCompletion()
        self._output: list[Item] = []
        self._current: _Open | None = None
        self._calls: dict[int, CallEvents] = {}
        self._reason: FinishReason.ValueType = FinishReason.FINISH_REASON_UNSPECIFIED
        self._own: Any = None
        self._begun = False

    def feed(self, batch: Batch) -> bytes:
        """The events of a batch."""
        for chunk in batch:
            self._note(chunk)
            for choice in chunk.choices:
                if choice.index == 0:
                    self._add(choice)
        return self._writer.take()

    def end(self, completed_s: int | None = None) -> bytes:
        """The events that end an answer. `completed_s` is the time, in Unix seconds; None where nobody knows."""
        self._begin()
        status = status_of(self._reason)
        self._close_current(status)
        for call in self._calls.values():
            call.close(status)
        for item in rest_of_turn(self._own):
            self._add_whole({"id": make_id("item", self._end.id, len(self._output)), **item})
        response = self._response(status)
        response["incomplete_details"] = cut_of(self._reason)
        response["completed_at"] = completed_s if status == COMPLETED else None
        self._writer.write(f"response.{status}", {"response": response})
        return self._writer.take()

    def fail(self, error: GatewayError) -> bytes:
        """The event of a failure."""
        body = error_body(error)
        if not self._begun:
            code = code_of(body.metadata.error_type)
            self._writer.write("error", {"code": code, "message": body.message, "param": None})
            return self._writer.take()
        for item in (self._current, *self._calls.values()):
            if item is not None and item.item["status"] == IN_PROGRESS:
                item.settle()
                item.item["status"] = INCOMPLETE
        self._end.error.CopyFrom(body)
        if (route := error.public_route) is not None:
            self._end.openrouter_metadata.CopyFrom(route)
        self._writer.write("response.failed", {"response": self._response(FAILED)})
        return self._writer.take()

    # -- the response

    def _note(self, chunk: ChatCompletionChunk) -> None:
        """Notes what a chunk says of the whole answer."""
        end = self._end
        if not self._begun:
            end.id, end.created, end.model = chunk.id, chunk.created, chunk.model
            if chunk.HasField("service_tier"):
                end.service_tier = chunk.service_tier
            self._begin()
            return self._note_end(chunk)
        if chunk.HasField("usage") or chunk.HasField("openrouter_metadata") or chunk.HasField("service_tier"):
            self._note_end(chunk)
        return None

    def _note_end(self, chunk: ChatCompletionChunk) -> None:
        end = self._end
        end.model = chunk.model or end.model
        if chunk.HasField("provider"):
            end.provider = chunk.provider
        if chunk.HasField("service_tier"):
            end.service_tier = chunk.service_tier
        if chunk.HasField("usage"):
            end.usage.CopyFrom(chunk.usage)
        if chunk.HasField("openrouter_metadata"):
            end.openrouter_metadata.CopyFrom(chunk.openrouter_metadata)

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            for kind in ("response.created", "response.in_progress"):
                self._writer.write(kind, {"response": self._response(IN_PROGRESS)})

    def _response(self, status: str) -> dict[str, Any]:
        end = self._end
        made = response_object(
            response_id=make_id("resp", end.id),
            created_s=end.created,
            model=end.model,
            echo=self._echo,
            status=status,
            output=self._output,
        )
        add_end(self._codec, made, end, error=end.error if end.HasField("error") else None)
        return made

    # -- items

    def _add(self, choice: ChunkChoice) -> None:
        delta = choice.delta
        if delta.reasoning_details:
            for detail in delta.reasoning_details:
                self._add_detail(detail)
        elif delta.reasoning:
            self._add_reasoning({**_PLAIN_REASONING, "text": delta.reasoning})
        text = delta.content or delta.audio.transcript
        if text:
            has_tokens = choice.HasField("logprobs")
            tokens = self._codec.encode(choice.logprobs)["content"] if has_tokens else None
            self._message().add_text(text, tokens or [])
        if delta.refusal:
            self._message().add_refusal(delta.refusal)
        if delta.annotations or delta.images or delta.tool_calls or delta.extra:
            self._add_rest(delta)
        if choice.finish_reason:
            self._reason = choice.finish_reason

    def _add_rest(self, delta: Delta) -> None:
        for annotation in delta.annotations:
            rendered = render_annotation(orjson.loads(self._codec.dump(annotation)))
            if rendered is not None:
                self._message().annotate(rendered)
        for image in delta.images:
            self._close_current()
            self._add_whole(image_item(self._codec.encode(image)))
        for piece in delta.tool_calls:
            call = self._calls.get(piece.index)
            if call is None:
                self._close_current()
                item = call_item(orjson.loads(self._codec.dump(piece)) | {"id": piece.id}, IN_PROGRESS)
                named = self._place_item(_without_arguments(item))
                self._calls[piece.index] = call = CallEvents(self._writer, len(self._output) - 1, named)
            call.add(piece.function.arguments)
        own = delta.extra.get(OWN_KEY)
        if own is not None:
            self._own = orjson.loads(own)
            if isinstance(self._own, dict) and "phase" in self._own and isinstance(self._current, MessageEvents):
                self._current.item["phase"] = self._own["phase"]

    def _add_detail(self, detail: ReasoningDetail) -> None:
        value = orjson.loads(self._codec.dump(detail))
        if value.get("type") in KINDS:
            self._add_reasoning(value)

    def _add_reasoning(self, detail: dict[str, Any]) -> None:
        current = self._current
        if isinstance(current, ReasoningEvents) and (current.is_at(detail) or can_join(current.item, detail)):
            current.add(detail)
            return
        self._close_current()
        item = self._place_item(open_item(detail))
        self._current = made = ReasoningEvents(self._writer, len(self._output) - 1, item)
        self._output[-1] = made.item
        made.add(detail)

    def _message(self) -> MessageEvents:
        if isinstance(self._current, MessageEvents):
            return self._current
        self._close_current()
        place = len(self._output)
        self._current = made = MessageEvents(self._writer, place, make_id("msg", self._end.id, place))
        self._output.append(made.item)
        return made

    def _add_whole(self, item: Item) -> None:
        named = self._place_item(item)
        WholeItemEvents(self._writer, len(self._output) - 1, named).close(named.get("status", COMPLETED))

    def _place_item(self, item: Item) -> Item:
        named = name_item(item, self._end.id, len(self._output))
        self._output.append(named)
        return named

    def _close_current(self, status: str = COMPLETED) -> None:
        """Ends what something else follows."""
        if self._current is not None:
            self._current.close(status)
            self._current = None
        for call in self._calls.values():
            if call.is_whole:
                call.close()


def _without_arguments(item: Item) -> Item:
    """A call's item as it begins: what came of its arguments is told as they grow."""
    return {key: "" if key in {"arguments", "input"} else value for key, value in item.items()}
