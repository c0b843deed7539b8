# SPDX-License-Identifier: Apache-2.0
"""What OpenAI's Responses API gets of a request, field by field.

By the reference of `POST /responses` in openai-python 3.54 (`types/responses/response_create_params.py`, November 2026). A provider that takes all
extensions, such as OpenRouter, gets what its own `POST /responses` has besides: EXTENSIONS.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from trunkline_server.dialects.account import SENT, Account, Accounts, Kind, clamped, dropped, gateway, renamed

EXTENSIONS: Final = (
    "models",
    "provider",
    "plugins",
    "route",
    "session_id",
    "trace",
    "top_k",
    "frequency_penalty",
    "presence_penalty",
    "modalities",
    "image_config",
    "cache_control",
    "stop_server_tools_when",
    "debug",
)
"""Fields that a provider with all extensions gets as they are."""
LEAST_TOKENS: Final = 16
"""The least `max_output_tokens`; OpenAI answers 400 to fewer (github.com/earendil-works/pi/issues/6265, July 2026)."""

_NONE: Final = "the Responses API has no such parameter"
_LIMIT: Final = f"max_output_tokens, at least {LEAST_TOKENS}"
_SERVER_TOOL: Final = "it runs server tools"
_CACHE_MARK: Final = "where the endpoint's row says that it takes marks; else dropped: OpenAI caches without being told"

ACCOUNT: Final[Accounts] = MappingProxyType(
    {
        "messages": renamed("input"),
        "model": renamed("model", "the provider's own name of it"),
        "models": gateway("it falls back from model to model"),
        "provider": gateway("it chooses the provider"),
        "plugins": gateway("it runs plugins"),
        "route": gateway("it routes"),
        "user": SENT,
        "session_id": gateway("it keeps a conversation at one endpoint; nobody else needs its name"),
        "trace": gateway("it writes the traces"),
        "metadata": SENT,
        "stream": SENT,
        "stream_options": Account(kind=Kind.SENT, why="`include_obfuscation` alone, with streams; usage always comes"),
        "max_completion_tokens": clamped(_LIMIT),
        "max_tokens": clamped(_LIMIT),
        "temperature": SENT,
        "top_p": SENT,
        "top_k": dropped(_NONE),
        "min_p": dropped(_NONE),
        "top_a": dropped(_NONE),
        "frequency_penalty": dropped(_NONE),
        "presence_penalty": dropped(_NONE),
        "repetition_penalty": dropped(_NONE),
        "logit_bias": dropped(_NONE),
        "logprobs": renamed("include", "message.output_text.logprobs"),
        "top_logprobs": SENT,
        "n": dropped("the Responses API gives one answer"),
        "seed": dropped(_NONE),
        "stop": dropped(_NONE),
        "tools": renamed("tools", "the settings of a function stand beside its type"),
        "tool_choice": renamed("tool_choice", "the function's name stands beside the type"),
        "parallel_tool_calls": SENT,
        "max_tool_calls": SENT,
        "stop_server_tools_when": gateway("it ends its own loop of server tools"),
        "functions": renamed("tools"),
        "function_call": renamed("tool_choice"),
        "response_format": renamed("text.format"),
        "structured_outputs": gateway("a hint for routing; the form itself stands in `response_format`"),
        "reasoning": SENT,
        "reasoning_effort": renamed("reasoning.effort"),
        "include_reasoning": gateway("it leaves reasoning out of answers where it is not wanted"),
        "verbosity": renamed("text.verbosity"),
        "modalities": dropped("the Responses API makes text; images are made by a tool"),
        "audio": dropped("the Responses API makes no sound"),
        "image_config": dropped("images are made by a tool, which has settings of its own"),
        "prediction": dropped(_NONE),
        "cache_control": renamed("input.content.prompt_cache_breakpoint", f"on the last part, {_CACHE_MARK}"),
        "prompt_cache_key": SENT,
        "prompt_cache_options": SENT,
        "service_tier": Account(kind=Kind.SENT, why="the tier that the endpoint is priced at"),
        "web_search_options": renamed("tools", "the tool web_search"),
        "transforms": renamed("truncation", "auto"),
        "usage": gateway("usage always comes"),
        "store": gateway("it keeps nothing at the provider: always false"),
        "safety_identifier": SENT,
        "debug": gateway("it shows what it sent"),
        "messages.role": SENT,
        "messages.content": SENT,
        "messages.name": dropped("items have no names"),
        "messages.refusal": renamed("input.content.refusal"),
        "messages.reasoning": dropped("plain text is no reasoning item; what stands in reasoning_details is sent"),
        "messages.reasoning_details": renamed(
            "input, items of type reasoning", "those of format openai-responses-v1 with all that the provider needs"
        ),
        "messages.tool_calls": renamed("input, items of type function_call"),
        "messages.function_call": dropped("a legacy call has no id by which its result could be told"),
        "messages.images": dropped("what the model made is not part of its message"),
        "messages.audio": dropped("the Responses API knows no sound of the model"),
        "messages.annotations": renamed("input.content.annotations", "where the content is one text"),
        "messages.model": dropped("OpenRouter's mark of who wrote the turn"),
        "messages.tool_call_id": renamed("input.call_id"),
        "messages.content.text": renamed("input_text, output_text"),
        "messages.content.image_url": renamed("input_image"),
        "messages.content.input_audio": SENT,
        "messages.content.video_url": renamed("input_video", "with extensions; else the request is refused"),
        "messages.content.file": renamed("input_file"),
        "messages.content.refusal": SENT,
        "messages.content.cache_control": renamed("prompt_cache_breakpoint", _CACHE_MARK),
        "messages.content.prompt_cache_breakpoint": SENT,
        "tools.function": SENT,
        "tools.openrouter:*": gateway(_SERVER_TOOL),
        "tools.web_search": SENT,
        "tools.unknown": SENT,
        "tools.cache_control": dropped("OpenAI's tools have no mark"),
        "response_format.text": SENT,
        "response_format.json_object": SENT,
        "response_format.json_schema": SENT,
        "response_format.grammar": dropped("OpenAI takes grammars in custom tools only"),
        "response_format.python": dropped(_NONE),
        "reasoning.effort": SENT,
        "reasoning.max_tokens": renamed("reasoning.effort", "the effort whose share of the answer is nearest"),
        "reasoning.exclude": gateway("it leaves reasoning out of answers where it is not wanted"),
        "reasoning.enabled": renamed("reasoning.effort", '"none" where it is false'),
        "reasoning.summary": Account(kind=Kind.SENT, why='"auto" where `reasoning` is given without it'),
    }
)
