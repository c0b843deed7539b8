# SPDX-License-Identifier: Apache-2.0
"""Whole answers for clients of POST /v1/responses: response objects and what they are made of.

The keys of a response object, and which of them are always there, are those of openai-python 3.54 (`types/responses/response.py`) and of OpenRouter's
`OpenResponsesResult`; strict clients want the nullable ones present. An answer tells the request's settings once more: the echo.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from trunkline.v1.chat_response_pb2 import ChatCompletion, FinishReason
from trunkline.v1.error_pb2 import ErrorBody
from trunkline.v1.usage_pb2 import Usage
from trunkline_server.dialects.media import read_data_url
from trunkline_server.dialects.openai_responses.errors import code_of
from trunkline_server.dialects.openai_responses.names import CUSTOM_CALL, OWN_KEY, make_id, type_of
from trunkline_server.dialects.openai_responses.parts import render_annotation
from trunkline_server.dialects.openai_responses.reasoning_items import render_reasoning
from trunkline_server.dialects.openai_responses.usage import render_usage
from trunkline_server.dialects.raw import opened
from trunkline_server.jsonshape import Codec

Echo: TypeAlias = Mapping[str, Any]
"""The settings of a request as its answer tells them, every key of _DEFAULTS among them."""
Item: TypeAlias = dict[str, Any]

COMPLETED: Final = "completed"
INCOMPLETE: Final = "incomplete"
FAILED: Final = "failed"
IN_PROGRESS: Final = "in_progress"

_DEFAULTS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "background": False,
        "frequency_penalty": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": MappingProxyType({}),
        "parallel_tool_calls": True,
        "presence_penalty": None,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": None,
        "safety_identifier": None,
        "service_tier": "auto",
        "store": False,
        "temperature": None,
        "text": MappingProxyType({"format": MappingProxyType({"type": "text"})}),
        "tool_choice": "auto",
        "tools": (),
        "top_logprobs": 0,
        "top_p": None,
        "truncation": "disabled",
        "user": None,
    }
)
"""What an answer tells of a setting that the request does not name."""
_NEVER_ECHOED: Final = frozenset({"background", "store", "previous_response_id"})
_CUTS: Final[Mapping[int, str]] = MappingProxyType(
    {
        FinishReason.FINISH_REASON_LENGTH: "max_output_tokens",
        FinishReason.FINISH_REASON_CONTENT_FILTER: "content_filter",
    }
)
"""Finish reasons that leave an answer incomplete, and the reason told."""
_REST_OF_TURN: Final = frozenset({"message", "reasoning", "function_call", CUSTOM_CALL, "image_generation_call"})


def make_echo(value: Mapping[str, Any]) -> Echo:
    """The settings of a client's parsed request."""
    given = {name: value[name] for name in _DEFAULTS if value.get(name) is not None and name not in _NEVER_ECHOED}
    if "text" in given and isinstance(given["text"], dict):
        given["text"] = {"format": {"type": "text"}, **given["text"]}
    return {name: given.get(name, _plain(default)) for name, default in _DEFAULTS.items()}


def render_answer(
    codec: Codec, completion: ChatCompletion, echo: Echo, *, completed_s: int | None = None
) -> dict[str, Any]:
    """The response object of a whole answer, its first choice. `completed_s` is when it was whole, in Unix seconds; None where nobody knows."""
    choice = completion.choices[0] if completion.choices else None
    reason = choice.finish_reason if choice is not None else FinishReason.FINISH_REASON_UNSPECIFIED
    failed = completion.HasField("error")
    status = FAILED if failed else status_of(reason)
    output: list[Item] = []
    if choice is not None:
        message = codec.encode(choice.message)
        logprobs = codec.encode(choice)["logprobs"] if choice.HasField("logprobs") else None
        output = render_output(message, completion.id, is_whole=status == COMPLETED, logprobs=logprobs)
    made = response_object(
        response_id=make_id("resp", completion.id),
        created_s=completion.created,
        model=completion.model,
        echo=echo,
        status=status,
        output=output,
    )
    made["incomplete_details"] = cut_of(reason) if not failed else None
    made["completed_at"] = completed_s if status == COMPLETED else None
    add_end(codec, made, completion, error=completion.error if failed else None)
    return made


def response_object(
    *, response_id: str, created_s: int, model: str, echo: Echo, status: str, output: list[Item]
) -> dict[str, Any]:
    """A response object that nothing is known of yet but this."""
    return {
        "id": response_id,
        "object": "response",
        "created_at": created_s,
        "status": status,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": output,
        **echo,
        "usage": None,
    }


def add_end(codec: Codec, made: dict[str, Any], end: Any, *, error: ErrorBody | None) -> None:
    """Adds what the end of an answer tells: usage, tier, provider, route, failure. `end` is a ChatCompletion or the chunks' counterpart."""
    if end.HasField("usage"):
        made["usage"] = render_usage(codec.encode(end.usage))
    if end.HasField("service_tier"):
        made["service_tier"] = end.service_tier
    if end.HasField("provider"):
        made["provider"] = end.provider
    if end.HasField("openrouter_metadata"):
        made["openrouter_metadata"] = codec.encode(end.openrouter_metadata)
    if error is not None:
        made["error"] = {"code": code_of(error.metadata.error_type), "message": error.message}
        made["error_type"] = error.metadata.error_type


def status_of(reason: FinishReason.ValueType) -> str:
    """The status of an answer that ended for a reason of the contract."""
    return INCOMPLETE if reason in _CUTS else COMPLETED


def cut_of(reason: FinishReason.ValueType) -> dict[str, str] | None:
    """Why an answer is incomplete; None where it is whole."""
    cut = _CUTS.get(reason)
    return None if cut is None else {"reason": cut}


def render_output(
    message: Mapping[str, Any], generation_id: str, *, is_whole: bool, logprobs: Any = None
) -> list[Item]:
    """The items of a turn in openai_chat's JSON: as they came from a provider of this language, else reasoning, message, images, calls."""
    own = opened(message.get(OWN_KEY))
    if isinstance(own, list):
        return [item for item in own if isinstance(item, dict)]
    items: list[Item] = [reasoning_item(item) for item in _reasoning_of(message)]
    content = content_of(message, logprobs)
    status = COMPLETED if is_whole else INCOMPLETE
    if content:
        phase = {"phase": own["phase"]} if isinstance(own, dict) and "phase" in own else {}
        items.append({"type": "message", "role": "assistant", "status": status, "content": content, **phase})
    items += (image_item(image) for image in message.get("images") or ())
    items += (call_item(call, status) for call in message.get("tool_calls") or ())
    return [name_item(item, generation_id, place) for place, item in enumerate(items)]


def name_item(item: Item, generation_id: str, place: int) -> Item:
    """The item with an id of its own, where it has none."""
    return item if "id" in item else {"id": make_id(_PREFIXES[item["type"]], generation_id, place), **item}


def reasoning_item(item: Item) -> Item:
    """An item of `render_reasoning` as it stands in an answer."""
    return {**item, "encrypted_content": item.get("encrypted_content"), "status": COMPLETED}


def call_item(call: Mapping[str, Any], status: str) -> Item:
    """The item of a tool call."""
    function = call.get("function") or {}
    is_custom = opened(call.get(OWN_KEY)) == CUSTOM_CALL
    return {
        "type": CUSTOM_CALL if is_custom else "function_call",
        "status": status,
        "call_id": call["id"],
        "name": function.get("name") or "",
        "input" if is_custom else "arguments": function.get("arguments") or "",
    }


def image_item(image: Mapping[str, Any]) -> Item:
    """The item of an image that the model made. One that came as a URL is told as it is."""
    url = image["image_url"]["url"]
    data = read_data_url(url)
    item = {"type": "image_generation_call", "status": COMPLETED, "result": url if data is None else data.data}
    return item if data is None else {**item, "output_format": data.media_type.removeprefix("image/")}


def text_part(text: str, annotations: list[Any], logprobs: Any = None) -> Item:
    """A text of an answer."""
    return {"type": "output_text", "annotations": annotations, "logprobs": logprobs or [], "text": text}


def content_of(message: Mapping[str, Any], logprobs: Any = None) -> list[Item]:
    """The parts of what the model said. What was spoken is text here."""
    content = message.get("content") or (message.get("audio") or {}).get("transcript")
    texts = [content] if isinstance(content, str) else [part.get("text", "") for part in content or ()]
    rendered = [render_annotation(opened(annotation)) for annotation in message.get("annotations") or ()]
    annotations = [annotation for annotation in rendered if annotation is not None]
    tokens = logprobs["content"] if logprobs else None
    parts = [text_part(text, annotations, tokens) for text in ["".join(texts)] if text]
    if message.get("refusal"):
        parts.append({"type": "refusal", "refusal": message["refusal"]})
    return parts


def rest_of_turn(own: Any) -> list[Item]:
    """Of the items that a provider of this language told at the end of its stream, those that the stream could not tell before."""
    return (
        [item for item in own if isinstance(item, dict) and type_of(item) not in _REST_OF_TURN]
        if isinstance(own, list)
        else []
    )


def usage_of(codec: Codec, usage: Usage) -> dict[str, Any]:
    """Usage as a response object has it."""
    return render_usage(codec.encode(usage))


def _reasoning_of(message: Mapping[str, Any]) -> list[Item]:
    """The reasoning of a turn: its details, else its plain text."""
    items = render_reasoning(map(opened, message.get("reasoning_details") or ()))
    if not items and message.get("reasoning"):
        items = render_reasoning([{"type": "reasoning.text", "text": message["reasoning"]}])
    return items


def _plain(default: Any) -> Any:
    """A default value as orjson writes it."""
    if isinstance(default, Mapping):
        return {key: _plain(item) for key, item in default.items()}
    return list(default) if isinstance(default, tuple) else default


_PREFIXES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "message": "msg",
        "reasoning": "rs",
        "function_call": "fc",
        CUSTOM_CALL: "ctc",
        "image_generation_call": "ig",
    }
)
"""How the id of an item begins, as OpenAI's do."""
