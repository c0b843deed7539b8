# SPDX-License-Identifier: Apache-2.0
"""Requests as the body of POST /model/{id}/converse, and of converse-stream.

Converse has words for what all models of Bedrock know; what one maker's models know beyond goes into `additionalModelRequestFields`, in that maker's words: for
Claude those of Anthropic's API, for Nova and the others those of AWS's pages on each (docs.aws.amazon.com/nova/latest/nova2-userguide, November 2026). Which
maker it is, only the model's id tells. Shapes are those of botocore's model of bedrock-runtime (1.44).
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import orjson

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.dialects.account import Kind
from trunkline_server.dialects.anthropic.families import family_of
from trunkline_server.dialects.anthropic.report import Report
from trunkline_server.dialects.anthropic.request import thaw
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.dialects.bedrock_converse.account import ACCOUNT
from trunkline_server.dialects.bedrock_converse.conversation import is_thought, render_conversation
from trunkline_server.dialects.bedrock_converse.models import OTHERS, Bounds, maker_of, render_more
from trunkline_server.dialects.bedrock_converse.parts import Block
from trunkline_server.dialects.bedrock_converse.tools import name_past_tools, render_form, render_tools
from trunkline_server.dialects.caching import MOST_ANTHROPIC, breakpoints, keep_last
from trunkline_server.jsonshape import Codec

_STREAM_HEADERS: Final = MappingProxyType(
    {"content-type": "application/json", "accept": "application/vnd.amazon.eventstream"}
)
_WHOLE_HEADERS: Final = MappingProxyType({"content-type": "application/json", "accept": "application/json"})
_OWN_FIELDS: Final = (
    *("guardrailConfig", "performanceConfig", "promptVariables", "requestMetadata"),
    *("additionalModelResponseFieldPaths",),
)
"""Fields of Converse's that the contract has no words for: a caller's are sent as they are."""
_MORE: Final = "additionalModelRequestFields"
_TIERS: Final = MappingProxyType({"priority": "priority", "fast": "priority", "flex": "flex", "default": "default"})
_NOTED_ELSEWHERE: Final = frozenset({"response_format", "parallel_tool_calls"})


def render_request(
    codec: Codec, request: ChatCompletionRequest, endpoint: Endpoint, *, stream: bool
) -> RenderedRequest:
    """Writes the request for an endpoint. Raises GatewayError for content that Bedrock has no block for."""
    body = thaw(codec.encode(request, answer=False))
    report = Report()
    out = render_body(body, endpoint, report)
    # An ARN holds strokes, which must not become part of the path.
    model = quote(endpoint.upstream_model, safe=":")
    path = f"/model/{model}/converse-stream" if stream else f"/model/{model}/converse"
    headers = _STREAM_HEADERS if stream else _WHOLE_HEADERS
    # Copied: what orjson 3.13 gives keeps up to eight times its own memory, and this lives until the answer begins.
    text = bytes(memoryview(orjson.dumps(out)))
    return RenderedRequest(path=path, headers=headers, body=text, dropped=report.dropped, changed=report.changed)


def render_body(body: dict[str, Any], endpoint: Endpoint, report: Report) -> dict[str, Any]:
    """The body, from a request in the form of openai_chat, which is used up."""
    maker, family = maker_of(endpoint.upstream_model), family_of(endpoint.upstream_model)
    supported = endpoint.supported_parameters
    lost = keep_last(breakpoints(body))
    if lost:
        report.change("cache_control", f"only the last {MOST_ANTHROPIC} breakpoints sent, {lost} left out")
    system, turns = render_conversation(body["messages"], report)
    out: dict[str, Any] = {"messages": turns}
    if system:
        out["system"] = system
    tools = render_tools(body, turns, family, report)
    if tools is not None:
        out["toolConfig"] = tools
    bounds = Bounds(forces_tool=_forces(tools), may_think=is_thought(turns))
    more = render_more(body, endpoint, maker, report, bounds)
    inference = _render_inference(body, more.sampling, more.max_tokens, report)
    if inference:
        out["inferenceConfig"] = inference
    given = body.get(_MORE)
    fields = {**(given if type(given) is dict else {}), **more.fields}
    if fields:
        out[_MORE] = fields
    thinks = more.thinks
    render_form(
        body.get("response_format"),
        out,
        report,
        is_native=(family.native_schemas and not supported) or "structured_outputs" in supported,
        can_force=family.forces_tools and maker is not OTHERS and not thinks and tools is None,
    )
    name_past_tools(out, report)
    _render_rest(body, out, endpoint, report)
    for name in _unaccounted(body):
        report.drop(name)
    return out


def _forces(tools: Block | None) -> bool:
    choice = (tools or {}).get("toolChoice") or {}
    return "any" in choice or "tool" in choice


def _render_inference(
    body: dict[str, Any], sampling: dict[str, Any], max_tokens: int | None, report: Report
) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if max_tokens is not None:
        config["maxTokens"] = max_tokens
    for name, word in (("temperature", "temperature"), ("top_p", "topP")):
        if name in sampling:
            config[word] = sampling[name]
    stop = body.get("stop")
    if stop:
        # A text of white space alone is refused.
        kept = [text for text in ([stop] if type(stop) is str else stop) if text.strip()]
        if not kept:
            report.drop("stop")
            return config
        config["stopSequences"] = kept
        if type(stop) is list and len(kept) < len(stop):
            report.change("stop", "texts of white space alone left out")
    return config


def _render_rest(body: dict[str, Any], out: dict[str, Any], endpoint: Endpoint, report: Report) -> None:
    if body.get("metadata"):
        out["requestMetadata"] = body["metadata"]
    for name in _OWN_FIELDS:
        if body.get(name) is not None:
            out[name] = body[name]
    asked, sold = body.get("service_tier"), endpoint.service_tier
    tier = _TIERS.get(sold or asked or "")
    if sold is None and endpoint.beside_tiers and tier in ("priority", "flex"):
        tier = "default"
    if tier is not None:
        out["serviceTier"] = {"type": tier}
    if asked not in (None, "auto") and (tier is None or _TIERS.get(asked) != tier):
        report.drop("service_tier")


def _unaccounted(body: dict[str, Any]) -> Iterator[str]:
    """Every field that was set and is in nobody's account as sent."""
    for name in body:
        if name in _OWN_FIELDS or name == _MORE:
            continue
        entry = ACCOUNT.get(name)
        if entry is None or (entry.kind is Kind.DROPPED and name not in _NOTED_ELSEWHERE):
            yield name
