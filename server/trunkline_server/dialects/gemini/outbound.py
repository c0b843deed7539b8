# SPDX-License-Identifier: Apache-2.0
"""Answers in Google's language: a completion as one GenerateContentResponse, chunks as the events of a stream, failures as google.rpc.Status."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

from trunkline.v1.chat_response_pb2 import (
    ChatCompletion,
    ChatCompletionChunk,
    Choice,
    ChunkChoice,
    Delta,
    FinishReason,
    ToolCallDelta,
)
from trunkline.v1.message_pb2 import AssistantMessage, ReasoningDetail
from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.gemini.finishes import FINISHES
from trunkline_server.dialects.gemini.logprobs import write_logprobs
from trunkline_server.dialects.gemini.marks import MADE_ID, Signatures, image_mark, place_spare, stands_in_content
from trunkline_server.dialects.gemini.server_tools import render_server_tool
from trunkline_server.dialects.gemini.usage import write_usage
from trunkline_server.dialects.media import read_data_url
from trunkline_server.dialects.reasoning import GEMINI_FORMAT

Parts = list[dict[str, Any]]

_WORDS: Final[Mapping[int, str]] = MappingProxyType(
    {
        FinishReason.FINISH_REASON_STOP: "STOP",
        FinishReason.FINISH_REASON_TOOL_CALLS: "STOP",
        FinishReason.FINISH_REASON_FUNCTION_CALL: "STOP",
        FinishReason.FINISH_REASON_LENGTH: "MAX_TOKENS",
        FinishReason.FINISH_REASON_CONTENT_FILTER: "SAFETY",
        FinishReason.FINISH_REASON_ERROR: "OTHER",
    }
)
_STATUSES: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "CANCELLED",
        3: "INVALID_ARGUMENT",
        4: "DEADLINE_EXCEEDED",
        5: "NOT_FOUND",
        7: "PERMISSION_DENIED",
        8: "RESOURCE_EXHAUSTED",
        9: "FAILED_PRECONDITION",
        12: "UNIMPLEMENTED",
        13: "INTERNAL",
        14: "UNAVAILABLE",
        16: "UNAUTHENTICATED",
    }
)
"""The number of a gRPC status code to its word."""
_DOMAIN: Final = "trunkline"
_KEPT: Final = frozenset({"groundingMetadata", "urlContextMetadata", "safetyRatings", "finishMessage"})


def render_answer(completion: ChatCompletion) -> dict[str, Any]:
    """A whole answer as a GenerateContentResponse."""
    answer: dict[str, Any] = {"candidates": [_render_choice(choice) for choice in completion.choices]}
    return answer | _render_tail(completion)


def render_error(error: GatewayError) -> dict[str, Any]:
    """A failure as the body of an error answer."""
    shape = error.shape
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason_name(error.reason), "domain": _DOMAIN}
    details: list[dict[str, Any]] = [] if shape.masked else [info]
    if error.retry_after_s is not None and not shape.masked:
        wait = f"{error.retry_after_s:.9f}".rstrip("0").rstrip(".")
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{wait}s"})
    if error.faults:
        violations = [{"field": fault.field, "description": fault.description} for fault in error.faults]
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations})
    status: dict[str, Any] = {
        "code": shape.http_status,
        "message": error.public_message,
        "status": _STATUSES.get(shape.grpc_code, "UNKNOWN"),
    }
    return {"error": status | ({"details": details} if details else {})}


class _Open:
    """What is known of a candidate that has not ended: its calls in pieces, with their signatures, and how much text has gone out."""

    __slots__ = ("calls", "details", "said")

    def __init__(self) -> None:
        self.calls: dict[int, ToolCallDelta] = {}
        self.details: list[ReasoningDetail] = []
        self.said = 0

    def add(self, delta: Delta) -> None:
        """Adds the pieces of calls."""
        for piece in delta.tool_calls:
            known = self.calls.setdefault(piece.index, ToolCallDelta())
            known.id, known.function.name = known.id or piece.id, known.function.name or piece.function.name
            known.function.arguments += piece.function.arguments


class EventRenderer:
    """Writes the chunks of one answer as server-sent events. A call is written whole, when its candidate ends: Google's clients know no pieces of one."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}

    def feed(self, batch: Batch) -> bytes:
        """The events of a batch."""
        return b"".join(self._render_chunk(chunk) for chunk in batch)

    def fail(self, error: GatewayError) -> bytes:
        """The event that ends the stream with a failure."""
        return _event(render_error(error))

    def close(self) -> bytes:
        """Nothing: Google marks no end."""
        return b""

    def _render_chunk(self, chunk: ChatCompletionChunk) -> bytes:
        candidates = [candidate for choice in chunk.choices for candidate in self._render_delta(choice)]
        if not candidates and not chunk.HasField("usage"):
            return b""
        head: dict[str, Any] = {"candidates": candidates} if candidates else {}
        return _event(head | _render_tail(chunk))

    def _render_delta(self, choice: ChunkChoice) -> Iterator[dict[str, Any]]:
        delta = choice.delta
        known = self._open.setdefault(choice.index, _Open())
        known.add(delta)
        message = AssistantMessage(images=delta.images)
        for detail in delta.reasoning_details:
            waits = detail.HasField("encrypted") and detail.HasField("id") and not stands_in_content(detail.id)
            (known.details if waits else message.reasoning_details).append(detail)
        if delta.content:
            message.content.add(text=delta.content)
        if delta.reasoning:
            message.reasoning = delta.reasoning
        if delta.HasField("audio"):
            message.audio.CopyFrom(delta.audio)
        if delta.refusal:
            message.refusal = delta.refusal
        whole = Choice(index=choice.index, extra=choice.extra)
        if choice.finish_reason:
            message.reasoning_details.extend(known.details)
            for _, call in sorted(known.calls.items()):
                added = message.tool_calls.add(id=call.id)
                added.function.name, added.function.arguments = call.function.name, call.function.arguments
            whole.finish_reason = choice.finish_reason
            whole.native_finish_reason = choice.native_finish_reason
        whole.message.CopyFrom(message)
        if choice.HasField("logprobs"):
            whole.logprobs.CopyFrom(choice.logprobs)
        candidate = _render_choice(whole, known.said)
        known.said += len(delta.content)
        if candidate["content"]["parts"] or "finishReason" in candidate:
            yield candidate


def _render_tail(answer: ChatCompletion | ChatCompletionChunk) -> dict[str, Any]:
    tail: dict[str, Any] = {"usageMetadata": write_usage(answer.usage)} if answer.HasField("usage") else {}
    if answer.model:
        tail["modelVersion"] = answer.model
    if answer.id:
        tail["responseId"] = answer.id
    return tail


def _render_choice(choice: Choice, said: int = 0) -> dict[str, Any]:
    """A candidate, before which so many characters of its content have gone out."""
    candidate: dict[str, Any] = {"content": {"parts": _render_message(choice.message, said), "role": "model"}}
    if choice.finish_reason:
        native = choice.native_finish_reason
        candidate["finishReason"] = native if native in FINISHES else _WORDS[choice.finish_reason]
    candidate["index"] = choice.index
    if choice.HasField("logprobs"):
        candidate["logprobsResult"] = write_logprobs(choice.logprobs)
    candidate |= {key: orjson.Fragment(text) for key, text in choice.extra.items() if key in _KEPT}
    return candidate


def _render_message(message: AssistantMessage, said: int) -> Parts:
    """The parts of an answer, each signature on the part where it was. Details of other providers' formats are shown as thoughts without a signature."""
    own = [_as_json(detail) for detail in message.reasoning_details if detail.format == GEMINI_FORMAT]
    signatures = Signatures(own, said=said)
    parts: Parts = []
    for detail in own:
        if detail["type"] == "reasoning.text":
            part: dict[str, Any] = {"text": detail["text"], "thought": True}
            parts.append(_signed(part, detail["signature"]))
        parts += render_server_tool(detail)
    if message.reasoning and not parts:
        parts.append({"text": message.reasoning, "thought": True})
    parts += signatures.sign("".join(part.text for part in message.content))
    if message.refusal:
        parts.append({"text": message.refusal})
    for image in message.images:
        media = read_data_url(image.image_url.url)
        if media is not None:
            data = {"inlineData": {"mimeType": media.media_type, "data": media.data}}
            parts.append(_signed(data, signatures.take(image_mark(image.index))))
    if message.audio.data:
        parts.append({"inlineData": {"mimeType": _sound_type(message), "data": message.audio.data}})
    for call in message.tool_calls:
        written: dict[str, Any] = {} if call.id.startswith(MADE_ID) else {"id": call.id}
        written |= {"name": call.function.name, "args": _read_arguments(call.function.arguments)}
        parts.append(_signed({"functionCall": written}, signatures.take(call.id)))
    place_spare(parts, signatures)
    return parts


def _as_json(detail: ReasoningDetail) -> dict[str, Any]:
    """What of a detail is looked at here, under its names in JSON."""
    text, call = detail.text, detail.server_tool_call
    said: dict[str, Any] = {key: orjson.loads(value) for key, value in detail.extra.items()}
    match detail.WhichOneof("detail"):
        case "text":
            said |= {"type": "reasoning.text", "text": text.text, "signature": text.signature}
        case "encrypted":
            said |= {"type": "reasoning.encrypted", "data": detail.encrypted.data}
            if detail.HasField("id"):
                said["id"] = detail.id
        case "server_tool_call":
            names = ("tool_name", "tool_call_id", "arguments", "result")
            said |= {name: getattr(call, name) for name in names if getattr(call, name)}
            said["type"] = "reasoning.server_tool_call"
        case _:
            said["type"] = "reasoning.other"
    return said


def _sound_type(message: AssistantMessage) -> str:
    told = message.audio.extra.get("mime_type")
    return str(orjson.loads(told)) if told else "audio/L16;codec=pcm;rate=24000"


def _read_arguments(text: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        value = None
    return value if type(value) is dict else {"arguments": text}


def _signed(part: dict[str, Any], signature: str | None) -> dict[str, Any]:
    if signature:
        part["thoughtSignature"] = signature
    return part


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\r\n\r\n"
