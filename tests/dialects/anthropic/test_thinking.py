# SPDX-License-Identifier: Apache-2.0
"""Reasoning, limits and sampling by Anthropic's rules."""

from typing import Any

import pytest

from support.anthropic_wire import ADAPTIVE, BUDGETED, render
from trunkline_server.dialects.anthropic.thinking import DEFAULT_MAX_TOKENS, UNTHOUGHT

NEW, ALWAYS, BETWEEN, OLD = "claude-opus-5", "claude-opus-5-5", "claude-sonnet-5-5", "claude-3-5-haiku-20241022"
EFFORT = "claude-opus-4-5"
TOOLS = {"tools": [{"type": "function", "function": {"name": "look"}}]}
SHOWN = {"type": "adaptive", "display": "summarized"}


def enabled(budget: int) -> dict[str, Any]:
    """Thinking by a budget."""
    return {"type": "enabled", "budget_tokens": budget}


THINKING = [
    ("an effort as a budget", BUDGETED, {"reasoning": {"effort": "high"}, "max_tokens": 20000}, enabled(16000), None),
    ("the shorthand", BUDGETED, {"reasoning_effort": "low", "max_tokens": 20000}, enabled(4000), None),
    ("the least budget", BUDGETED, {"reasoning": {"effort": "minimal"}, "max_tokens": 2000}, enabled(1024), None),
    ("the most budget", BUDGETED, {"reasoning": {"effort": "max"}, "max_tokens": 200000}, enabled(128000), None),
    (
        "a budget of the caller's",
        BUDGETED,
        {"reasoning": {"max_tokens": 3000}, "max_tokens": 5000},
        enabled(3000),
        None,
    ),
    (
        "a budget below the limit",
        BUDGETED,
        {"reasoning": {"max_tokens": 9000}, "max_tokens": 5000},
        enabled(4999),
        None,
    ),
    ("switched on", BUDGETED, {"reasoning": {"enabled": True}, "max_tokens": 8000}, enabled(4000), None),
    ("no room", BUDGETED, {"reasoning": {"effort": "high"}, "max_tokens": 1024}, None, None),
    ("off", BUDGETED, {"reasoning": {"effort": "none"}}, {"type": "disabled"}, None),
    ("off by its switch", ADAPTIVE, {"reasoning": {"enabled": False}}, {"type": "disabled"}, None),
    ("off between tools only", BETWEEN, {"reasoning": {"effort": "none"}}, {"type": "between_tools"}, None),
    ("never off", ALWAYS, {"reasoning": {"effort": "none"}}, None, "low"),
    (
        "beside a forced tool",
        BUDGETED,
        {"reasoning": {"effort": "high"}, "tool_choice": "required", **TOOLS},
        None,
        None,
    ),
    ("an effort", ADAPTIVE, {"reasoning": {"effort": "low"}}, SHOWN, "low"),
    ("no effort", ADAPTIVE, {"reasoning": {"enabled": True}}, SHOWN, None),
    ("an effort it has not", ADAPTIVE, {"reasoning": {"effort": "xhigh"}}, SHOWN, "max"),
    ("the least effort", NEW, {"reasoning": {"effort": "minimal"}}, SHOWN, "low"),
    ("an unknown effort", NEW, {"reasoning": {"effort": "mighty"}}, SHOWN, "medium"),
    ("a budget as an effort", NEW, {"reasoning": {"max_tokens": 8000}, "max_tokens": 10000}, SHOWN, "high"),
    (
        "left out of the answer",
        NEW,
        {"reasoning": {"effort": "low", "exclude": True}},
        {**SHOWN, "display": "omitted"},
        "low",
    ),
    (
        "adaptive beside a forced tool",
        NEW,
        {"reasoning": {"effort": "low"}, "tool_choice": "required", **TOOLS},
        None,
        "low",
    ),
    ("verbosity", EFFORT, {"verbosity": "low"}, None, "low"),
    ("nothing said", NEW, {"reasoning": {"exclude": True}}, None, None),
    ("a model that does not think", OLD, {"reasoning": {"effort": "low"}}, None, None),
    ("a model that does not, off", OLD, {"reasoning": {"effort": "none"}}, None, None),
]


@pytest.mark.parametrize(("what", "model", "said", "thinking", "effort"), THINKING, ids=[row[0] for row in THINKING])
def test_thinking(what: str, model: str, said: dict[str, Any], thinking: Any, effort: str | None) -> None:
    """Each model is told in the way it takes."""
    body, _ = render(said, model)
    assert (body.get("thinking"), body.get("output_config", {}).get("effort")) == (thinking, effort)


REPORTED = [
    (
        BUDGETED,
        {"reasoning": {"max_tokens": 9000}, "max_tokens": 5000},
        [("reasoning.max_tokens", "clamped to 4999")],
        [],
    ),
    (
        NEW,
        {"reasoning": {"max_tokens": 8000}, "max_tokens": 10000},
        [("reasoning.max_tokens", "sent as effort high")],
        [],
    ),
    (ADAPTIVE, {"reasoning": {"effort": "xhigh"}}, [("reasoning.effort", "sent as max")], []),
    (ALWAYS, {"reasoning": {"effort": "none"}}, [("reasoning", "cannot be switched off: sent as effort low")], []),
    (OLD, {"reasoning": {"effort": "low"}}, [], ["reasoning"]),
    (BUDGETED, {"verbosity": "low"}, [], ["verbosity"]),
    (NEW, {"verbosity": "low", "reasoning": {"effort": "high"}}, [], ["verbosity"]),
    (NEW, {"reasoning": {"effort": "high", "summary": "auto"}}, [], ["reasoning.summary"]),
    (NEW, {"temperature": 0.5, "top_p": 0.5, "top_k": 5}, [], ["temperature", "top_p", "top_k"]),
    (BUDGETED, {"temperature": 1.5}, [("temperature", "clamped to 1")], []),
    (BUDGETED, {"temperature": 0.5, "top_p": 0.5}, [], ["top_p"]),
    (BUDGETED, {"reasoning": {"enabled": True}, "temperature": 0.5, "top_k": 4}, [], ["temperature", "top_k"]),
    (BUDGETED, {"reasoning": {"enabled": True}, "temperature": 1, "top_p": 0.5}, [("top_p", "raised to 0.95")], []),
]


@pytest.mark.parametrize(("model", "said", "changed", "dropped"), REPORTED)
def test_reports(model: str, said: dict[str, Any], changed: list[tuple[str, str]], dropped: list[str]) -> None:
    """What is clamped, sent otherwise or left out is told."""
    _, report = render(said, model)
    assert (list(report.changed), list(report.dropped)) == (changed, dropped)


USER = {"role": "user", "content": "Hi"}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "done"}
SIGNED = {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1", "index": 0}
SEALED = {"type": "reasoning.encrypted", "data": "x", "format": "anthropic-claude-v1", "index": 0}


def step(*details: dict[str, Any], content: str | None = None) -> dict[str, Any]:
    """A turn of the model's with a call."""
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    return {"role": "assistant", "content": content, "tool_calls": [call], "reasoning_details": list(details)}


FOREIGN = {**SIGNED, "format": "google-gemini-v1"}
SAID = {"role": "assistant", "content": "So."}
UNDER_WAY: list[tuple[str, str, list[dict[str, Any]], bool]] = [
    ("thought", BUDGETED, [USER, step(SIGNED), RESULT], True),
    ("thought in secret", BUDGETED, [USER, step(SEALED), RESULT], True),
    ("thought at its beginning alone", BUDGETED, [USER, step(SIGNED), RESULT, step(), RESULT], True),
    ("thought at its end alone", BUDGETED, [USER, step(), RESULT, step(SIGNED), RESULT], True),
    ("not thought", BUDGETED, [USER, step(), RESULT], False),
    ("with text before its thinking", BUDGETED, [USER, step({**SIGNED, "index": 1}, content="So."), RESULT], True),
    ("not thought, with words of the user's", BUDGETED, [USER, step(content="So."), RESULT, USER], False),
    ("another maker's", EFFORT, [USER, step(FOREIGN), RESULT, step(FOREIGN), RESULT], False),
    ("thought in the turn before", BUDGETED, [USER, step(SIGNED), RESULT, SAID, USER, step(), RESULT], False),
    ("over", BUDGETED, [USER, step(), RESULT, SAID, USER], True),
    ("begun by the caller", BUDGETED, [USER, SAID], False),
    ("begun by the caller over tools", BUDGETED, [USER, step(SIGNED), RESULT, SAID], False),
    ("paused", BUDGETED, [USER, {**SAID, "reasoning_details": [SIGNED]}], True),
    ("of a model that thinks anywhere", NEW, [USER, step(), RESULT], True),
    ("of another maker's model", "kimi-k2", [USER, step(), RESULT], True),
]


@pytest.mark.parametrize(("what", "model", "messages", "thinks"), UNDER_WAY, ids=[row[0] for row in UNDER_WAY])
def test_a_turn_under_way(what: str, model: str, messages: list[dict[str, Any]], thinks: bool) -> None:
    """A model with a budget refuses to think where the turn that it goes on with does not begin with its thinking."""
    said = {"reasoning": {"effort": "high"}, "max_tokens": 20000, "temperature": 0.5, **TOOLS}
    body, report = render({"messages": messages, **said}, model)
    assert ("thinking" in body) == thinks
    assert (("reasoning", UNTHOUGHT) in report.changed) != thinks
    assert ("temperature" in body) != thinks


def test_thinking_comes_first() -> None:
    """Models with a budget never said a text before; other models did, and check it."""
    turn = {**SAID, "reasoning_details": [{**SIGNED, "index": 1}, {**SEALED, "index": 2}]}
    kinds = {
        model: [block["type"] for block in render({"messages": [USER, turn, USER]}, model)[0]["messages"][1]["content"]]
        for model in (BUDGETED, NEW)
    }
    assert kinds[BUDGETED] == ["thinking", "redacted_thinking", "text"]
    assert kinds[NEW] == ["text", "thinking", "redacted_thinking"]


SAMPLED = [
    ({"temperature": 1.5}, {"temperature": 1.0}),
    ({"temperature": 0.3, "top_k": 5}, {"temperature": 0.3, "top_k": 5}),
    ({"top_k": 0}, {}),
    ({"top_p": 0.5}, {"top_p": 0.5}),
    ({"reasoning": {"enabled": True}, "temperature": 1.7, "top_p": 0.99}, {"top_p": 0.99}),
    ({"reasoning": {"enabled": False}, "temperature": 0.2}, {"temperature": 0.2}),
]


@pytest.mark.parametrize(("said", "sent"), SAMPLED)
def test_sampling(said: dict[str, Any], sent: dict[str, Any]) -> None:
    """Temperature is 0 to 1, and thinking allows next to nothing."""
    body, _ = render({"max_tokens": 4000, **said})
    assert {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body} == sent


def test_a_default_limit_makes_room() -> None:
    """A limit that nobody named grows with the budget; one that the endpoint's row names does not."""
    body, _ = render({"reasoning": {"max_tokens": 20000}})
    assert (body["max_tokens"], body["thinking"]) == (20000 + DEFAULT_MAX_TOKENS, enabled(20000))
    body, _ = render({"reasoning": {"max_tokens": 20000}}, max_completion_tokens=8000)
    assert (body["max_tokens"], body["thinking"]) == (8000, enabled(7999))


def test_what_the_row_does_not_list_is_not_sent() -> None:
    """An endpoint's list of parameters binds sampling."""
    body, report = render({"temperature": 0.5, "top_k": 3}, supported_parameters=frozenset({"temperature"}))
    assert (body.get("temperature"), body.get("top_k"), report.dropped) == (0.5, None, ("top_k",))


@pytest.mark.parametrize(
    ("said", "endpoint", "limit"),
    [
        ({"max_tokens": 5}, {}, 5),
        ({"max_completion_tokens": 6, "max_tokens": 5}, {}, 6),
        ({}, {"max_completion_tokens": 32000}, 32000),
        ({}, {}, DEFAULT_MAX_TOKENS),
    ],
)
def test_the_limit(said: dict[str, Any], endpoint: dict[str, Any], limit: int) -> None:
    """Anthropic demands a limit: the caller's, the endpoint's, or the gateway's default."""
    assert render(said, **endpoint)[0]["max_tokens"] == limit
