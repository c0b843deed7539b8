# SPDX-License-Identifier: Apache-2.0
"""Usage reports, and which are believed."""

from typing import Any

import pytest

from trunkline_server.dialects.openai_chat.usage import read_usage

BASE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(BASE, BASE, id="whole"),
        pytest.param({"prompt_tokens": 3, "completion_tokens": 2}, BASE, id="no total"),
        pytest.param({**BASE, "total_tokens": 1}, BASE, id="a total below its parts"),
        pytest.param({**BASE, "total_tokens": 9}, {**BASE, "total_tokens": 9}, id="a total with more in it"),
        pytest.param({**BASE, "prompt_tokens": 3.0}, BASE, id="an integral float"),
        pytest.param({**BASE, "new": 1, "cost": 0.5}, {**BASE, "new": 1, "cost": 0.5}, id="more keys"),
        pytest.param({**BASE, "cost": -1}, BASE, id="a negative cost"),
        pytest.param(
            {**BASE, "prompt_tokens_details": {"cached_tokens": -1, "audio_tokens": 0, "x": "y"}},
            {**BASE, "prompt_tokens_details": {"audio_tokens": 0, "x": "y"}},
            id="a broken detail",
        ),
        pytest.param(
            {**BASE, "cached_tokens": 2},
            {**BASE, "cached_tokens": 2, "prompt_tokens_details": {"cached_tokens": 2}},
            id="Moonshot's cached tokens",
        ),
        pytest.param(
            {**BASE, "prompt_cache_hit_tokens": 2, "prompt_tokens_details": {"audio_tokens": 1}},
            {**BASE, "prompt_cache_hit_tokens": 2, "prompt_tokens_details": {"audio_tokens": 1, "cached_tokens": 2}},
            id="DeepSeek's cached tokens",
        ),
        pytest.param(
            {**BASE, "cached_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}},
            {**BASE, "cached_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}},
            id="OpenAI's count wins",
        ),
        pytest.param(
            {**BASE, "cached_tokens": 9, "prompt_tokens_details": None},
            {**BASE, "cached_tokens": 9, "prompt_tokens_details": None},
            id="more cached than read",
        ),
        pytest.param(
            {**BASE, "completion_tokens_details": None}, {**BASE, "completion_tokens_details": None}, id="details null"
        ),
    ],
)
def test_what_is_believed(value: dict[str, Any], expected: dict[str, Any]) -> None:
    """A report with sound counts is read; what is missing is filled in, what is broken left out."""
    assert read_usage(dict(value)) == expected


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        "3",
        [],
        {"prompt_tokens": 3},
        {**BASE, "prompt_tokens": -3},
        {**BASE, "prompt_tokens": "3"},
        {**BASE, "prompt_tokens": 3.5},
        {**BASE, "prompt_tokens": True},
        {**BASE, "completion_tokens": 2**50},
        {**BASE, "completion_tokens": float("nan")},
    ],
    ids=repr,
)
def test_what_is_not(value: object) -> None:
    """F42: a report with an absurd count counts as missing."""
    assert read_usage(value) is None
