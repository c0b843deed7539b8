# SPDX-License-Identifier: Apache-2.0
"""Reasoning as thinkingConfig."""

from typing import Any

import orjson
import pytest

from support.gemini_wire import CURRENT, OLDER, render

PRO = "gemini-2.5-pro"
THREE_PRO = "gemini-3-pro-preview"
PLAIN = "gemini-2.0-flash"
SHOWN = {"includeThoughts": True}
Changed = tuple[tuple[str, str], ...]


def thinking(body: dict[str, Any], model: str) -> tuple[Any, tuple[str, ...], Changed]:
    """The thinkingConfig, what is dropped, what is changed."""
    rendered = render({"max_tokens": 10_000, **body}, model)
    config = orjson.loads(rendered.body)["generationConfig"].get("thinkingConfig")
    return config, rendered.dropped, rendered.changed


CASES: list[tuple[str, dict[str, Any], object, Changed]] = [
    (CURRENT, {}, None, ()),
    (CURRENT, {"reasoning": {"effort": "low"}}, {**SHOWN, "thinkingLevel": "low"}, ()),
    (CURRENT, {"reasoning_effort": "medium"}, {**SHOWN, "thinkingLevel": "medium"}, ()),
    (CURRENT, {"reasoning": {"effort": "minimal"}}, {**SHOWN, "thinkingLevel": "minimal"}, ()),
    (
        CURRENT,
        {"reasoning_effort": "xhigh"},
        {**SHOWN, "thinkingLevel": "high"},
        (("reasoning_effort", "sent as the level high"),),
    ),
    (CURRENT, {"reasoning": {"max_tokens": 500}}, {**SHOWN, "thinkingBudget": 500}, ()),
    (CURRENT, {"reasoning": {"enabled": True}}, SHOWN, ()),
    (
        CURRENT,
        {"reasoning": {"effort": "high", "exclude": True}},
        {"includeThoughts": False, "thinkingLevel": "high"},
        (),
    ),
    (CURRENT, {"include_reasoning": True}, SHOWN, ()),
    (CURRENT, {"include_reasoning": False}, {"includeThoughts": False}, ()),
    (
        CURRENT,
        {"reasoning": {"enabled": False}},
        {"thinkingLevel": "minimal"},
        (("reasoning", "not switched off, which the model cannot be: sent as the level minimal"),),
    ),
    (
        THREE_PRO,
        {"reasoning": {"effort": "medium"}},
        {**SHOWN, "thinkingLevel": "high"},
        (("reasoning", "sent as the level high"),),
    ),
    (
        "gemini-3.7-flash",
        {"reasoning": {"effort": "minimal"}},
        {**SHOWN, "thinkingLevel": "low"},
        (("reasoning", "sent as the level low"),),
    ),
    (
        OLDER,
        {"reasoning": {"effort": "high"}},
        {**SHOWN, "thinkingBudget": 8000},
        (("reasoning", "sent as a budget of 8000 tokens"),),
    ),
    (OLDER, {"reasoning": {"max_tokens": 500}}, {**SHOWN, "thinkingBudget": 500}, ()),
    (
        OLDER,
        {"reasoning": {"max_tokens": 90_000}},
        {**SHOWN, "thinkingBudget": 24_576},
        (("reasoning", "clamped to 24576"),),
    ),
    (OLDER, {"reasoning": {"enabled": True}}, {**SHOWN, "thinkingBudget": -1}, ()),
    (OLDER, {"reasoning": {"effort": "none"}}, {"thinkingBudget": 0}, ()),
    (OLDER, {"include_reasoning": True}, SHOWN, ()),
    (
        PRO,
        {"reasoning": {"effort": "none"}},
        {"thinkingBudget": 128},
        (("reasoning", "not switched off, which the model cannot be: sent as a budget of 128 tokens"),),
    ),
    (PLAIN, {"reasoning": {"effort": "none"}}, None, ()),
]


@pytest.mark.parametrize(("model", "body", "expected", "changed"), CASES)
def test_thinking(model: str, body: dict[str, Any], expected: object, changed: Changed) -> None:
    """Current models take a level, those of 2.5 a budget; what is not meant so is said."""
    assert thinking(body, model) == (expected, (), changed)


def test_models_that_do_not_think() -> None:
    """A model that does not think is not told to; the caller learns of it."""
    body = {"reasoning": {"effort": "low"}, "include_reasoning": True}
    assert thinking(body, PLAIN) == (None, ("reasoning", "include_reasoning"), ())


def test_summaries_cannot_be_chosen() -> None:
    """Google has one kind of summary."""
    body = {"reasoning": {"effort": "low", "summary": "concise"}}
    assert thinking(body, CURRENT) == ({**SHOWN, "thinkingLevel": "low"}, ("reasoning.summary",), ())


@pytest.mark.parametrize(("limit", "expected"), [(None, 24_576), (20_000, 10_000)])
def test_the_limit_of_an_endpoint(limit: int | None, expected: int) -> None:
    """Without a limit in the request, an effort is a share of what the endpoint gives, or of what Google's models give."""
    rendered = render({"reasoning_effort": "medium"}, OLDER, max_completion_tokens=limit)
    config = orjson.loads(rendered.body)["generationConfig"]["thinkingConfig"]
    assert config["thinkingBudget"] == expected
