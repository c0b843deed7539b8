# SPDX-License-Identifier: Apache-2.0
"""Requests as the body of models.generateContent and models.streamGenerateContent."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import orjson

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.dialects.account import Kind
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.dialects.gemini.account import ACCOUNT
from trunkline_server.dialects.gemini.contents import render_conversation
from trunkline_server.dialects.gemini.families import family_of
from trunkline_server.dialects.gemini.generation import render_generation
from trunkline_server.dialects.gemini.report import Report
from trunkline_server.dialects.gemini.tools import SHOWN_TOOLS, render_tools
from trunkline_server.jsonshape import Codec

PASSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cachedContent": "cachedContent",
        "cached_content": "cachedContent",
        "safetySettings": "safetySettings",
        "safety_settings": "safetySettings",
        "labels": "labels",
    }
)
"""Unknown keys of the caller's that Google's own request has, in either spelling, and its name there."""
GENERATION: Final = "generationConfig"
TOOLS: Final = "toolConfig"
"""The unknown keys whose members join what is sent under them, for what the contract has no field for. The contract's fields win."""

_TIERS: Final[Mapping[str, str]] = MappingProxyType(
    {"priority": "priority", "fast": "priority", "flex": "flex", "default": "standard"}
)
_FOLDERS: Final = ("models", "tunedModels")
_NO_TIER: Final = "auto"
_STREAM_HEADERS: Final = {"content-type": "application/json", "accept": "text/event-stream"}
_WHOLE_HEADERS: Final = {"content-type": "application/json", "accept": "application/json"}
_HANDLED: Final = frozenset({"messages", "model", "stream", "stream_options", "service_tier"})


def render_request(
    codec: Codec, request: ChatCompletionRequest, endpoint: Endpoint, *, stream: bool
) -> RenderedRequest:
    """Writes the request for an endpoint. Raises GatewayError (INVALID_REQUEST) for content that Google cannot read."""
    body = codec.encode(request, answer=False)
    family, report = family_of(endpoint.upstream_model), Report()
    for name in endpoint.provider.refuses:
        if body.pop(name, None) is not None:
            report.drop(name)
    tools, tool_config = render_tools(body, family, report)
    if SHOWN_TOOLS in endpoint.provider.refuses:
        tool_config.pop(SHOWN_TOOLS, None)
    has_functions = bool(tools) and "functionDeclarations" in tools[0]
    limit = endpoint.max_completion_tokens
    config, order = render_generation(body, family, report, has_functions=has_functions, limit=limit)
    system, contents = render_conversation(body["messages"], family, report)
    if order:
        system = system or {"parts": []}
        system["parts"].append({"text": order})
    made: dict[str, Any] = {"contents": contents}
    if system is not None:
        made["systemInstruction"] = system
    if tools:
        made["tools"] = tools
    tier = _render_tier(body.get("service_tier"), endpoint, report)
    if tier:
        made["serviceTier"] = tier
    _pass_on(body, made, {GENERATION: config, TOOLS: tool_config}, report)
    headers = _STREAM_HEADERS if stream else _WHOLE_HEADERS
    # Copied: what orjson 3.13 gives keeps up to eight times its own memory, and this lives until the answer begins.
    text = bytes(memoryview(orjson.dumps(made)))
    path = path_of(endpoint.upstream_model, stream=stream)
    return RenderedRequest(path=path, headers=headers, body=text, dropped=report.dropped, changed=report.changed)


def path_of(model: str, *, stream: bool) -> str:
    """The path of a model's method, below the API's version or a Vertex AI publisher."""
    folder, stroke, name = model.rpartition("/")
    if folder not in _FOLDERS or not stroke:
        folder, name = _FOLDERS[0], model
    name = quote(name, safe="@-_.~")
    return f"/{folder}/{name}:streamGenerateContent?alt=sse" if stream else f"/{folder}/{name}:generateContent"


def _render_tier(asked: str | None, endpoint: Endpoint, report: Report) -> str | None:
    """The tier that the endpoint is priced at, so that the provider serves what is charged; None where none need be named."""
    sold = endpoint.service_tier
    tier = None if asked is None else _TIERS.get(asked)
    if sold is not None:
        if asked is not None and tier != sold:
            report.drop("service_tier")
        return sold
    if tier is None or (endpoint.beside_tiers and tier != "standard"):
        if asked not in (None, _NO_TIER):
            report.drop("service_tier")
        return None
    return tier


def _pass_on(body: dict[str, Any], made: dict[str, Any], configs: Mapping[str, dict[str, Any]], report: Report) -> None:
    """Joins what the caller wrote in Google's own words, and notes what is left over."""
    for name, config in configs.items():
        own = body.pop(name, None)
        given = {} if own is None else orjson.loads(orjson.dumps(own))
        if type(given) is not dict:
            report.drop(name)
            given = {}
        if joined := {**given, **config}:
            made[name] = joined
    for name, value in body.items():
        if name in PASSED:
            made[PASSED[name]] = value
        elif name not in _HANDLED:
            account = ACCOUNT.get(name)
            if account is None or account.kind is not Kind.GATEWAY:
                report.drop(name)
