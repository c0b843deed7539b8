# SPDX-License-Identifier: Apache-2.0
"""What a plain OpenAI server gets of a request, field by field.

SENT are the fields that OpenAI's reference of chat completions has (openai-python 3.54, November 2026), and those that many servers of its kind take. An
upstream that takes all extensions gets every field, whatever stands here. What one provider has otherwise is in its row: `renames`, `refuses`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from trunkline_server.dialects.account import SENT, Account, Accounts, Kind, dropped, gateway, renamed

SAMPLING_EXTENSIONS: Final[Accounts] = MappingProxyType(
    {
        name: Account(kind=Kind.SENT, why=f"{who}; left out where the endpoint's row lists its parameters without it")
        for name, who in (
            ("top_k", "OpenAI refuses it; vLLM, SGLang, llama.cpp, Ollama and many hosts take it"),
            ("min_p", "OpenAI refuses it; vLLM, SGLang and llama.cpp take it"),
            ("top_a", "OpenAI refuses it; few servers take it"),
            ("repetition_penalty", "OpenAI refuses it; vLLM, SGLang and many hosts take it"),
        )
    }
)
"""Fields that OpenAI's own server refuses and most others take."""

_SERVER_TOOL: Final = "the gateway runs server tools"
_BY_TYPE: Final = "; sent where the provider's row names the type"
_CACHE_MARK: Final = "where the endpoint's row says that it takes marks; else dropped: OpenAI caches without being told"

ACCOUNT: Final[Accounts] = MappingProxyType(
    {
        "messages": SENT,
        "model": renamed("", "the provider's own name of it"),
        "models": gateway("it falls back from model to model"),
        "provider": gateway("it chooses the provider"),
        "plugins": gateway("it runs plugins"),
        "route": gateway("it routes"),
        "user": SENT,
        "session_id": gateway("it keeps a conversation at one endpoint; nobody else needs its name"),
        "trace": gateway("it writes the traces"),
        "metadata": SENT,
        "stream": SENT,
        "stream_options": Account(kind=Kind.SENT, why="`include_usage` is always true; only with streams"),
        "max_completion_tokens": SENT,
        "max_tokens": SENT,
        "temperature": SENT,
        "top_p": SENT,
        **SAMPLING_EXTENSIONS,
        "frequency_penalty": SENT,
        "presence_penalty": SENT,
        "logit_bias": SENT,
        "logprobs": SENT,
        "top_logprobs": SENT,
        "n": SENT,
        "seed": SENT,
        "stop": SENT,
        "tools": SENT,
        "tool_choice": SENT,
        "parallel_tool_calls": SENT,
        "max_tool_calls": gateway("it bounds its own loop of server tools; OpenAI has it in the Responses API only"),
        "stop_server_tools_when": gateway("it ends its own loop of server tools"),
        "functions": SENT,
        "function_call": SENT,
        "response_format": SENT,
        "structured_outputs": gateway("a hint for routing; the form itself stands in `response_format`"),
        "reasoning": renamed("reasoning_effort"),
        "reasoning_effort": SENT,
        "include_reasoning": gateway("it leaves reasoning out of answers where it is not wanted"),
        "verbosity": SENT,
        "modalities": SENT,
        "audio": SENT,
        "image_config": dropped("OpenAI's chat completions have no settings of image models"),
        "prediction": SENT,
        "cache_control": renamed("messages.content.prompt_cache_breakpoint", f"on the last part, {_CACHE_MARK}"),
        "prompt_cache_key": SENT,
        "prompt_cache_options": SENT,
        "service_tier": Account(kind=Kind.SENT, why="the tier that the endpoint is priced at"),
        "web_search_options": SENT,
        "transforms": gateway("it shortens conversations"),
        "usage": gateway("it always asks for usage, by `stream_options`"),
        "store": SENT,
        "safety_identifier": SENT,
        "debug": gateway("it shows what it sent"),
        "messages.role": SENT,
        "messages.content": SENT,
        "messages.name": SENT,
        "messages.refusal": SENT,
        "messages.reasoning": dropped("OpenAI takes no reasoning back in chat completions"),
        "messages.reasoning_details": dropped("OpenAI takes none of it back, nor its signatures"),
        "messages.tool_calls": SENT,
        "messages.function_call": SENT,
        "messages.images": dropped("what the model made is not part of OpenAI's assistant message"),
        "messages.audio": SENT,
        "messages.annotations": dropped("in OpenAI's answers only"),
        "messages.model": dropped("OpenRouter's mark of who wrote the turn"),
        "messages.tool_call_id": SENT,
        "messages.content.text": SENT,
        "messages.content.image_url": SENT,
        "messages.content.input_audio": SENT,
        "messages.content.video_url": Account(kind=Kind.SENT, why="OpenAI refuses it; hosts of video models take it"),
        "messages.content.file": SENT,
        "messages.content.refusal": SENT,
        "messages.content.cache_control": renamed("prompt_cache_breakpoint", _CACHE_MARK),
        "messages.content.prompt_cache_breakpoint": SENT,
        "tools.function": SENT,
        "tools.openrouter:*": gateway(_SERVER_TOOL),
        "tools.web_search": dropped(f"chat completions have none but `web_search_options`{_BY_TYPE}"),
        "tools.unknown": dropped(f"chat completions have functions and custom tools{_BY_TYPE}"),
        "tools.cache_control": dropped("OpenAI's tools have no mark"),
        "response_format.text": SENT,
        "response_format.json_object": SENT,
        "response_format.json_schema": SENT,
        "response_format.grammar": Account(kind=Kind.SENT, why="OpenAI refuses it; some hosts take it"),
        "response_format.python": Account(kind=Kind.SENT, why="OpenAI refuses it; some hosts take it"),
        "reasoning.effort": renamed("reasoning_effort"),
        "reasoning.max_tokens": renamed("reasoning_effort", "the effort whose share of the answer is nearest"),
        "reasoning.exclude": gateway("it leaves reasoning out of answers where it is not wanted"),
        "reasoning.enabled": renamed("reasoning_effort", '"medium" or "none"'),
        "reasoning.summary": dropped("OpenAI has summaries in the Responses API only"),
    }
)
