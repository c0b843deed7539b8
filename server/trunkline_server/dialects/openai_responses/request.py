# SPDX-License-Identifier: Apache-2.0
"""Requests as the body of POST /responses, stateless: `store` is always false, and the whole conversation travels.

Reasoning comes back encrypted (`include`) so that the next turn can go on with it; a model that does not reason answers 400 to that, so it is asked for only
where the request or the endpoint's row speaks of reasoning. Keys that the caller meant for this language alone, see `names.py`, are sent as they came.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.catalog.tiers import TIERS
from trunkline_server.dialects import anthropic_names
from trunkline_server.dialects.account import Kind
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.dialects.caching import BREAKPOINT, CONTROL, translate_to_openai
from trunkline_server.dialects.openai_responses.account import ACCOUNT, EXTENSIONS, LEAST_TOKENS
from trunkline_server.dialects.openai_responses.items import InputWriter
from trunkline_server.dialects.openai_responses.names import OWN_KEY
from trunkline_server.dialects.openai_responses.tools import (
    render_choice,
    render_function,
    render_search,
    render_tools,
)
from trunkline_server.dialects.raw import opened
from trunkline_server.dialects.reasoning import OFF, Reasoning, effort_for_budget, wanted
from trunkline_server.jsonshape import REFUSED_KEYS, Codec

PATH: Final = "/responses"
ENCRYPTED: Final = "reasoning.encrypted_content"
LOGPROBS: Final = "message.output_text.logprobs"
"""The words of `include` that mean something in the contract."""
MIDDLE_OUT: Final = "middle-out"

_SENT: Final = (
    "user",
    "metadata",
    "temperature",
    "top_p",
    "top_logprobs",
    "parallel_tool_calls",
    "max_tool_calls",
    "prompt_cache_key",
    "prompt_cache_options",
    "service_tier",
    "safety_identifier",
)
_DROPPED: Final = tuple(path for path, entry in ACCOUNT.items() if entry.kind is Kind.DROPPED and "." not in path)
_NEVER_SENT: Final = frozenset({"background", "conversation", "previous_response_id", "prompt"}) | REFUSED_KEYS
"""Keys that would make the provider keep or fetch something, and those that nobody may send."""
_REASONING_KEYS: Final = frozenset({"reasoning", "reasoning_effort", "include_reasoning"})
_REASONING_WORDS: Final = frozenset(
    {"effort", "max_tokens", "enabled", "exclude", "summary", *anthropic_names.REASONING_KEYS}
)
_ASSUMED_ANSWER: Final = 16_000
"""The limit of an answer, in tokens, that a budget of reasoning is a share of where nobody names one."""
_OBFUSCATION: Final = "include_obfuscation"
_STREAM_HEADERS: Final = {"content-type": "application/json", "accept": "text/event-stream"}
_WHOLE_HEADERS: Final = {"content-type": "application/json", "accept": "application/json"}


def render_request(
    codec: Codec, request: ChatCompletionRequest, endpoint: Endpoint, *, stream: bool
) -> RenderedRequest:
    """Writes the request for an endpoint. Raises GatewayError (INVALID_REQUEST) for content that the provider does not take."""
    writer = _RequestWriter(codec.encode(request, answer=False), endpoint)
    writer.write(stream=stream)
    # Copied: what orjson 3.13 gives keeps up to eight times its own memory, and this lives until the answer begins.
    text = bytes(memoryview(orjson.dumps(writer.made)))
    return RenderedRequest(
        path=PATH,
        headers=_STREAM_HEADERS if stream else _WHOLE_HEADERS,
        body=text,
        dropped=tuple(dict.fromkeys(writer.dropped)),
        changed=tuple(writer.changed),
    )


class _RequestWriter:
    """Writes one request: `body` is the request in openai_chat's JSON, which is used up, `made` the request in this language."""

    def __init__(self, body: dict[str, Any], endpoint: Endpoint) -> None:
        self.made: dict[str, Any] = {}
        self.dropped: list[str] = []
        self.changed: list[tuple[str, str]] = []
        self._body = body
        self._endpoint = endpoint
        self._extensions = endpoint.provider.takes_extensions
        self._include: list[str] = []

    def write(self, *, stream: bool) -> None:
        """Writes all of it, in the order of OpenAI's examples."""
        body, made = self._body, self.made
        own = opened(body.pop(OWN_KEY, None))
        for name in self._endpoint.provider.refuses:
            if body.pop(name, None) is not None:
                self.dropped.append(name)
        made["model"] = self._endpoint.upstream_model
        self._write_input()
        self._write_tier()
        made.update((name, body[name]) for name in _SENT if name in body)
        self._write_limit()
        self._write_tools()
        self._write_text()
        self._write_reasoning()
        if MIDDLE_OUT in body.get("transforms", ()):
            made["truncation"] = "auto"
        if body.get("logprobs"):
            self._include.append(LOGPROBS)
        self._write_rest(own)
        made["store"] = False
        made["stream"] = stream
        if stream and _OBFUSCATION in body.get("stream_options", {}):
            made["stream_options"] = {_OBFUSCATION: body["stream_options"][_OBFUSCATION]}

    def _write_input(self) -> None:
        body = self._body
        top_mark = body.pop(CONTROL, None) if self._extensions else None
        if self._extensions or self._endpoint.cache_marks == BREAKPOINT:
            _, lost = translate_to_openai(body)
            if lost:
                self.dropped.append(f"tools.{CONTROL}")
        elif body.pop(CONTROL, None) is not None:
            self.dropped.append(CONTROL)
        if top_mark is not None:
            body[CONTROL] = top_mark
        writer = InputWriter(takes_video=self._extensions)
        for message in body["messages"]:
            writer.write(message)
        self.made["input"] = writer.items
        self.dropped += writer.dropped

    def _write_tier(self) -> None:
        """Asks for the tier that the endpoint is priced at, so that the provider serves what is charged."""
        asked, sold = self._body.get("service_tier"), self._endpoint.service_tier
        if sold is not None:
            self._body["service_tier"] = sold
            if asked is not None and TIERS.get(asked) != sold:
                self.dropped.append("service_tier")
        elif self._endpoint.beside_tiers and asked in TIERS:
            del self._body["service_tier"]
            self.dropped.append("service_tier")
        elif asked == "fast":
            self._body["service_tier"] = TIERS[asked]

    def _write_limit(self) -> None:
        for name in ("max_completion_tokens", "max_tokens"):
            limit = self._body.get(name)
            if limit is not None:
                self.made["max_output_tokens"] = max(limit, LEAST_TOKENS)
                if limit < LEAST_TOKENS:
                    self.changed.append((name, f"raised to {LEAST_TOKENS}"))
                return

    def _write_tools(self) -> None:
        body = self._body
        tools, dropped = render_tools(body.get("tools", ()), extensions=self._extensions)
        self.dropped += dropped
        tools += map(render_function, body.get("functions", ()))
        if "web_search_options" in body:
            tools.append(render_search(body["web_search_options"]))
        if tools:
            self.made["tools"] = tools
        legacy = body.get("function_call")
        if "tool_choice" in body and not tools and body.get("tools"):
            self.dropped.append("tool_choice")  # OpenAI refuses a choice without tools
        elif "tool_choice" in body:
            self.made["tool_choice"] = render_choice(body["tool_choice"])
        elif legacy is not None:
            named = isinstance(legacy, dict)
            self.made["tool_choice"] = {"type": "function", "name": legacy["name"]} if named else legacy

    def _write_text(self) -> None:
        body = self._body
        text: dict[str, Any] = {}
        form = body.get("response_format")
        kind = form["type"] if form is not None else None
        if form is not None and kind == "json_schema":
            text["format"] = {"type": kind, **form["json_schema"]}
            text["format"].setdefault("schema", {})
        elif kind in {"json_object", "text"}:
            text["format"] = {"type": kind}
        elif kind is not None:
            self.dropped.append("response_format")
        if "verbosity" in body:
            text["verbosity"] = body["verbosity"]
        if text:
            self.made["text"] = text

    def _write_reasoning(self) -> None:
        """Says how to reason, and asks for the reasoning in the form in which it can come back."""
        body, supported = self._body, self._endpoint.supported_parameters
        asked = wanted(body)
        replayed = any(item.get("type") == "reasoning" for item in self.made["input"])
        may_reason = not supported or not _REASONING_KEYS.isdisjoint(supported)
        if not may_reason:
            if asked is not None and not asked.is_off:
                self.dropped += (name for name in ("reasoning", "reasoning_effort") if name in body)
        elif said := self._reasoning(asked):
            self.made["reasoning"] = said
        is_off = asked is not None and asked.is_off
        if replayed or (may_reason and not is_off and (bool(supported) or asked is not None)):
            self._include.append(ENCRYPTED)

    def _reasoning(self, asked: Reasoning | None) -> dict[str, Any]:
        body = self._body
        given = body.get("reasoning", {})
        said = {key: item for key, item in given.items() if key not in _REASONING_WORDS}
        self.dropped += (f"reasoning.{key}" for key in anthropic_names.REASONING_KEYS if key in given)
        if asked is None:
            return said
        if asked.is_off:
            return {**said, "effort": OFF}
        effort = asked.effort
        if self._extensions:
            said |= {key: given[key] for key in ("max_tokens", "enabled") if key in given}
        elif effort is None and asked.max_tokens:
            limit = self.made.get("max_output_tokens") or self._endpoint.max_completion_tokens or _ASSUMED_ANSWER
            effort = effort_for_budget(asked.max_tokens, limit)
        if asked.max_tokens and not self._extensions:
            self.changed.append(("reasoning.max_tokens", f'sent as the effort "{effort}"'))
        if effort is not None:
            said["effort"] = effort
        if asked.summary is not None:
            said["summary"] = asked.summary
        elif "reasoning" in body and not asked.exclude:
            said["summary"] = "auto"  # without it OpenAI reasons in silence
        return said

    def _write_rest(self, own: object) -> None:
        """Writes what only some providers take, and what the caller meant for this language alone. Reports what is left."""
        body, made = self._body, self.made
        sent = EXTENSIONS if self._extensions else ()
        made.update((name, body[name]) for name in sent if name in body)
        unknown = [name for name in body if name not in ACCOUNT]
        if self._extensions:
            made.update((name, body[name]) for name in unknown if name not in made)
        else:
            self.dropped += unknown
        self.dropped += (name for name in _DROPPED if name in body and name not in sent)
        if isinstance(own, dict):
            asked = own.pop("include", None)
            self._include += (word for word in asked if word not in self._include) if isinstance(asked, list) else ()
            for name, value in own.items():
                if name == "text" and isinstance(value, dict):
                    made[name] = {**value, **made.get(name, {})}
                elif name not in _NEVER_SENT:
                    made.setdefault(name, value)
        if self._include:
            made["include"] = self._include
