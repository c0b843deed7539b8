# SPDX-License-Identifier: Apache-2.0
"""Requests as the body of POST /chat/completions.

An upstream that takes all extensions gets every field. To any other, what the gateway does itself would at best mean nothing; OpenAI's own server answers
400 to a parameter or a message's key that it does not know, so what `account.py` says is dropped, or the gateway's, is taken out. Unknown keys of the
caller's travel along: same dialect, and the caller knows best. What only Anthropic knows does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.catalog.tiers import TIERS
from trunkline_server.dialects import anthropic_names
from trunkline_server.dialects.account import Kind
from trunkline_server.dialects.base import RESPONSES_KEY, RenderedRequest
from trunkline_server.dialects.caching import BREAKPOINT, CONTROL, breakpoints, keep_last, translate_to_openai
from trunkline_server.dialects.openai_chat.account import ACCOUNT, SAMPLING_EXTENSIONS
from trunkline_server.dialects.openai_chat.form import fit_form
from trunkline_server.dialects.openai_chat.messages import PlainMessages
from trunkline_server.dialects.openai_chat.tools import make_tools_plain
from trunkline_server.dialects.reasoning import DEFAULT_EFFORT, OFF, Reasoning, effort_for_budget, wanted
from trunkline_server.jsonshape import Codec

PATH: Final = "/chat/completions"

_DEVELOPER: Final = "developer"
_SYSTEM: Final = "system"
_STREAM_OPTIONS: Final = "stream_options"
_GATEWAY_FIELDS: Final = frozenset(
    path for path, entry in ACCOUNT.items() if entry.kind is Kind.GATEWAY and "." not in path
)
_DROPPED_FIELDS: Final = tuple(
    path for path, entry in ACCOUNT.items() if entry.kind is Kind.DROPPED and "." not in path
)
_UNSENT_FIELDS: Final = _GATEWAY_FIELDS.union(_DROPPED_FIELDS)
_REASONING_KEYS: Final = frozenset({"reasoning", "reasoning_effort"})
_ASSUMED_ANSWER: Final = 16_000
"""The limit of an answer, in tokens, that a budget of reasoning is a share of where nobody names one."""
_STREAM_HEADERS: Final = {"content-type": "application/json", "accept": "text/event-stream"}
_WHOLE_HEADERS: Final = {"content-type": "application/json", "accept": "application/json"}


def render_request(
    codec: Codec, request: ChatCompletionRequest, endpoint: Endpoint, *, stream: bool
) -> RenderedRequest:
    """Writes the request for an endpoint. Streams always report usage, whatever the caller's stream_options say of it."""
    body = codec.encode(request, answer=False)
    dropped: list[str] = []
    changed: list[tuple[str, str]] = []
    if not endpoint.provider.takes_extensions:
        _make_plain(body, endpoint, dropped, changed)
    if not _set_tier(body, endpoint):
        dropped.append("service_tier")
    body["model"] = endpoint.upstream_model
    if stream:
        body["stream"] = True
        if _STREAM_OPTIONS not in endpoint.provider.refuses:
            body[_STREAM_OPTIONS] = {**body.get(_STREAM_OPTIONS, {}), "include_usage": True}
    else:
        body.pop(_STREAM_OPTIONS, None)
        if "stream" in body:
            body["stream"] = False
    if not endpoint.provider.takes_developer_role:
        _rename_developer(body)
    if endpoint.provider.renames or endpoint.provider.refuses:
        dropped += _fit_to_provider(body, endpoint)
    headers = _STREAM_HEADERS if stream else _WHOLE_HEADERS
    # Copied: what orjson 3.13 gives keeps up to eight times its own memory, and this lives until the answer begins.
    text = bytes(memoryview(orjson.dumps(body)))
    return RenderedRequest(
        path=PATH, headers=headers, body=text, dropped=tuple(dict.fromkeys(dropped)), changed=tuple(changed)
    )


def _set_tier(body: dict[str, Any], endpoint: Endpoint) -> bool:
    """Asks for the tier that the endpoint is priced at, so that the provider serves what is charged. False where the caller's word gave way."""
    asked, sold = body.get("service_tier"), endpoint.service_tier
    if sold is not None:
        body["service_tier"] = sold
        return asked is None or TIERS.get(asked) == sold
    if endpoint.beside_tiers and asked in TIERS:
        del body["service_tier"]
        return False
    tier = TIERS.get(asked or "")
    if tier is not None and not endpoint.provider.takes_extensions:
        body["service_tier"] = tier  # OpenAI refuses "fast"
    return True


def _make_plain(body: dict[str, Any], endpoint: Endpoint, dropped: list[str], changed: list[tuple[str, str]]) -> None:
    """Takes out what a plain server does not take, and says some of it in OpenAI's words. Adds the paths to the lists."""
    if not _REASONING_KEYS.isdisjoint(body):
        _write_effort(body, endpoint, dropped, changed)
    if endpoint.cache_marks is not None:
        dropped += _write_marks(body, endpoint.cache_marks)
    elif body.pop(CONTROL, None) is not None:
        dropped.append(CONTROL)
    if not _UNSENT_FIELDS.isdisjoint(body):
        dropped += [name for name in _DROPPED_FIELDS if name in body]
        for name in _UNSENT_FIELDS:
            body.pop(name, None)
    if body.pop(RESPONSES_KEY, None) is not None:
        dropped.append(RESPONSES_KEY)
    supported = endpoint.supported_parameters
    if supported:
        for name in SAMPLING_EXTENSIONS:
            if name not in supported and body.pop(name, None) is not None:
                dropped.append(name)
    dropped += (name for name in anthropic_names.FIELDS if body.pop(name, None) is not None)
    body["messages"] = PlainMessages(endpoint, dropped, changed).write(body["messages"])
    if endpoint.provider.forms is not None:
        fit_form(body, endpoint.provider.forms, dropped, changed)
    if "tools" in body:
        make_tools_plain(body, endpoint, dropped)


def _write_effort(body: dict[str, Any], endpoint: Endpoint, dropped: list[str], changed: list[tuple[str, str]]) -> None:
    """Says how hard to reason in OpenAI's word."""
    reasoning = wanted(body)
    given = body.pop("reasoning", {})
    dropped += (f"reasoning.{key}" for key in anthropic_names.REASONING_KEYS if key in given)
    if reasoning is None:
        return
    if reasoning.summary is not None:
        dropped.append("reasoning.summary")
    effort = _effort_of(reasoning, body, endpoint)
    if effort is None:
        return
    supported = endpoint.supported_parameters
    if supported and _REASONING_KEYS.isdisjoint(supported) and "reasoning_effort" not in body:
        # The model does not reason: it need not be told not to.
        if effort != OFF:
            dropped.append("reasoning")
        return
    body["reasoning_effort"] = effort
    if reasoning.max_tokens:
        changed.append(("reasoning.max_tokens", f'sent as the effort "{effort}"'))


def _effort_of(reasoning: Reasoning, body: Mapping[str, Any], endpoint: Endpoint) -> str | None:
    """OpenAI's word for what is wanted; None where the model's own default is."""
    if reasoning.is_off:
        return OFF
    if reasoning.effort is not None or not reasoning.max_tokens:
        return reasoning.effort or (DEFAULT_EFFORT if reasoning.enabled else None)
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or endpoint.max_completion_tokens
    return effort_for_budget(reasoning.max_tokens, limit or _ASSUMED_ANSWER)


def _write_marks(body: dict[str, Any], marks: str) -> Iterator[str]:
    """Puts the marks of cached prefixes into the provider's word. Yields the paths of those that were lost."""
    if marks == BREAKPOINT:
        _, lost = translate_to_openai(body)
        if lost:
            yield f"tools.{CONTROL}"
    elif keep_last(breakpoints(body)):
        yield f"messages.content.{CONTROL}"


def _fit_to_provider(body: dict[str, Any], endpoint: Endpoint) -> Iterator[str]:
    """Renames and takes out top-level fields as the provider's row says. Yields those taken out."""
    for name, word in endpoint.provider.renames.items():
        if name in body:
            value = body.pop(name)
            body.setdefault(word, value)
    for name in endpoint.provider.refuses:
        if body.pop(name, None) is not None:
            yield name


def _rename_developer(body: dict[str, Any]) -> None:
    """Gives messages of the developer the older role with the same meaning."""
    for message in body["messages"]:
        if message.get("role") == _DEVELOPER:
            message["role"] = _SYSTEM
