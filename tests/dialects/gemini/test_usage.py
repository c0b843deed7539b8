# SPDX-License-Identifier: Apache-2.0
"""usageMetadata, and what is believed of it."""

from typing import Any

import pytest

from trunkline.v1.usage_pb2 import CompletionTokensDetails, PromptTokensDetails, Usage
from trunkline_server.dialects.gemini.usage import read_tier, read_usage, write_usage

BASE = {"promptTokenCount": 10, "candidatesTokenCount": 4, "totalTokenCount": 14}


def modality(word: str, count: object) -> dict[str, object]:
    """A count of one modality."""
    return {"modality": word, "tokenCount": count}


READ: list[tuple[str, dict[str, Any], Usage]] = [
    ("plain", BASE, Usage(prompt_tokens=10, completion_tokens=4, total_tokens=14)),
    ("no answer yet", {"promptTokenCount": 10}, Usage(prompt_tokens=10, total_tokens=10)),
    (
        "thoughts and what tools brought in",
        {**BASE, "thoughtsTokenCount": 6, "toolUsePromptTokenCount": 5, "totalTokenCount": 25},
        Usage(
            prompt_tokens=15,
            completion_tokens=10,
            total_tokens=25,
            completion_tokens_details=CompletionTokensDetails(reasoning_tokens=6),
        ),
    ),
    (
        "a total below its parts",
        {**BASE, "totalTokenCount": 3},
        Usage(prompt_tokens=10, completion_tokens=4, total_tokens=14),
    ),
    (
        "modalities, cached ones counted once",
        {
            **BASE,
            "cachedContentTokenCount": 3,
            "promptTokensDetails": [
                modality("AUDIO", 5),
                modality("VIDEO", 2),
                modality("TEXT", 3),
                modality("X", -1),
                7,
            ],
            "cacheTokensDetails": [modality("AUDIO", 3)],
            "candidatesTokensDetails": [modality("IMAGE", 3), modality("AUDIO", 1)],
        },
        Usage(
            prompt_tokens=10,
            completion_tokens=4,
            total_tokens=14,
            prompt_tokens_details=PromptTokensDetails(cached_tokens=3, audio_tokens=2, video_tokens=2),
            completion_tokens_details=CompletionTokensDetails(image_tokens=3, audio_tokens=1),
        ),
    ),
]


@pytest.mark.parametrize(("value", "expected"), [case[1:] for case in READ], ids=[case[0] for case in READ])
def test_what_is_read(value: dict[str, Any], expected: Usage) -> None:
    """Prompt and answer hold all that belongs to them; details are counted apart."""
    assert read_usage(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"candidatesTokenCount": 4},
        {"promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0},
        {**BASE, "promptTokenCount": -1},
        {**BASE, "promptTokenCount": "10"},
        {**BASE, "candidatesTokenCount": 2**50},
        {**BASE, "thoughtsTokenCount": True},
        {**BASE, "toolUsePromptTokenCount": 1.5},
    ],
    ids=repr,
)
def test_what_is_not_believed(value: object) -> None:
    """A report with an absurd count counts as missing."""
    assert read_usage(value) is None


@pytest.mark.parametrize("value", [case[1] for case in READ[:2]], ids=["plain", "no answer"])
def test_there_and_back(value: dict[str, Any]) -> None:
    """A report that is written and read again says the same."""
    usage = read_usage(value)
    assert usage is not None
    assert read_usage(write_usage(usage)) == usage


def test_what_is_written() -> None:
    """Thoughts are counted beside the answer; details have their modality."""
    assert write_usage(READ[2][2])["candidatesTokenCount"] == 4
    written = write_usage(READ[4][2])
    assert written["promptTokensDetails"] == [modality("AUDIO", 2), modality("VIDEO", 2)]
    assert written["candidatesTokensDetails"] == [modality("AUDIO", 1), modality("IMAGE", 3)]


@pytest.mark.parametrize(
    ("report", "headers", "expected"),
    [
        ({}, {}, None),
        (None, {"x-gemini-service-tier": "standard"}, "default"),
        ({"serviceTier": "flex"}, {"x-gemini-service-tier": "standard"}, "flex"),
        ({"trafficType": "ON_DEMAND_PRIORITY"}, {}, "priority"),
        ({"trafficType": "PROVISIONED_THROUGHPUT"}, {}, None),
    ],
)
def test_tiers(report: object, headers: dict[str, str], expected: str | None) -> None:
    """The tier that served is named in the contract's words."""
    assert read_tier(report, headers) == expected
