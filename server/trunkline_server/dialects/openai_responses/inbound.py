# SPDX-License-Identifier: Apache-2.0
"""Requests of clients of POST /v1/responses, as requests of the contract.

Parameters with the same name and meaning are taken as they are, OpenRouter's and the gateway's own among them. What would need state is refused. What the
contract does not know is kept for providers of this language, see `names.py`. Faults name places of the client's JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.dialects.openai_responses.conversation import MessageReader
from trunkline_server.dialects.openai_responses.names import OWN_KEY
from trunkline_server.dialects.openai_responses.parts import fault
from trunkline_server.dialects.openai_responses.request import ENCRYPTED, LOGPROBS, MIDDLE_OUT
from trunkline_server.dialects.openai_responses.tools import parse_choice, parse_tools
from trunkline_server.jsonshape import REFUSED_KEYS, Codec, Fault, ShapeFaults

STATEFUL: Final[Mapping[str, str]] = MappingProxyType(
    {
        "previous_response_id": "absent: this API is stateless; send the whole conversation in `input`",
        "conversation": "absent: this API is stateless; send the whole conversation in `input`",
        "background": "false: this API is stateless, an answer can only be awaited",
        "prompt": "absent: this API is stateless, no prompts are stored; send the text in `input`",
    }
)
"""Parameters that would need state, and what is expected of each."""

_OWN: Final = frozenset(
    {"input", "instructions", "max_output_tokens", "text", "reasoning", "include", "truncation", "tools", "tool_choice"}
)
"""Parameters that are translated."""
_ELSEWHERE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "messages": "absent: the conversation stands in `input`",
        "max_tokens": "absent: the limit is `max_output_tokens`",
        "max_completion_tokens": "absent: the limit is `max_output_tokens`",
        "n": "absent: this API gives one answer",
        "functions": "absent: functions stand in `tools`",
        "function_call": "absent: the choice is `tool_choice`",
        "response_format": "absent: the form stands in `text.format`",
        "verbosity": "absent: it stands in `text.verbosity`",
        "reasoning_effort": "absent: it stands in `reasoning.effort`",
        "logprobs": "absent: `include` asks for message.output_text.logprobs",
        "web_search_options": "absent: web_search stands in `tools`",
        "prediction": "absent: this API has no such parameter",
        "audio": "absent: this API makes no sound",
    }
)
"""Fields of the contract that clients of this API have by another name, or not at all, and what is expected of each."""
_KEPT_OUT: Final = frozenset({"store", *STATEFUL})
_SAME: Final = frozenset(field.name for field in ChatCompletionRequest.DESCRIPTOR.fields) - {*_ELSEWHERE, "extra"}
_EFFORT_ALONE: Final = {"effort"}
_PLACE: Final = re.compile(r"^messages\[(\d+)\](.*)$")
_NAMES: Final = (
    ("max_completion_tokens", "max_output_tokens"),
    ("response_format.json_schema", "text.format"),
    ("response_format", "text.format"),
    ("verbosity", "text.verbosity"),
    ("reasoning_effort", "reasoning.effort"),
    ("transforms", "truncation"),
    ("logprobs", "include"),
)
"""Beginnings of paths in the contract's JSON and in the client's."""


def parse_request(codec: Codec, value: Mapping[str, Any]) -> ChatCompletionRequest:
    """The request of a client's parsed JSON. Raises ShapeFaults with all that is wrong with its form, or the first thing that keeps it from being read."""
    if not isinstance(value, Mapping):
        raise fault("", "an object")
    _refuse_unserved(value)
    reader = MessageReader()
    body: dict[str, Any] = {"messages": reader.messages}
    _read_input(reader, value)
    own: dict[str, Any] = {}
    for name, item in value.items():
        if item is None or name in _OWN or name in _KEPT_OUT:
            continue
        # A name that nobody may send goes where the codec finds and refuses it.
        (body if name in _SAME or name in REFUSED_KEYS else own)[name] = item
    _read_parameters(body, own, value)
    if own:
        body[OWN_KEY] = own
    try:
        return codec.decode(ChatCompletionRequest, body)
    except ShapeFaults as faults:
        told = [_at_client(item, reader.origins) for item in faults.faults]
        raise ShapeFaults(told) from None


def _refuse_unserved(value: Mapping[str, Any]) -> None:
    faults = [
        Fault(path=name, expected=expected)
        for refused in (STATEFUL, _ELSEWHERE)
        for name, expected in refused.items()
        if value.get(name) not in (None, False)
    ]
    if faults:
        raise ShapeFaults(faults)


def _read_input(reader: MessageReader, value: Mapping[str, Any]) -> None:
    instructions, given = value.get("instructions"), value.get("input")
    if instructions is not None:
        if not isinstance(instructions, str):
            raise fault("instructions", "a string")
        reader.add({"role": "system", "content": instructions}, "instructions")
    if isinstance(given, str):
        reader.add({"role": "user", "content": given}, "input")
    elif isinstance(given, list):
        reader.read_all(given)
    elif given is not None or not reader.messages:
        raise fault("input", "a string or an array of items")


def _read_parameters(body: dict[str, Any], own: dict[str, Any], value: Mapping[str, Any]) -> None:
    """Reads the parameters that have another name or form."""
    if value.get("max_output_tokens") is not None:
        body["max_completion_tokens"] = value["max_output_tokens"]
    tools = value.get("tools")
    if tools is not None:
        body["tools"] = parse_tools(tools) if isinstance(tools, list) else tools
    if value.get("tool_choice") is not None:
        body["tool_choice"] = parse_choice(value["tool_choice"])
    _read_text(body, own, value.get("text"))
    _read_reasoning(body, value.get("reasoning"))
    match value.get("truncation"):
        case "auto":
            body.setdefault("transforms", [MIDDLE_OUT])
        case None | "disabled":
            pass
        case other:
            raise fault("truncation", "auto or disabled", other)
    include = value.get("include")
    if include is not None:
        if not isinstance(include, list):
            raise fault("include", "an array of strings")
        rest = [word for word in include if word not in (ENCRYPTED, LOGPROBS)]
        if LOGPROBS in include:
            body["logprobs"] = True
        if rest:
            own["include"] = rest
    if value.get("top_logprobs"):
        body["logprobs"] = True


def _read_text(body: dict[str, Any], own: dict[str, Any], text: Any) -> None:
    if text is None:
        return
    if not isinstance(text, dict):
        raise fault("text", "an object")
    if text.get("verbosity") is not None:
        body["verbosity"] = text["verbosity"]
    form = text.get("format")
    if isinstance(form, dict) and form.get("type") == "json_schema" and "json_schema" not in form:
        schema = {key: item for key, item in form.items() if key != "type"}
        form = {"type": "json_schema", "json_schema": schema}
    if form is not None:
        body["response_format"] = form
    rest = {key: item for key, item in text.items() if key not in {"format", "verbosity"} and item is not None}
    if rest:
        own["text"] = rest


def _read_reasoning(body: dict[str, Any], reasoning: Any) -> None:
    """Reads how to reason. An effort alone is the contract's shorthand, which asks for no summary: neither did the client."""
    if reasoning is None:
        return
    if not isinstance(reasoning, dict):
        raise fault("reasoning", "an object")
    said = {key: item for key, item in reasoning.items() if item is not None}
    legacy = said.pop("generate_summary", None)
    if legacy is not None:
        said.setdefault("summary", legacy)
    if said.keys() == _EFFORT_ALONE:
        body["reasoning_effort"] = said["effort"]
    elif said:
        body["reasoning"] = said


def _at_client(fault_found: Fault, origins: Sequence[str]) -> Fault:
    """A fault at its place in the client's JSON, as far as that is known: the item, the part of the path after it being the contract's."""
    path = fault_found.path
    place = _PLACE.match(path)
    if place is not None:
        index = int(place[1])
        path = origins[index] + place[2] if index < len(origins) else path
    elif path == "messages":
        path = "input"
    else:
        for name, client in _NAMES:
            if path == name or path.startswith((f"{name}.", f"{name}[")):
                path = client + path.removeprefix(name)
                break
        path = re.sub(r"^(tools\[\d+\])\.(?:function|custom)\.", r"\1.", path)
    return Fault(path=path, expected=fault_found.expected, got=fault_found.got)
