# SPDX-License-Identifier: Apache-2.0
"""Requests as messages of `xai_api.Chat/GetCompletionChunk`, stateless: nothing is stored at xAI, and the whole conversation travels.

Reasoning comes back encrypted (`use_encrypted_content`) where the request or the endpoint's row speaks of it, so that the next turn can go on with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import orjson
from google.protobuf.json_format import MessageToJson, ParseDict, ParseError

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.catalog.tiers import STANDARD, TIERS
from trunkline_server.dialects.account import Kind
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.dialects.gemini.report import Report
from trunkline_server.dialects.raw import opened
from trunkline_server.dialects.reasoning import (
    DEFAULT_EFFORT,
    OFF,
    Reasoning,
    effort_for_budget,
    wanted,
)
from trunkline_server.dialects.xai.account import ACCOUNT, MOST_TOP_LOGPROBS
from trunkline_server.dialects.xai.messages import render_message
from trunkline_server.dialects.xai.stubs import chat_stubs
from trunkline_server.dialects.xai.tools import write_tools
from trunkline_server.jsonshape import Codec

if TYPE_CHECKING:
    from xai_sdk.proto.v6.chat_pb2 import GetCompletionsRequest

PATH: Final = "/xai_api.Chat/GetCompletionChunk"
OWN_FIELDS: Final = ("search_parameters", "max_turns", "include", "agent_count", "guidelines")
"""Fields of xAI's request that the contract does not know, and that callers may send in protobuf's JSON."""
CONVERSATION: Final = "x-grok-conv-id"
"""The metadata by which requests of one conversation go to the server that has its prefix (docs.x.ai, "Maximizing Cache Hits", November 2026)."""

_SENT: Final = (
    "user",
    "temperature",
    "top_p",
    "logprobs",
    "stop",
    "frequency_penalty",
    "presence_penalty",
    "parallel_tool_calls",
    "safety_identifier",
)
_HANDLED: Final = frozenset({"messages", "model", "stream", "stream_options"})
_REASONING_KEYS: Final = frozenset({"reasoning", "reasoning_effort"})
_ASSUMED_ANSWER: Final = 16_000
"""The limit of an answer, in tokens, that a budget of reasoning is a share of where nobody names one."""
_EFFORTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        OFF: "EFFORT_NONE",
        "minimal": "EFFORT_LOW",
        "low": "EFFORT_LOW",
        "medium": "EFFORT_MEDIUM",
        "high": "EFFORT_HIGH",
        "xhigh": "EFFORT_XHIGH",
        "max": "EFFORT_XHIGH",
    }
)
_TIER_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {STANDARD: "SERVICE_TIER_DEFAULT", "priority": "SERVICE_TIER_PRIORITY"}
)
_AUTO: Final = "auto"
_FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "text": "FORMAT_TYPE_TEXT",
        "json_object": "FORMAT_TYPE_JSON_OBJECT",
        "json_schema": "FORMAT_TYPE_JSON_SCHEMA",
    }
)
_SCHEMA_KEYS: Final = frozenset({"name", "schema", "strict"})
_SEED_BITS: Final = 0x7FFF_FFFF
_LONGEST_ID: Final = 128


def render_request(codec: Codec, request: ChatCompletionRequest, endpoint: Endpoint) -> RenderedRequest:
    """Writes the request for an endpoint.

    Raises GatewayError: FEATURE_UNAVAILABLE where xAI's package is not installed, INVALID_REQUEST for content that xAI cannot read.
    """
    writer = _RequestWriter(codec.encode(request, answer=False), endpoint)
    writer.write()
    made, report = writer.made, writer.report
    wants_echo = request.debug.echo_upstream_body
    echo = MessageToJson(made, preserving_proto_field_name=True, indent=None).encode() if wants_echo else None
    return RenderedRequest(
        path=PATH,
        headers=writer.headers,
        body=made.SerializeToString(),
        dropped=report.dropped,
        changed=report.changed,
        echo=echo,
    )


class _RequestWriter:
    """Writes one request: `body` is the request in openai_chat's JSON, which is used up, `made` xAI's message."""

    def __init__(self, body: dict[str, Any], endpoint: Endpoint) -> None:
        self.made: GetCompletionsRequest = chat_stubs().GetCompletionsRequest(model=endpoint.upstream_model)
        self.report = Report()
        self.headers: dict[str, str] = {}
        self._body = body
        self._endpoint = endpoint

    def write(self) -> None:
        """Writes all of it, and reports what is left."""
        body, made, provider = self._body, self.made, self._endpoint.provider
        for name in provider.refuses:
            if body.pop(name, None) is not None:
                self.report.drop(name)
        for message in body["messages"]:
            made.messages.extend(
                render_message(message, self.report, takes_developer_role=provider.takes_developer_role)
            )
        write_tools(body, made, self.report)
        self._write_plain()
        self._write_form()
        self._write_reasoning()
        self._write_tier()
        self._write_own()
        self._write_answers()
        self._report_rest()

    def _write_plain(self) -> None:
        body, made = self._body, self.made
        for name in _SENT:
            if name not in body:
                continue
            value = body.pop(name)
            if isinstance(value, list):
                made.stop.extend(value)
            else:
                setattr(made, name, value)
        limits = [body.pop(name, None) for name in ("max_completion_tokens", "max_tokens")]
        limit = next((value for value in limits if value is not None), None)
        if limit is not None:
            made.max_tokens = limit
        top = body.pop("top_logprobs", None)
        if top is not None:
            made.top_logprobs = min(top, MOST_TOP_LOGPROBS)
            if top > MOST_TOP_LOGPROBS:
                self.report.change("top_logprobs", f"clamped to {MOST_TOP_LOGPROBS}")
        seed = body.pop("seed", None)
        if seed is not None:
            made.seed = seed & _SEED_BITS
            if made.seed != seed:
                self.report.change("seed", f"sent as {made.seed}")
        key = body.pop("prompt_cache_key", None)
        if key:
            # Metadata holds printable ASCII alone.
            self.headers[CONVERSATION] = quote(key, safe="")[:_LONGEST_ID]

    def _write_form(self) -> None:
        """Writes the form of the answer."""
        form = opened(self._body.pop("response_format", None))
        if form is None:
            return
        kind = form["type"]
        if kind not in _FORMATS:
            self.report.drop("response_format")
            return
        stubs, made = chat_stubs(), self.made.response_format
        made.format_type = stubs.FormatType.Value(_FORMATS[kind])
        if kind == "json_schema":
            schema = form["json_schema"]
            self.report.drop_others("response_format.json_schema", schema, _SCHEMA_KEYS)
            made.schema = orjson.dumps(schema.get("schema", {})).decode()

    def _write_reasoning(self) -> None:
        """Says how hard to reason, and asks for the reasoning in the form in which it can come back."""
        body, supported = self._body, self._endpoint.supported_parameters
        asked = wanted(body)
        named = [name for name in ("reasoning", "reasoning_effort") if body.pop(name, None) is not None]
        replayed = any(message.encrypted_content for message in self.made.messages)
        is_off = asked is not None and asked.is_off
        may_reason = not supported or not _REASONING_KEYS.isdisjoint(supported)
        if asked is not None and asked.summary is not None:
            self.report.drop("reasoning.summary")
        if not may_reason and not is_off:
            for name in named:
                self.report.drop(name)
        elif may_reason and asked is not None:
            self._write_effort(asked)
        if replayed or (may_reason and not is_off and (bool(supported) or asked is not None)):
            self.made.use_encrypted_content = True

    def _write_effort(self, asked: Reasoning) -> None:
        effort, path = asked.effort, "reasoning.effort"
        if asked.is_off:
            effort = OFF
        elif effort is None and asked.max_tokens:
            limit = self.made.max_tokens or self._endpoint.max_completion_tokens or _ASSUMED_ANSWER
            effort, path = effort_for_budget(asked.max_tokens, limit), "reasoning.max_tokens"
        elif effort is None and asked.enabled:
            effort = DEFAULT_EFFORT
        if effort is None:
            return
        word = _EFFORTS.get(effort, _EFFORTS[DEFAULT_EFFORT])
        said = word.removeprefix("EFFORT_").lower()
        if said != effort or path == "reasoning.max_tokens":
            self.report.change(path, f'sent as the effort "{said}"')
        self.made.reasoning_effort = chat_stubs().ReasoningEffort.Value(word)

    def _write_tier(self) -> None:
        """Asks for the tier that the endpoint is priced at, so that the provider serves what is charged."""
        asked, sold = self._body.pop("service_tier", None), self._endpoint.service_tier
        tier = TIERS.get(asked, asked) if asked is not None else None
        if sold is not None:
            is_other, tier = tier not in {None, sold}, sold
        else:
            is_other = tier not in {None, _AUTO, *_TIER_NAMES} or (self._endpoint.beside_tiers and tier == "priority")
            tier = None if is_other else tier
        if is_other:
            self.report.drop("service_tier")
        if tier is not None and tier in _TIER_NAMES:
            ParseDict({"service_tier": _TIER_NAMES[tier]}, self.made)

    def _write_own(self) -> None:
        """Writes what the caller said in xAI's own words; what does not read so is reported."""
        for name in OWN_FIELDS:
            if name not in self._body:
                continue
            said = type(self.made)()
            try:
                ParseDict({name: opened(self._body.pop(name))}, said)
            except ParseError:
                self.report.drop(name)
                continue
            self.made.MergeFrom(said)

    def _write_answers(self) -> None:
        """Says how many answers are wanted. Beside tools of xAI's own, which files bring along, several outputs are the steps of one answer."""
        count = self._body.pop("n", None)
        if count is None:
            return
        has_steps = any(tool.WhichOneof("tool") != "function" for tool in self.made.tools) or any(
            part.HasField("file") for message in self.made.messages for part in message.content
        )
        if has_steps or self.made.HasField("search_parameters"):
            if count > 1:
                self.report.drop("n")
        else:
            self.made.n = count

    def _report_rest(self) -> None:
        for name in self._body:
            account = ACCOUNT.get(name)
            if name not in _HANDLED and (account is None or account.kind is not Kind.GATEWAY):
                self.report.drop(name)
