# SPDX-License-Identifier: Apache-2.0
"""Requests as the body of POST /v1/messages.

The version sent is 2023-06-01: the next one, 2026-10-21, refuses temperature, top_p and top_k for every model and changes nothing else that is of use here
(platform.claude.com/docs/en/api/versioning, November 2026). A beta is named only where a field of the caller's needs one.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, Final

import orjson

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.dialects import anthropic_names
from trunkline_server.dialects.account import Kind
from trunkline_server.dialects.anthropic.account import ACCOUNT
from trunkline_server.dialects.anthropic.conversation import render_conversation
from trunkline_server.dialects.anthropic.families import Family, family_of
from trunkline_server.dialects.anthropic.form import render_form
from trunkline_server.dialects.anthropic.parts import Block
from trunkline_server.dialects.anthropic.report import Report
from trunkline_server.dialects.anthropic.thinking import (
    Limits,
    goes_on_unthought,
    read_limit,
    render_sampling,
    render_thinking,
    think_first,
)
from trunkline_server.dialects.anthropic.tools import render_choice, render_tools
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.dialects.caching import CONTROL, MOST_ANTHROPIC, breakpoints, keep_last
from trunkline_server.jsonshape import Codec

PATH: Final = "/messages"
VERSION: Final = "2023-06-01"

_STREAM_HEADERS: Final = MappingProxyType(
    {"content-type": "application/json", "accept": "text/event-stream", "anthropic-version": VERSION}
)
_WHOLE_HEADERS: Final = MappingProxyType(
    {"content-type": "application/json", "accept": "application/json", "anthropic-version": VERSION}
)
_READ: Final = frozenset({"fallbacks", "output_config", "output_format"})
_OWN_FIELDS: Final = tuple(name for name in anthropic_names.FIELDS if name not in _READ)
"""Fields of Anthropic's that the contract has no words for, and that are sent as they are."""
_BETAS: Final = (
    ("mcp_servers", "", "mcp-client-2025-11-20"),
    ("context_management", "", "context-management-2025-06-27"),
    ("context_management", "compact_20260112", "compact-2026-01-12"),
    ("speed", "", "fast-mode-2026-02-01"),
    ("output_config", "task_budget", "task-budgets-2026-03-13"),
)
"""Fields that are refused without a beta, with the word in them that makes it so (anthropic_beta_param.py there, and the page of each feature)."""
_LONG: Final = "1h"
_MERGED: Final = "output_config"
_TIERS: Final = MappingProxyType({"auto": "auto", "default": "standard_only", "priority": "auto", "fast": "auto"})
_TIERS_WITH_A_PRICE: Final = frozenset({"priority", "fast", "flex"})


def render_request(
    codec: Codec, request: ChatCompletionRequest, endpoint: Endpoint, *, stream: bool
) -> RenderedRequest:
    """Writes the request for an endpoint. Raises GatewayError for content that Anthropic has no block for."""
    body = thaw(codec.encode(request, answer=False))
    report = Report()
    out = render_body(body, endpoint, report)
    if stream:
        out["stream"] = True
    headers = _STREAM_HEADERS if stream else _WHOLE_HEADERS
    betas = [beta for name, word, beta in _BETAS if name in out and word in str(out[name])]
    if betas:
        headers = MappingProxyType({**headers, "anthropic-beta": ",".join(betas)})
    # Copied: what orjson 3.13 gives keeps up to eight times its own memory, and this lives until the answer begins.
    text = bytes(memoryview(orjson.dumps(out)))
    return RenderedRequest(path=PATH, headers=headers, body=text, dropped=report.dropped, changed=report.changed)


def thaw(value: Any) -> Any:
    """A value of the codec's with its raw JSON read: schemas, unknown keys, unknown tools. Lists and dicts are changed in place."""
    if type(value) is dict:
        for key, item in value.items():
            value[key] = thaw(item)
    elif type(value) is list:
        value[:] = [thaw(item) for item in value]
    elif type(value) is orjson.Fragment:
        return orjson.loads(orjson.dumps(value))
    return value


def render_body(body: dict[str, Any], endpoint: Endpoint, report: Report) -> dict[str, Any]:
    """The body without `stream`, from a request in the form of openai_chat, which is used up."""
    family = family_of(endpoint.upstream_model)
    supported = endpoint.supported_parameters
    for name in endpoint.provider.refuses & body.keys():
        del body[name]
        report.drop(name)
    breakpoints(body)
    system, turns = render_conversation(body["messages"], report)
    limit, is_given = read_limit(body, endpoint)
    out: dict[str, Any] = {"model": endpoint.upstream_model, "max_tokens": limit, "messages": turns}
    if system:
        out["system"] = system
    tools = render_tools(body, family, report)
    choice = render_choice(body, tools, family, report)
    if tools:
        out["tools"] = tools
    if choice is not None:
        out["tool_choice"] = choice
    forces_tool = choice is not None and choice["type"] in ("any", "tool")
    if family.thinks_first:
        think_first(turns)
    unthought = family.thinks_first and goes_on_unthought(turns)
    limits = Limits(max_tokens=limit, is_given=is_given, forces_tool=forces_tool, goes_on_unthought=unthought)
    out.update(render_thinking(body, family, limits, report))
    out.update(render_sampling(body, family, out.get("thinking"), supported, report))
    _render_form(body, out, family, supported, report)
    _render_rest(body, out, endpoint, report)
    _bound_marks(out, report)
    _report_rest(body, report)
    return out


def _render_form(
    body: dict[str, Any], out: dict[str, Any], family: Family, supported: frozenset[str], report: Report
) -> None:
    thinks = out.get("thinking", {}).get("type") in ("enabled", "adaptive")
    render_form(
        body.get("response_format"),
        out,
        report,
        is_native=family.native_schemas and (not supported or "structured_outputs" in supported),
        can_force=family.forces_tools and not thinks and "tools" not in out,
    )


def _render_rest(body: dict[str, Any], out: dict[str, Any], endpoint: Endpoint, report: Report) -> None:
    if body.get("stop"):
        stop = body["stop"]
        # A text of white space alone is refused.
        asked = [stop] if type(stop) is str else stop
        kept = [text for text in asked if text.strip()]
        if kept:
            out["stop_sequences"] = kept
        else:
            report.drop("stop")
        if kept and len(kept) < len(asked):
            report.change("stop", "white space alone left out")
    user = body.get("user") or body.get("safety_identifier")
    if user:
        out["metadata"] = {"user_id": user}
        if body.get("user") and body.get("safety_identifier"):
            report.drop("safety_identifier")
    _set_tier(body, out, endpoint, report)
    for name in _OWN_FIELDS:
        if body.get(name) is not None:
            out[name] = body[name]
    extra = body.get(_MERGED)
    if type(extra) is dict:
        out[_MERGED] = {**extra, **out.get(_MERGED, {})}


def _set_tier(body: dict[str, Any], out: dict[str, Any], endpoint: Endpoint, report: Report) -> None:
    """Asks for the tier that the endpoint is priced at, so that the provider serves what is charged."""
    asked, sold = body.get("service_tier"), endpoint.service_tier
    if sold is not None:
        out["service_tier"] = _TIERS.get(sold, "auto")
        if asked is not None and _TIERS.get(asked) != out["service_tier"]:
            report.drop("service_tier")
    elif endpoint.beside_tiers and asked in _TIERS_WITH_A_PRICE:
        out["service_tier"] = "standard_only"
        report.drop("service_tier")
    elif asked is not None:
        tier = _TIERS.get(asked)
        if tier is None:
            report.drop("service_tier")
            return
        out["service_tier"] = tier
        if asked not in ("auto", "default"):
            report.change("service_tier", "sent as auto: priority capacity where the account has it")


def _bound_marks(out: dict[str, Any], report: Report) -> None:
    """Keeps the last four cache marks, in the order in which Anthropic builds the prompt; none is kept longer than one before it, which is refused."""
    lost = keep_last(list(_marked(out)))
    if lost:
        report.change(CONTROL, f"only the last {MOST_ANTHROPIC} breakpoints sent, {lost} left out")
    is_long = False
    for block in reversed(list(_marked(out))):
        mark = block[CONTROL]
        if type(mark) is not dict:
            continue  # what a caller wrote into a tool of Anthropic's own
        if mark.get("ttl") == _LONG:
            is_long = True
        elif is_long:
            # The longer prefix has the shorter in it, so this one is kept as long.
            block[CONTROL] = {**mark, "ttl": _LONG}
            report.change(f"{CONTROL}.ttl", "1h where a later breakpoint has it")


def _marked(out: dict[str, Any]) -> Iterator[Block]:
    lists = [out.get("tools", ()), out.get("system", ()), *(turn["content"] for turn in out["messages"])]
    for blocks in lists:
        for block in blocks:
            content = block.get("content")
            if block.get("type") == "tool_result" and type(content) is list:
                yield from (inner for inner in content if type(inner) is dict and CONTROL in inner)
            if CONTROL in block:
                yield block


def _report_rest(body: dict[str, Any], report: Report) -> None:
    """Reports every field that was set and is in nobody's account as sent."""
    for name in body:
        if name in _OWN_FIELDS or name == _MERGED:
            continue
        entry = ACCOUNT.get(name)
        if entry is None or entry.kind is Kind.DROPPED:
            report.drop(name)
