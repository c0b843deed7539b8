# SPDX-License-Identifier: Apache-2.0
"""Requests of generateContent, read into the contract: what request.py writes, backwards.

What the contract has no field for stays as the caller wrote it, among the unknown keys that request.py passes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import FieldFault, GatewayError
from trunkline_server.dialects.gemini.generation import IMAGE_SETTINGS, RENAMED
from trunkline_server.dialects.gemini.inbound_contents import parse_contents
from trunkline_server.dialects.gemini.tools import OWN_TOOLS, SHOWN_TOOLS
from trunkline_server.jsonshape import Codec

Json: TypeAlias = Mapping[str, Any]

_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{word: name for name, word in RENAMED.items()},
        "topK": "top_k",
        "maxOutputTokens": "max_completion_tokens",
        "candidateCount": "n",
        "seed": "seed",
        "stopSequences": "stop",
    }
)
_MODES: Final[Mapping[str, str]] = MappingProxyType(
    {"AUTO": "auto", "NONE": "none", "ANY": "required", "VALIDATED": "auto"}
)
_LEVELS: Final[Mapping[str, str]] = MappingProxyType(
    {"MINIMAL": "minimal", "LOW": "low", "MEDIUM": "medium", "HIGH": "high", "XHIGH": "xhigh"}
)
_TIERS: Final[Mapping[str, str]] = MappingProxyType({"standard": "default", "flex": "flex", "priority": "priority"})
_OWN_TYPES: Final[Mapping[str, str]] = MappingProxyType({word: kind for kind, word in OWN_TOOLS.items()})
_DYNAMIC: Final = -1
_SCHEMA_NAME: Final = "answer"
_RESOLUTIONS: Final = "mediaResolution"
_KNOWN: Final = frozenset(
    {
        "contents",
        "systemInstruction",
        "system_instruction",
        "tools",
        "toolConfig",
        "generationConfig",
        "serviceTier",
        "model",
    }
)


def parse_request(codec: Codec, value: object, *, model: str, stream: bool) -> ChatCompletionRequest:
    """Reads a request for the model and method of its path.

    Raises GatewayError (INVALID_REQUEST) naming the caller's own path, or ShapeFaults naming the contract's, where a value is not what it should be.
    """
    body = _object(value, "")
    made: dict[str, Any] = {"model": model, "messages": parse_contents(body)}
    if stream:
        made["stream"] = True
    made |= _parse_tools(body)
    made |= _parse_generation(_object(body.get("generationConfig", {}), "generationConfig"))
    tier = body.get("serviceTier")
    if tier is not None:
        made["service_tier"] = _TIERS.get(tier, tier) if type(tier) is str else tier
    made |= {name: kept for name, kept in body.items() if name not in _KNOWN}
    return codec.decode(ChatCompletionRequest, made)


def _parse_tools(body: Json) -> dict[str, Any]:
    tools: list[dict[str, Any]] = []
    for place, tool in enumerate(_list(body.get("tools", []), "tools")):
        for key, settings in _object(tool, f"tools[{place}]").items():
            if key in ("functionDeclarations", "function_declarations"):
                path = f"tools[{place}].{key}"
                tools += [_parse_function(item, path) for item in _list(settings, path)]
            elif key in _OWN_TYPES:
                tools.append({"type": _OWN_TYPES[key], **({_OWN_TYPES[key]: settings} if settings else {})})
            else:
                raise _fault(f"tools[{place}].{key}", "must be a tool that this gateway knows")
    made: dict[str, Any] = {"tools": tools} if tools else {}
    rest = dict(_object(body.get("toolConfig", {}), "toolConfig"))
    choice = rest.pop("functionCallingConfig", None)
    rest.pop(SHOWN_TOOLS, None)
    if choice is not None:
        made["tool_choice"] = _parse_choice(_object(choice, "toolConfig.functionCallingConfig"))
    return made | ({"toolConfig": rest} if rest else {})


def _parse_function(value: object, path: str) -> dict[str, Any]:
    declared = _object(value, path)
    function = {key: declared[key] for key in ("name", "description") if key in declared}
    if "parametersJsonSchema" in declared:
        function["parameters"] = declared["parametersJsonSchema"]
    elif "parameters" in declared:
        function["parameters"] = _lower_types(declared["parameters"])
    return {"type": "function", "function": function}


def _lower_types(schema: Any) -> Any:
    """A schema in Google's dialect of OpenAPI's as JSON Schema: its types are written in capitals."""
    if type(schema) is list:
        return [_lower_types(item) for item in schema]
    if type(schema) is not dict:
        return schema
    return {
        key: item.lower() if key == "type" and type(item) is str else _lower_types(item) for key, item in schema.items()
    }


def _parse_choice(choice: Json) -> str | dict[str, Any]:
    mode, names = choice.get("mode", "AUTO"), choice.get("allowedFunctionNames")
    if type(mode) is not str or mode not in _MODES:
        raise _fault("toolConfig.functionCallingConfig.mode", "must be AUTO, ANY, NONE or VALIDATED")
    if not names:
        return _MODES[mode]
    if mode == "ANY" and type(names) is list and len(names) == 1:
        return {"type": "function", "function": {"name": names[0]}}
    raise _fault("toolConfig.functionCallingConfig.allowedFunctionNames", "must hold one name, beside the mode ANY")


def _parse_generation(config: Json) -> dict[str, Any]:
    """The knobs; what is left over stays under generationConfig."""
    rest = dict(config)
    made = {name: rest.pop(word) for word, name in _NAMES.items() if word in rest}
    if "responseModalities" in rest:
        words = _list(rest.pop("responseModalities"), "generationConfig.responseModalities")
        made["modalities"] = [str(word).lower() for word in words]
    image = rest.get("imageConfig")
    if type(image) is dict and image and not image.keys() - set(IMAGE_SETTINGS.values()):
        made["image_config"] = {name: image[word] for name, word in IMAGE_SETTINGS.items() if word in image}
        del rest["imageConfig"]
    made |= _parse_voice(rest) | _parse_form(rest) | _parse_thinking(rest)
    if rest:
        made["generationConfig"] = rest
    return made


def _parse_voice(rest: dict[str, Any]) -> dict[str, Any]:
    """One prebuilt voice, which is all that the contract has a field for."""
    match rest.get("speechConfig"):
        case {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": str() as voice}}, **others} if not others:
            del rest["speechConfig"]
            return {"audio": {"voice": voice, "format": "pcm16"}}
    return {}


def _parse_form(rest: dict[str, Any]) -> dict[str, Any]:
    """The form of the answer. Schemas of both kinds are JSON Schema here."""
    kind = rest.get("responseMimeType")
    if kind not in ("application/json", "text/plain"):
        return {}
    del rest["responseMimeType"]
    schema = rest.pop("responseJsonSchema", None)
    old = rest.pop("responseSchema", None)
    if schema is None and old is not None:
        schema = _lower_types(old)
    if kind == "text/plain":
        return {"response_format": {"type": "text"}}
    if schema is None:
        return {"response_format": {"type": "json_object"}}
    return {"response_format": {"type": "json_schema", "json_schema": {"name": _SCHEMA_NAME, "schema": schema}}}


def _parse_thinking(rest: dict[str, Any]) -> dict[str, Any]:
    """The reasoning that a thinkingConfig asks for: Google shows no thoughts unless told to."""
    config = rest.pop("thinkingConfig", None)
    if config is None:
        return {}
    config = _object(config, "generationConfig.thinkingConfig")
    level, budget = config.get("thinkingLevel"), config.get("thinkingBudget")
    reasoning: dict[str, Any] = {}
    if level is not None:
        if type(level) is not str or level.upper() not in _LEVELS:
            raise _fault("generationConfig.thinkingConfig.thinkingLevel", "must be MINIMAL, LOW, MEDIUM or HIGH")
        reasoning["effort"] = _LEVELS[level.upper()]
    elif budget == 0:
        return {"reasoning": {"enabled": False}}
    elif budget is not None and budget != _DYNAMIC:
        reasoning["max_tokens"] = budget
    else:
        reasoning["enabled"] = True
    if not config.get("includeThoughts"):
        reasoning["exclude"] = True
    return {"reasoning": reasoning}


def _object(value: object, path: str) -> Json:
    if type(value) is not dict:
        raise _fault(path, "must be an object")
    return value


def _list(value: object, path: str) -> list[Any]:
    if type(value) is not list:
        raise _fault(path, "must be an array")
    return value


def _fault(path: str, description: str) -> GatewayError:
    message = f"The request cannot be served as it is: {path or 'the body'}: {description}."
    faults = [FieldFault(field=path, description=description)]
    return GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, message, faults=faults)
