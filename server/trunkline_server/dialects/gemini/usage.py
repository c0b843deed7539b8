# SPDX-License-Identifier: Apache-2.0
"""usageMetadata as usage.

Google counts what tools brought in, and what the model thought, beside prompt and candidates; both belong to them here. Cached tokens are part of its prompt
already. As with every provider, a count that is broken makes the whole report count as missing, and so do zeros; a broken detail is only left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from trunkline.v1.usage_pb2 import Usage

TIER_HEADER: Final = "x-gemini-service-tier"
_MOST_TOKENS: Final = 2**40
_TIERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "standard": "default",
        "priority": "priority",
        "flex": "flex",
        "ON_DEMAND": "default",
        "ON_DEMAND_PRIORITY": "priority",
        "ON_DEMAND_FLEX": "flex",
    }
)
"""The tier that served, in the words of the Gemini API and of Vertex AI's trafficType, and the contract's word for it."""


def read_usage(value: object) -> Usage | None:
    """The report; None where it is none, or not to be believed."""
    if type(value) is not dict or "promptTokenCount" not in value:
        return None
    prompt, tools = _count(value.get("promptTokenCount", 0)), _count(value.get("toolUsePromptTokenCount", 0))
    said, thought = _count(value.get("candidatesTokenCount", 0)), _count(value.get("thoughtsTokenCount", 0))
    if prompt is None or tools is None or said is None or thought is None:
        return None
    prompt, completion = prompt + tools, said + thought
    if not prompt and not completion:
        return None
    total = _count(value.get("totalTokenCount", 0)) or 0
    usage = Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=max(total, prompt + completion))
    if cached := _count(value.get("cachedContentTokenCount", 0)):
        usage.prompt_tokens_details.cached_tokens = cached
    # Cached sound is counted as cached: each token has one price.
    read, kept = _modalities(value, "promptTokensDetails"), _modalities(value, "cacheTokensDetails")
    if (sound := read.get("AUDIO", 0) - kept.get("AUDIO", 0)) > 0:
        usage.prompt_tokens_details.audio_tokens = sound
    if (video := read.get("VIDEO", 0) - kept.get("VIDEO", 0)) > 0:
        usage.prompt_tokens_details.video_tokens = video
    made = _modalities(value, "candidatesTokensDetails")
    if thought:
        usage.completion_tokens_details.reasoning_tokens = thought
    if sound := made.get("AUDIO", 0):
        usage.completion_tokens_details.audio_tokens = sound
    if images := made.get("IMAGE", 0):
        usage.completion_tokens_details.image_tokens = images
    return usage


def read_tier(value: object, headers: Mapping[str, str]) -> str | None:
    """The tier that served, which may be another than the one asked for: in the report or in a header. None where nobody says."""
    report: Mapping[str, object] = value if type(value) is dict else {}
    for word in (report.get("serviceTier"), report.get("trafficType"), headers.get(TIER_HEADER)):
        if type(word) is str and (tier := _TIERS.get(word)) is not None:
            return tier
    return None


def write_usage(usage: Usage) -> dict[str, Any]:
    """The report in Google's words."""
    read, made = usage.prompt_tokens_details, usage.completion_tokens_details
    counts = {
        "promptTokenCount": usage.prompt_tokens,
        "candidatesTokenCount": max(usage.completion_tokens - made.reasoning_tokens, 0),
        "totalTokenCount": usage.total_tokens,
    }
    if read.cached_tokens:
        counts["cachedContentTokenCount"] = read.cached_tokens
    if made.reasoning_tokens:
        counts["thoughtsTokenCount"] = made.reasoning_tokens
    written: dict[str, Any] = {**counts}
    for key, modalities in (
        ("promptTokensDetails", {"AUDIO": read.audio_tokens, "VIDEO": read.video_tokens}),
        ("candidatesTokensDetails", {"AUDIO": made.audio_tokens, "IMAGE": made.image_tokens}),
    ):
        if any(modalities.values()):
            written[key] = [{"modality": word, "tokenCount": count} for word, count in modalities.items() if count]
    return written


def _modalities(value: Mapping[str, object], key: str) -> dict[str, int]:
    """The counts of one list by modality; those that are broken are left out."""
    entries = value.get(key)
    counts: dict[str, int] = {}
    for entry in entries if type(entries) is list else ():
        count = _count(entry.get("tokenCount", 0)) if type(entry) is dict else None
        if count and type(word := entry.get("modality")) is str:
            counts[word] = counts.get(word, 0) + count
    return counts


def _count(value: object) -> int | None:
    """A number of tokens; None for anything else."""
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else None
