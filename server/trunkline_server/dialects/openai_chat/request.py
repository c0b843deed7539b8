# SPDX-License-Identifier: Apache-2.0
"""Requests as the body of POST /chat/completions, and the tables of what a plain OpenAI server is not sent.

An upstream that takes all extensions gets every field. To any other, what the gateway does itself would at best mean nothing; OpenAI's own server answers
400 to a parameter or a message's key that it does not know. Unknown keys of the caller's travel along: same dialect, and the caller knows best.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.catalog.tiers import TIERS
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.jsonshape import Codec

PATH: Final = "/chat/completions"

GATEWAY_FIELDS: Final[tuple[tuple[str, str], ...]] = (
    ("models", "the gateway falls back from model to model"),
    ("provider", "the gateway chooses the provider"),
    ("plugins", "the gateway runs plugins"),
    ("route", "the gateway routes"),
    ("session_id", "the gateway keeps a conversation at one endpoint; nobody else needs its name"),
    ("trace", "the gateway writes the traces"),
    ("max_tool_calls", "bounds the gateway's loop of server tools; OpenAI has it in its Responses API only"),
    ("stop_server_tools_when", "ends the gateway's loop of server tools"),
    ("structured_outputs", "a hint for routing; the form itself stands in response_format"),
    ("reasoning", "OpenRouter's object; its effort is sent as reasoning_effort, OpenAI's word for it"),
    ("include_reasoning", "the gateway leaves reasoning out of its answers where it is not wanted"),
    ("image_config", "OpenRouter's settings of image models, which OpenAI's chat completions do not have"),
    ("cache_control", "the gateway places the breakpoint; OpenAI caches without being told"),
    ("transforms", "the gateway shortens conversations"),
    ("usage", "the gateway always asks for usage, by stream_options"),
    ("debug", "the gateway shows what it sent"),
)
"""Fields of the request that the gateway acts on itself, and why a plain OpenAI server does not get them."""

SAMPLING_EXTENSIONS: Final[tuple[tuple[str, str], ...]] = (
    ("top_k", "vLLM, SGLang, llama.cpp, Ollama and many hosts take it"),
    ("min_p", "vLLM, SGLang and llama.cpp take it"),
    ("top_a", "few servers take it; OpenRouter names it"),
    ("repetition_penalty", "vLLM, SGLang and many hosts take it"),
)
"""Fields that OpenAI's own server refuses and most others take: sent unless the endpoint's row lists its parameters and leaves them out."""

SENT_FIELDS: Final = frozenset(
    {
        "messages",
        "model",
        "user",
        "metadata",
        "stream",
        "stream_options",
        "max_completion_tokens",
        "max_tokens",
        "temperature",
        "top_p",
        "frequency_penalty",
        "presence_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "n",
        "seed",
        "stop",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "functions",
        "function_call",
        "response_format",
        "reasoning_effort",
        "verbosity",
        "modalities",
        "audio",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_options",
        "service_tier",
        "web_search_options",
        "store",
        "safety_identifier",
    }
)
"""Fields that OpenAI's API reference of chat completions has."""

ASSISTANT_FIELDS: Final[tuple[tuple[str, str], ...]] = (
    ("reasoning", "OpenAI takes no reasoning back in chat completions"),
    ("reasoning_details", "OpenAI takes none of it back, nor its signatures"),
    ("images", "what the model made is not part of OpenAI's assistant message"),
    ("annotations", "in OpenAI's answers only"),
    ("model", "OpenRouter's mark of who wrote the turn"),
)
"""Keys of the model's past turns that a plain OpenAI server does not get."""

CACHE_MARK: Final = ("cache_control", "Anthropic's breakpoint; OpenAI caches without being told")
"""The key of content parts and tools that a plain OpenAI server does not get."""

CALL_INDEX: Final = ("index", "a place in a stream, which says nothing in a list")
"""The key of tool calls in past turns that a plain OpenAI server does not get."""

_GATEWAY_NAMES: Final = frozenset(name for name, _ in GATEWAY_FIELDS)
_STREAM_HEADERS: Final = {"content-type": "application/json", "accept": "text/event-stream"}
_WHOLE_HEADERS: Final = {"content-type": "application/json", "accept": "application/json"}


def render_request(
    codec: Codec, request: ChatCompletionRequest, endpoint: Endpoint, *, stream: bool
) -> RenderedRequest:
    """Writes the request for an endpoint. Streams always report usage, whatever the caller's stream_options say of it."""
    body = codec.encode(request, answer=False)
    dropped = () if endpoint.provider.takes_extensions else tuple(dict.fromkeys(_make_plain(body, endpoint)))
    if not _set_tier(body, endpoint):
        dropped = (*dropped, "service_tier")
    body["model"] = endpoint.upstream_model
    if stream:
        body["stream"] = True
        body["stream_options"] = {**body.get("stream_options", {}), "include_usage": True}
    else:
        body.pop("stream_options", None)
        if "stream" in body:
            body["stream"] = False
    headers = _STREAM_HEADERS if stream else _WHOLE_HEADERS
    # Copied: what orjson 3.13 gives keeps up to eight times its own memory, and this lives until the answer begins.
    text = bytes(memoryview(orjson.dumps(body)))
    return RenderedRequest(path=PATH, headers=headers, body=text, dropped=dropped)


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


def _make_plain(body: dict[str, Any], endpoint: Endpoint) -> Iterator[str]:
    """Takes out what the tables name. Yields the path of each."""
    reasoning = body.get("reasoning")
    if reasoning is not None and (effort := reasoning.get("effort")) is not None:
        body.setdefault("reasoning_effort", effort)
    supported = endpoint.supported_parameters
    if not _GATEWAY_NAMES.isdisjoint(body):
        for name, _ in GATEWAY_FIELDS:
            if body.pop(name, None) is not None:
                yield name
    if supported:
        for name, _ in SAMPLING_EXTENSIONS:
            if name not in supported and body.pop(name, None) is not None:
                yield name
    for message in body["messages"]:
        yield from _make_message_plain(message)
    for tool in body.get("tools", ()):
        if type(tool) is dict and tool.pop(CACHE_MARK[0], None) is not None:
            yield f"tools.{CACHE_MARK[0]}"


def _make_message_plain(message: dict[str, Any]) -> Iterator[str]:
    content = message.get("content")
    if type(content) is list:
        for part in content:
            if type(part) is dict and part.pop(CACHE_MARK[0], None) is not None:
                yield f"messages.content.{CACHE_MARK[0]}"
    if message.get("role") != "assistant":
        return
    for name, _ in ASSISTANT_FIELDS:
        if message.pop(name, None) is not None:
            yield f"messages.{name}"
    for call in message.get("tool_calls", ()):
        if call.pop(CALL_INDEX[0], None) is not None:
            yield f"messages.tool_calls.{CALL_INDEX[0]}"
