# SPDX-License-Identifier: Apache-2.0
"""sim/reasoner's thoughts and their signatures."""

from typing import Any

import pytest

from support.simulator import ask, ask_stream


def reasoned(**keys: Any) -> tuple[int, bool, bool]:
    """The reasoning tokens counted, whether reasoning is shown, and whether it is signed."""
    answer = ask("sim/reasoner", **keys)
    message = answer["choices"][0]["message"]
    signed = "signature" in message.get("reasoning_details", [{}])[0]
    return answer["usage"]["completion_tokens_details"]["reasoning_tokens"], "reasoning" in message, signed


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, (32, True, True)),
        ({"reasoning": {"effort": "minimal"}}, (14, True, True)),
        ({"reasoning": {"effort": "low"}}, (23, True, True)),
        ({"reasoning": {"effort": "medium"}}, (32, True, True)),
        ({"reasoning_effort": "high"}, (50, True, True)),
        ({"reasoning": {"effort": "max"}}, (86, True, True)),
        ({"reasoning": {"effort": "unheard-of"}}, (32, True, True)),
        ({"reasoning": {"effort": "none"}}, (0, False, False)),
        ({"reasoning": {"enabled": False}}, (0, False, False)),
        ({"reasoning": {"enabled": True}}, (32, True, True)),
        ({"reasoning": {"exclude": True}}, (32, False, False)),
        ({"include_reasoning": False}, (32, False, False)),
        ({"reasoning": {"max_tokens": 10}}, (10, True, False)),
        ({"reasoning": {"max_tokens": 0}}, (0, False, False)),
        ({"max_tokens": 6}, (6, True, False)),
    ],
)
def test_reasoning_is_as_long_as_asked(keys: dict[str, Any], expected: tuple[int, bool, bool]) -> None:
    """Effort and budgets set its length, hidden reasoning counts, and cut reasoning is not signed."""
    assert reasoned(**keys) == expected


def test_reasoning_comes_before_content_in_two_forms() -> None:
    """Each delta brings a piece of text in both forms; the id comes first, the signature last, then the content."""
    deltas = [choice["delta"] for chunk in ask_stream("sim/reasoner")[:-1] for choice in chunk["choices"]]
    details = [delta["reasoning_details"][0] for delta in deltas if "reasoning_details" in delta]
    thoughts = [delta["reasoning"] for delta in deltas if "reasoning" in delta]
    assert thoughts == [detail["text"] for detail in details if "text" in detail]
    assert ["id" in detail for detail in details] == [True] + [False] * (len(details) - 1)
    assert ["signature" in detail for detail in details] == [False] * (len(details) - 1) + [True]
    assert {(detail["type"], detail["format"], detail["index"]) for detail in details} == {
        ("reasoning.text", "unknown", 0)
    }
    assert list(dict.fromkeys(key for delta in deltas for key in delta)) == [
        "role",
        "content",
        "reasoning",
        "reasoning_details",
    ]
    assert [delta for delta in deltas[1 : 1 + len(details)] if "content" in delta] == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, None),
        ({"text": "changed"}, "messages[1].reasoning_details[0]"),
        ({"signature": "0"}, "messages[1].reasoning_details[0]"),
        ({"signature": None}, None),
        ({"id": "another", "text": "changed"}, None),
    ],
)
def test_details_must_come_back_as_they_were(change: dict[str, Any], expected: str | None) -> None:
    """A later turn with a changed text or signature is refused; details of others are not looked at."""
    message = ask("sim/reasoner")["choices"][0]["message"]
    turn = {**message, "reasoning_details": [{**message["reasoning_details"][0], **change}]}
    messages = [{"role": "user", "content": "a"}, turn, {"role": "user", "content": "b"}]
    assert outcome(messages) == expected


def outcome(messages: list[Any]) -> str | None:
    """What the refusal of a conversation names; None where it was answered."""
    return ask("sim/reasoner", messages=messages).get("error", {}).get("param")
