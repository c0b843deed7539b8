# SPDX-License-Identifier: Apache-2.0
"""What xAI's gRPC API gets of a request, field by field.

By `xai/api/v1/chat.proto` (github.com/xai-org/xai-proto) as the package xai-sdk 1.21 has it, and that package's own words on it (`chat.py`), read on
22 November 2026.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from trunkline_server.dialects.account import SENT, Accounts, clamped, dropped, gateway, renamed

MOST_TOP_LOGPROBS: Final = 8
"""The most `top_logprobs`, by xAI's own client."""

_NONE: Final = "xAI's gRPC API has no such parameter"
_CACHE: Final = "xAI caches prefixes by itself"
_SERVER_TOOL: Final = "it runs server tools"
_LIMIT: Final = "xAI counts the text alone, without reasoning and calls"

ACCOUNT: Final[Accounts] = MappingProxyType(
    {
        "messages": SENT,
        "model": renamed("model", "the provider's own name of it"),
        "models": gateway("it falls back from model to model"),
        "provider": gateway("it chooses the provider"),
        "plugins": gateway("it runs plugins"),
        "route": gateway("it routes"),
        "user": SENT,
        "session_id": gateway("it keeps a conversation at one endpoint; nobody else needs its name"),
        "trace": gateway("it writes the traces"),
        "metadata": dropped(_NONE),
        "stream": gateway("answers always come as a stream, and are folded where they are wanted whole"),
        "stream_options": gateway("usage always comes, and nothing is padded"),
        "max_completion_tokens": renamed("max_tokens", _LIMIT),
        "max_tokens": renamed("max_tokens", _LIMIT),
        "temperature": SENT,
        "top_p": SENT,
        "top_k": dropped(_NONE),
        "min_p": dropped(_NONE),
        "top_a": dropped(_NONE),
        "frequency_penalty": SENT,
        "presence_penalty": SENT,
        "repetition_penalty": dropped(_NONE),
        "logit_bias": dropped(_NONE),
        "logprobs": SENT,
        "top_logprobs": clamped(f"at most {MOST_TOP_LOGPROBS}"),
        "n": renamed("n", "not beside files and xAI's own tools, where several outputs are the steps of one answer"),
        "seed": clamped("31 bits"),
        "stop": SENT,
        "tools": SENT,
        "tool_choice": renamed("tool_choice.mode, tool_choice.function_name"),
        "parallel_tool_calls": SENT,
        "max_tool_calls": gateway("it bounds its own loop of server tools"),
        "stop_server_tools_when": gateway("it ends its own loop of server tools"),
        "functions": renamed("tools"),
        "function_call": renamed("tool_choice"),
        "response_format": renamed("response_format.format_type, response_format.schema"),
        "structured_outputs": gateway("a hint for routing; the form itself stands in `response_format`"),
        "reasoning": renamed("reasoning_effort"),
        "reasoning_effort": SENT,
        "include_reasoning": gateway("it leaves reasoning out of answers where it is not wanted"),
        "verbosity": dropped(_NONE),
        "modalities": dropped("the chat API makes text; images are made by a tool"),
        "audio": dropped("the chat API makes no sound"),
        "image_config": dropped("images are made by a tool, which has settings of its own"),
        "prediction": dropped(_NONE),
        "cache_control": dropped(_CACHE),
        "prompt_cache_key": renamed("the metadata x-grok-conv-id"),
        "prompt_cache_options": dropped(_CACHE),
        "service_tier": renamed("service_tier", "default and priority"),
        "web_search_options": renamed("tools.web_search"),
        "transforms": gateway("it shortens conversations"),
        "usage": gateway("usage always comes"),
        "store": gateway("it keeps nothing at the provider: `store_messages` is always false"),
        "safety_identifier": SENT,
        "debug": gateway("it shows what it sent"),
        "messages.role": SENT,
        "messages.content": SENT,
        "messages.name": renamed("name", "of users"),
        "messages.refusal": renamed("content.text"),
        "messages.reasoning": dropped("text of unknown origin; what stands in reasoning_details is sent"),
        "messages.reasoning_details": renamed(
            "reasoning_content, encrypted_content", "those of format xai-responses-v1; each step of a turn a message"
        ),
        "messages.tool_calls": SENT,
        "messages.function_call": dropped("a legacy call has no id by which its result could be told"),
        "messages.images": dropped("what the model made is not part of its message"),
        "messages.audio": dropped("the chat API knows no sound"),
        "messages.annotations": dropped("in answers only"),
        "messages.model": dropped("OpenRouter's mark of who wrote the turn"),
        "messages.tool_call_id": SENT,
        "messages.content.text": SENT,
        "messages.content.image_url": SENT,
        "messages.content.input_audio": dropped("an error: xAI's chat models hear nothing"),
        "messages.content.video_url": dropped("an error: xAI's chat models see no video"),
        "messages.content.file": SENT,
        "messages.content.refusal": renamed("content.text"),
        "messages.content.cache_control": dropped(_CACHE),
        "messages.content.prompt_cache_breakpoint": dropped(_CACHE),
        "tools.function": SENT,
        "tools.openrouter:*": gateway(_SERVER_TOOL),
        "tools.web_search": renamed("tools.web_search", "domains and the user's place"),
        "tools.unknown": renamed(
            "xAI's own tools by their names", "x_search, code_execution, collections_search, mcp, …"
        ),
        "tools.cache_control": dropped(_CACHE),
        "response_format.text": renamed("FORMAT_TYPE_TEXT"),
        "response_format.json_object": renamed("FORMAT_TYPE_JSON_OBJECT"),
        "response_format.json_schema": renamed("FORMAT_TYPE_JSON_SCHEMA, schema"),
        "response_format.grammar": dropped(_NONE),
        "response_format.python": dropped(_NONE),
        "reasoning.effort": renamed("reasoning_effort"),
        "reasoning.max_tokens": renamed("reasoning_effort", "the effort whose share of the answer is nearest"),
        "reasoning.exclude": gateway("it leaves reasoning out of answers where it is not wanted"),
        "reasoning.enabled": renamed("reasoning_effort", '"medium" or "none"'),
        "reasoning.summary": dropped("xAI sums up as it does"),
    }
)
