# SPDX-License-Identifier: Apache-2.0
"""Reading the body of POST /chat/completions: what the simulator acts on, checked; everything else is left alone.

Keys that only the gateway understands (`provider`, `plugins`, `session_id`, ...) and knobs without meaning here (`temperature`, `top_p`, ...) are not
looked at. null and an absent key are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

import orjson

from trunkline_server.upstream.simulator.body import (
    Json,
    check_schema_size,
    flag_at,
    integer_at,
    json_path,
    json_size,
    list_at,
    object_at,
    read_object,
    required_text,
    text_at,
    wrong,
)
from trunkline_server.upstream.simulator.conversation import Message, count_prompt, read_messages
from trunkline_server.upstream.simulator.limits import MAX_STOP, SLICE, Work, too_many
from trunkline_server.upstream.simulator.refused import RefusedError
from trunkline_server.upstream.simulator.toolbox import ToolBox, read_toolbox

MAX_CHOICES: Final = 128
MAX_STOPS: Final = 4
MAX_ALTERNATIVES: Final = 20
"""The largest `top_logprobs`."""

_HASHED: Final = SLICE << 10
"""The bytes hashed in one go: a KiB takes about as long as a token."""
_MOST_TOKENS: Final = 2**31 - 1
_SHOWN: Final = 200
_FORMATS: Final = ("text", "json_object", "json_schema", "python")
_SHAPING: Final = ("messages", "tools", "tool_choice", "response_format", "modalities", "seed")
"""Keys that the made-up parts of an answer follow from. Not among them is what only bounds or wraps an answer, so that a stream equals the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFormat:
    """`response_format`: `kind` is one of text, json_object, json_schema, python; `schema` stands at `path` of the request (None: anything fits)."""

    kind: str = "text"
    schema: Json = None
    path: str = ""
    strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """`reasoning` and its shorthands. `effort` None is the usual one; `budget` bounds the reasoning's tokens (None: nothing does)."""

    enabled: bool = True
    shown: bool = True
    effort: str | None = None
    budget: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorRequest:
    """One request, checked.

    `model` is the name as asked, `family` the simulator's model without prefix and query, `query` what follows its `?` (None: no `?`). `budget` bounds the
    tokens of each choice (None: nothing does). `modalities` None means not given. `digest` identifies the conversation and the seed.
    """

    model: str
    family: str
    query: str | None
    messages: Sequence[Message]
    stream: bool
    choices: int
    budget: int | None
    stops: Sequence[str]
    logprobs: bool
    alternatives: int
    toolbox: ToolBox
    answer_format: AnswerFormat
    thinking: Thinking
    modalities: Sequence[str] | None
    service_tier: str | None
    prompt_tokens: int
    digest: bytes
    user_text: str = field(repr=False)


def read_request(body: bytes, families: Sequence[str]) -> Work[SimulatorRequest]:
    """Parse and check a body. Raises RefusedError, with status 404 where the model is none of `families`."""
    try:
        source = read_object(orjson.loads(body), "")
    except orjson.JSONDecodeError as error:
        raise RefusedError(f"The body is not JSON: {error}.") from None
    yield len(body) >> 12
    model = required_text(source, "model", "")
    family, query = _read_model(model, families)
    messages = yield from read_messages(source)
    toolbox, answer_format = read_toolbox(source), _read_format(source)
    prompt_tokens = yield from count_prompt(messages, source)
    digest = yield from _digest(family, source)
    return SimulatorRequest(
        model=model,
        family=family,
        query=query,
        messages=messages,
        stream=bool(flag_at(source, "stream", "")),
        choices=integer_at(source, "n", "", 1, MAX_CHOICES) or 1,
        budget=_read_budget(source),
        stops=_read_stops(source),
        logprobs=bool(flag_at(source, "logprobs", "")),
        alternatives=integer_at(source, "top_logprobs", "", 0, MAX_ALTERNATIVES) or 0,
        toolbox=toolbox,
        answer_format=answer_format,
        thinking=_read_thinking(source),
        modalities=_read_modalities(source),
        service_tier=text_at(source, "service_tier", ""),
        prompt_tokens=prompt_tokens,
        digest=digest,
        user_text=next((message.text for message in reversed(messages) if message.role == "user"), ""),
    )


def _read_model(model: str, families: Sequence[str]) -> tuple[str, str | None]:
    name, mark, query = model.partition("?")
    family = name.removeprefix("sim/")
    if family not in families or (mark and family != "fault"):
        known = ", ".join(f"sim/{name}" for name in families)
        raise RefusedError(
            f"The model {model[:_SHOWN]!r} does not exist. There are {known}.",
            status=404,
            param="model",
            code="model_not_found",
        )
    return family, query if mark else None


def _read_budget(source: Mapping[str, Json]) -> int | None:
    newer = integer_at(source, "max_completion_tokens", "", 1, _MOST_TOKENS)
    older = integer_at(source, "max_tokens", "", 1, _MOST_TOKENS)
    return older if newer is None else newer


def _read_stops(source: Mapping[str, Json]) -> Sequence[str]:
    stops = source.get("stop")
    if isinstance(stops, str):
        stops = [stops]
    if stops is None:
        return ()
    if not isinstance(stops, list) or len(stops) > MAX_STOPS or not all(isinstance(stop, str) for stop in stops):
        raise wrong("stop", f"a string or an array of at most {MAX_STOPS} strings", stops)
    if any(len(stop) > MAX_STOP for stop in stops):
        raise too_many("stop", MAX_STOP, "characters in one stop sequence")
    return tuple(stop for stop in stops if stop)


def _read_format(source: Mapping[str, Json]) -> AnswerFormat:
    stated = object_at(source, "response_format", "")
    if stated is None:
        return AnswerFormat()
    json_size(stated, "response_format")
    kind = required_text(stated, "type", "response_format")
    if kind not in _FORMATS:
        raise wrong("response_format.type", f"one of {', '.join(_FORMATS)}", kind)
    if kind != "json_schema":
        return AnswerFormat(kind=kind)
    path = "response_format.json_schema"
    wrapped = object_at(stated, "json_schema", "response_format")
    if wrapped is None:
        raise RefusedError(f"{path}: an object with the schema is missing.", param=path)
    schema, strict = wrapped.get("schema"), flag_at(wrapped, "strict", path)
    check_schema_size(schema, json_path(path, "schema"))
    return AnswerFormat(
        kind=kind, schema=True if schema is None else schema, path=json_path(path, "schema"), strict=bool(strict)
    )


def _read_thinking(source: Mapping[str, Json]) -> Thinking:
    stated = object_at(source, "reasoning", "") or {}
    effort = text_at(stated, "effort", "reasoning") or text_at(source, "reasoning_effort", "")
    enabled = flag_at(stated, "enabled", "reasoning")
    hidden = flag_at(stated, "exclude", "reasoning") or flag_at(source, "include_reasoning", "") is False
    return Thinking(
        enabled=enabled is not False and effort != "none",
        shown=not hidden,
        effort=effort,
        budget=integer_at(stated, "max_tokens", "reasoning", 0, _MOST_TOKENS),
    )


def _read_modalities(source: Mapping[str, Json]) -> Sequence[str] | None:
    stated = list_at(source, "modalities", "")
    if stated is not None and not all(isinstance(name, str) for name in stated):
        raise wrong("modalities", "an array of strings", stated)
    return tuple(stated) if stated else None


def _digest(family: str, source: Mapping[str, Json]) -> Work[bytes]:
    shaping = [family, *(source.get(key) for key in _SHAPING)]
    try:
        text = orjson.dumps(shaping, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # orjson reads more levels than it writes
        raise RefusedError("The body is nested too deep.") from None
    yield len(text) >> 12
    found = blake2b(digest_size=32)
    for start in range(0, len(text), _HASHED):
        if start:
            yield SLICE
        found.update(text[start : start + _HASHED])
    return found.digest()
