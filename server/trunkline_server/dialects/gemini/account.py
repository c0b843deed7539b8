# SPDX-License-Identifier: Apache-2.0
"""What becomes of each field of a request in Google's language. Names as on ai.google.dev/api/generate-content (2026)."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from trunkline_server.dialects.account import SENT, Accounts, clamped, dropped, gateway, renamed

_NO_SAMPLER: Final = dropped("Google samples by temperature, topP and topK alone")
_NO_NAME: Final = dropped("Google's request has no place for a user's name")
_NO_MARK: Final = dropped(
    "Google caches prefixes by itself; a cache of one's own is made beforehand and named by `cachedContent`"
)
_OPENAIS_CACHE: Final = dropped("of OpenAI's cache")
_LOOP: Final = gateway("bounds the gateway's loop of server tools")
_MODALITY: Final = "inlineData, or fileData for what Google reads itself"

ACCOUNT: Final[Accounts] = MappingProxyType(
    {
        "messages": renamed("contents, systemInstruction"),
        "model": renamed("in the path"),
        "models": gateway("falls back from model to model"),
        "provider": gateway("chooses the provider"),
        "plugins": gateway("runs plugins"),
        "route": gateway("routes"),
        "user": _NO_NAME,
        "session_id": gateway("keeps a conversation at one endpoint"),
        "trace": gateway("writes the traces"),
        "metadata": dropped("labels, Google's nearest, take other characters and are for its bill"),
        "stream": renamed("streamGenerateContent?alt=sse in the path"),
        "stream_options": gateway("usage is always in the answer"),
        "max_completion_tokens": renamed("generationConfig.maxOutputTokens"),
        "max_tokens": renamed("generationConfig.maxOutputTokens"),
        "temperature": renamed("generationConfig.temperature"),
        "top_p": renamed("generationConfig.topP"),
        "top_k": renamed("generationConfig.topK", "0 is left out"),
        "min_p": _NO_SAMPLER,
        "top_a": _NO_SAMPLER,
        "frequency_penalty": renamed("generationConfig.frequencyPenalty"),
        "presence_penalty": renamed("generationConfig.presencePenalty"),
        "repetition_penalty": _NO_SAMPLER,
        "logit_bias": dropped("Google has none"),
        "logprobs": renamed("generationConfig.responseLogprobs"),
        "top_logprobs": renamed("generationConfig.logprobs", "beside `logprobs` alone"),
        "n": clamped("generationConfig.candidateCount, 1 to 8"),
        "seed": clamped("generationConfig.seed, 32 bits"),
        "stop": renamed("generationConfig.stopSequences"),
        "tools": renamed("tools", "before generation 3 not Google's own beside functions"),
        "tool_choice": renamed("toolConfig.functionCallingConfig", "beside functions"),
        "parallel_tool_calls": dropped("Google has no switch for it"),
        "max_tool_calls": _LOOP,
        "stop_server_tools_when": _LOOP,
        "functions": renamed("tools.functionDeclarations"),
        "function_call": renamed("toolConfig.functionCallingConfig"),
        "response_format": renamed(
            "generationConfig.responseMimeType, responseJsonSchema",
            "before generation 3 beside functions: an instruction",
        ),
        "structured_outputs": gateway("a hint for routing; the form stands in response_format"),
        "reasoning": renamed("generationConfig.thinkingConfig", "models that do not think are not told"),
        "reasoning_effort": renamed("generationConfig.thinkingConfig", "models that do not think are not told"),
        "include_reasoning": renamed("generationConfig.thinkingConfig.includeThoughts"),
        "verbosity": dropped("Google has none"),
        "modalities": renamed("generationConfig.responseModalities"),
        "audio": renamed("generationConfig.speechConfig", "the format is always 16-bit PCM"),
        "image_config": renamed("generationConfig.imageConfig", "aspect_ratio and image_size"),
        "prediction": dropped("Google has none"),
        "cache_control": _NO_MARK,
        "prompt_cache_key": _OPENAIS_CACHE,
        "prompt_cache_options": _OPENAIS_CACHE,
        "service_tier": renamed("serviceTier", "standard, flex, priority"),
        "web_search_options": renamed(
            "tools.googleSearch", "without settings; before generation 3 not beside functions"
        ),
        "transforms": gateway("shortens conversations"),
        "usage": gateway("usage is always in the answer"),
        "store": dropped("generateContent answers the same whether or not Google logs; Vertex AI refuses the field"),
        "safety_identifier": _NO_NAME,
        "debug": gateway("shows what was sent"),
        "messages.role": renamed("contents.role", "user and model; instructions in systemInstruction"),
        "messages.content": renamed("contents.parts"),
        "messages.name": dropped("Google tells participants apart by role alone"),
        "messages.refusal": renamed("contents.parts.text"),
        "messages.reasoning": dropped("text that nobody signed; the parts of reasoning_details are sent"),
        "messages.reasoning_details": renamed("parts with thought or thoughtSignature", "those of Google's format"),
        "messages.tool_calls": renamed("contents.parts.functionCall"),
        "messages.function_call": renamed("contents.parts.functionCall"),
        "messages.images": renamed("contents.parts.inlineData"),
        "messages.audio": renamed("contents.parts.text", "the transcript"),
        "messages.annotations": dropped("in answers only"),
        "messages.model": dropped("the gateway's mark of who wrote the turn"),
        "messages.tool_call_id": renamed("contents.parts.functionResponse.id"),
        "messages.content.text": renamed("contents.parts.text"),
        "messages.content.image_url": renamed(_MODALITY, "one detail for all pictures: mediaResolution"),
        "messages.content.input_audio": renamed("inlineData"),
        "messages.content.video_url": renamed(_MODALITY),
        "messages.content.file": renamed(_MODALITY, "without its name"),
        "messages.content.refusal": renamed("contents.parts.text"),
        "messages.content.cache_control": _NO_MARK,
        "messages.content.prompt_cache_breakpoint": _NO_MARK,
        "tools.function": renamed("functionDeclarations, parametersJsonSchema", "without strict"),
        "tools.openrouter:*": gateway("runs server tools"),
        "tools.web_search": renamed("googleSearch", "without settings"),
        "tools.unknown": renamed("Google's own tools by their names", "google_search, code_execution, url_context, …"),
        "tools.cache_control": _NO_MARK,
        "response_format.text": SENT,
        "response_format.json_object": renamed("responseMimeType application/json"),
        "response_format.json_schema": renamed("responseMimeType application/json, responseJsonSchema"),
        "response_format.grammar": dropped("Google has none"),
        "response_format.python": dropped("Google has none"),
        "reasoning.effort": renamed("thinkingLevel, or a share of the limit as thinkingBudget"),
        "reasoning.max_tokens": clamped("thinkingBudget, the model's range"),
        "reasoning.exclude": renamed("includeThoughts: false"),
        "reasoning.enabled": renamed("thinkingBudget -1, or 0 where a model can be switched off"),
        "reasoning.summary": dropped("Google has one kind of summary"),
    }
)
"""By the paths of dialects/account.py."""
