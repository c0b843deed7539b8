# SPDX-License-Identifier: Apache-2.0
"""Answers and failures in Anthropic's words, for clients of the Messages API."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

from trunkline.v1.chat_response_pb2 import ChatCompletion
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.message_pb2 import Annotation, AssistantMessage, ReasoningDetail
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.anthropic.conversation import read_exactly
from trunkline_server.dialects.anthropic.finish import stop_reason
from trunkline_server.dialects.anthropic.foreign import wrap
from trunkline_server.dialects.anthropic.replay import Placed, arrange, blocks_of_details
from trunkline_server.dialects.anthropic.usage import write_usage

_ERRORS: Final[Mapping[int, tuple[str, int]]] = MappingProxyType(
    {
        400: ("invalid_request_error", 400),
        401: ("authentication_error", 401),
        402: ("billing_error", 402),
        403: ("permission_error", 403),
        404: ("not_found_error", 404),
        408: ("timeout_error", 408),
        413: ("request_too_large", 413),
        429: ("rate_limit_error", 429),
        499: ("api_error", 499),
        503: ("overloaded_error", 529),
        504: ("timeout_error", 504),
    }
)
"""The status of a reason to Anthropic's type and status (platform.claude.com/docs/en/api/errors). Other 4xx are invalid requests, other 5xx `api_error`."""
DETAILS: Final = "stop_details"
"""The key under which what Anthropic says of a refusal is kept beside a choice."""
_TOO_LONG: Final = "prompt is too long"


def render_answer(completion: ChatCompletion) -> dict[str, Any]:
    """The Message that an answer is. Of several choices it is the first: Anthropic has no more."""
    choice = completion.choices[0] if completion.choices else None
    native = choice.native_finish_reason if choice is not None else ""
    called = choice is not None and (bool(choice.message.tool_calls) or choice.message.HasField("function_call"))
    answer: dict[str, Any] = {
        "id": completion.id,
        "type": "message",
        "role": "assistant",
        "model": completion.model,
        "content": [] if choice is None else content_blocks(choice.message, tells_refusal=DETAILS not in choice.extra),
        "stop_reason": None if choice is None else stop_reason(choice.finish_reason, native, called=called),
        "stop_sequence": None,
    }
    if choice is not None:
        for name in ("stop_sequence", DETAILS):
            if name in choice.extra:
                answer[name] = orjson.loads(choice.extra[name])
    answer["usage"] = write_usage(completion.usage, completion.service_tier)
    if completion.HasField("provider"):
        answer["provider"] = completion.provider
    return answer


def content_blocks(message: AssistantMessage, *, tells_refusal: bool = True) -> list[dict[str, Any]]:
    """The blocks of a model's turn: thinking, text and calls, each where it was said. What was spoken is text here.

    `tells_refusal` is false where details beside the reason to stop say why the model refused.
    """
    placed = placed_blocks(message)
    text = "".join(part.text for part in message.content) or message.audio.transcript
    if not text and tells_refusal:
        text = message.refusal
    texts: list[dict[str, Any]] = []
    if text:
        texts.append({"type": "text", "text": text})
        citations = [citation_of(annotation) for annotation in message.annotations]
        if any(citations):
            texts[0]["citations"] = [citation for citation in citations if citation]
    calls = [tool_use(call.id, call.function.name, call.function.arguments, call.extra) for call in message.tool_calls]
    if message.HasField("function_call"):
        calls.append(tool_use("call_function", message.function_call.name, message.function_call.arguments, {}))
    return arrange(placed, texts) + calls


def placed_blocks(message: AssistantMessage) -> list[Placed]:
    """The blocks of a turn's reasoning; of its text alone where no details came."""
    if message.reasoning_details:
        return [placed for detail in message.reasoning_details for placed in blocks_of_detail(detail)]
    if message.reasoning:
        return [(0, {"type": "thinking", "thinking": message.reasoning, "signature": ""})]
    return []


def blocks_of_detail(detail: ReasoningDetail) -> list[Placed]:
    """The blocks of one detail. Other makers' details are wrapped, so that the client sends them back."""
    value = detail_value(detail)
    own, _ = blocks_of_details([value])
    if own:
        return own
    place = value.get("index")
    if detail.WhichOneof("detail") in ("text", "summary"):
        text = detail.text.text or detail.summary.summary
        return [(place, {"type": "thinking", "thinking": text, "signature": "" if is_plain(value) else wrap(value)})]
    return [(place, {"type": "redacted_thinking", "data": wrap(value)})]


def is_plain(value: Mapping[str, Any]) -> bool:
    """Whether a detail in the form of openai_chat is text and nothing more, so that a thinking block tells all of it."""
    return value.keys() <= {"type", "text", "index", "format"} and value.get("format") in (None, "unknown")


def detail_value(detail: ReasoningDetail) -> dict[str, Any]:
    """A detail in the form of openai_chat."""
    kind = detail.WhichOneof("detail")
    value: dict[str, Any] = {}
    if kind == "unknown":
        value = orjson.loads(detail.unknown)
    elif kind is not None:
        inner = getattr(detail, kind)
        value = {
            "type": f"reasoning.{kind}",
            **{field.name: item for field, item in inner.ListFields()},
        }
    for name in ("id", "format", "index"):
        if detail.HasField(name):
            value[name] = getattr(detail, name)
    value.update({name: orjson.loads(item) for name, item in detail.extra.items()})
    return value


def citation_of(annotation: Annotation) -> dict[str, Any]:
    """The citation that an annotation is; empty for one that Anthropic has no words for."""
    if annotation.WhichOneof("annotation") == "unknown":
        value = orjson.loads(annotation.unknown)
        return value if str(value.get("type")).endswith("_location") else {}
    if annotation.WhichOneof("annotation") != "url_citation":
        return {}
    cited = annotation.url_citation
    others = {name: orjson.loads(value) for name, value in cited.extra.items()}
    page = {"url": cited.url} if "source" not in others else {}
    return {
        "type": "search_result_location" if "source" in others else "web_search_result_location",
        "cited_text": cited.content,
        **page,
        "title": cited.title if cited.HasField("title") else None,
        **({} if "source" in others else {"encrypted_index": ""}),
        **others,
    }


def tool_use(call_id: str, name: str, arguments: str, extra: Mapping[str, str]) -> dict[str, Any]:
    """The block of a call. Arguments that are no JSON object stand under `arguments`, as they came."""
    value = read_exactly(arguments)
    others = {key: orjson.loads(item) for key, item in extra.items()}
    return {
        "type": "tool_use",
        "id": call_id,
        "name": name,
        "input": {"arguments": arguments} if value is None else value,
        **others,
    }


def render_error(error: GatewayError, request_id: str) -> dict[str, Any]:
    """The body of a failure."""
    message = error.public_message
    if error.reason == ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED and _TOO_LONG not in message.lower():
        message = f"{_TOO_LONG}: {message}"  # by these words clients know that they have to shorten the conversation
    kind, _ = _shape(error)
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}


def error_status(error: GatewayError) -> int:
    """The HTTP status of a failure, as Anthropic has it: 529 for an overload, 500 for what is nobody's fault but the servers'."""
    return _shape(error)[1]


def _shape(error: GatewayError) -> tuple[str, int]:
    status = error.shape.http_status
    known = _ERRORS.get(status)
    if known is not None:
        return known
    return ("api_error", 500) if status >= 500 else ("invalid_request_error", status)
