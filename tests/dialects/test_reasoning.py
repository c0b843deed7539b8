# SPDX-License-Identifier: Apache-2.0
"""Effort, budget and level."""

import copy
from typing import Any

import orjson
import pytest

from support.answer_cuts import make_codec
from support.builders import make_endpoint, make_provider
from support.dialect_scenarios import ENDPOINTS
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.dialects.reasoning import (
    ANTHROPIC_FORMAT,
    GEMINI_FORMAT,
    OPENAI_FORMAT,
    Reasoning,
    budget_for,
    effort_for_budget,
    gemini_level,
    join_pieces,
    own_details,
    wanted,
)
from trunkline_server.dialects.registry import make_dialects

CODEC = make_codec()
DIALECTS = make_dialects(CODEC)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, None),
        ({"reasoning": {}}, None),
        ({"reasoning_effort": "low"}, Reasoning(effort="low")),
        ({"reasoning": {"effort": "high"}, "reasoning_effort": "high"}, Reasoning(effort="high")),
        ({"reasoning": {"max_tokens": 2000, "exclude": True}}, Reasoning(max_tokens=2000, exclude=True)),
        ({"reasoning": {"enabled": False}}, Reasoning(enabled=False)),
        ({"reasoning": {"summary": "auto"}}, Reasoning(summary="auto")),
    ],
)
def test_wanted(body: dict[str, Any], expected: Reasoning | None) -> None:
    """What a request says of reasoning is read from the object and its shorthand; a request that says nothing wants nothing."""
    assert wanted(body) == expected


@pytest.mark.parametrize(
    ("reasoning", "is_on", "is_off"),
    [
        (Reasoning(effort="low"), True, False),
        (Reasoning(effort="none"), False, True),
        (Reasoning(max_tokens=100), True, False),
        (Reasoning(max_tokens=0), False, True),
        (Reasoning(enabled=True), True, False),
        (Reasoning(enabled=False, effort="high"), False, True),
        (Reasoning(exclude=True), False, False),
    ],
)
def test_on_and_off(reasoning: Reasoning, is_on: bool, is_off: bool) -> None:
    """Reasoning is on, off, or left to the model."""
    assert (reasoning.is_on, reasoning.is_off) == (is_on, is_off)


@pytest.mark.parametrize(
    ("reasoning", "max_tokens", "expected"),
    [
        (Reasoning(effort="max"), 10_000, 9_500),
        (Reasoning(effort="xhigh"), 10_000, 9_500),
        (Reasoning(effort="high"), 10_000, 8_000),
        (Reasoning(effort="medium"), 10_000, 5_000),
        (Reasoning(enabled=True), 10_000, 5_000),
        (Reasoning(effort="unheard-of"), 10_000, 5_000),
        (Reasoning(effort="low"), 10_000, 2_000),
        (Reasoning(effort="minimal"), 20_000, 2_000),
        (Reasoning(effort="minimal"), 5_000, 1_024),
        (Reasoning(effort="high"), 1_000_000, 128_000),
        (Reasoning(max_tokens=5), 10_000, 1_024),
        (Reasoning(max_tokens=3_000), 10_000, 3_000),
        (Reasoning(effort="none"), 10_000, 0),
        (Reasoning(max_tokens=0), 10_000, 0),
    ],
)
def test_budget(reasoning: Reasoning, max_tokens: int, expected: int) -> None:
    """An effort is a share of the answer's limit, a budget is itself, both within the provider's limits; off is 0."""
    assert budget_for(reasoning, max_tokens, 1_024, 128_000) == expected


@pytest.mark.parametrize("effort", ["xhigh", "high", "medium", "low", "minimal", "none"])
def test_effort_of_a_budget(effort: str) -> None:
    """The budget of an effort is read back as that effort."""
    budget = budget_for(Reasoning(effort=effort), 10_000, 0, 128_000)
    assert effort_for_budget(budget, 10_000) == effort


@pytest.mark.parametrize(
    ("effort", "level"),
    [
        ("max", "high"),
        ("xhigh", "high"),
        ("high", "high"),
        ("medium", "medium"),
        ("low", "low"),
        ("minimal", "minimal"),
        ("none", "minimal"),
        ("unheard-of", "medium"),
    ],
)
def test_gemini_level(effort: str, level: str) -> None:
    """Gemini 3 has no level above high, and cannot be switched off."""
    assert gemini_level(effort) == level


def test_own_details() -> None:
    """Of a past turn's reasoning a provider gets what it can read, in order; that there was more is told."""
    mine = {"type": "reasoning.text", "format": ANTHROPIC_FORMAT, "text": "hm"}
    foreign = {"type": "reasoning.encrypted", "format": GEMINI_FORMAT, "data": "x"}
    unmarked = {"type": "reasoning.text", "text": "?"}
    message = {"reasoning_details": [mine, foreign, unmarked]}
    assert own_details(message, {ANTHROPIC_FORMAT}) == ([mine], True)
    assert own_details(message, {ANTHROPIC_FORMAT, GEMINI_FORMAT}, unmarked=True) == ([mine, foreign, unmarked], False)
    assert own_details({"content": "hello"}, {ANTHROPIC_FORMAT}) == ([], False)


def test_own_details_of_unknown_types() -> None:
    """A detail of a type that the contract does not know is raw text until it is looked into."""
    raw = orjson.Fragment('{"type":"reasoning.new","format":"google-gemini-v1","x":1}')
    value = {"type": "reasoning.new", "format": GEMINI_FORMAT, "x": 1}
    assert own_details({"reasoning_details": [raw]}, {GEMINI_FORMAT}) == ([value], False)
    assert own_details({"reasoning_details": [raw]}, {ANTHROPIC_FORMAT}) == ([], True)


def piece(text: str | None = None, index: int | None = 0, **rest: Any) -> dict[str, Any]:
    """A piece of reasoning text."""
    place = {} if index is None else {"index": index}
    said = {} if text is None else {"text": text}
    return {"type": "reasoning.text", **said, "format": ANTHROPIC_FORMAT, **place, **rest}


def summary(text: str, **rest: Any) -> dict[str, Any]:
    """A piece of a summary."""
    return {"type": "reasoning.summary", "summary": text, "format": OPENAI_FORMAT, **rest}


SEALED = {"type": "reasoning.encrypted", "data": "x", "format": ANTHROPIC_FORMAT, "index": 0}
PIECES: list[tuple[str, list[dict[str, Any]], list[dict[str, Any]]]] = [
    ("as streamed", [piece("I sh"), piece("ould"), piece(signature="S")], [piece("I should", signature="S")]),
    ("a signature beside the last text", [piece("a"), piece("b", signature="S")], [piece("ab", signature="S")]),
    ("a signature alone", [piece(signature="S")], [piece(signature="S")]),
    ("two places, mixed", [piece("a"), piece("x", 1), piece("b")], [piece("ab"), piece("x", 1)]),
    ("behind a signature", [piece("a", signature="S"), piece("b")], [piece("a", signature="S"), piece("b")]),
    ("without places", [piece("a", None), piece("b", None), SEALED], [piece("ab", None), SEALED]),
    ("parted by another", [piece("a", None), SEALED, piece("b", None)], [piece("a", None), SEALED, piece("b", None)]),
    ("another maker's", [piece("a"), piece("b", format="unknown")], [piece("a"), piece("b", format="unknown")]),
    ("summaries", [summary("a", index=0), summary("b", id="r", index=0)], [summary("ab", id="r", index=0)]),
    ("other ids", [summary("a", id="r"), summary("b", id="q")], [summary("a", id="r"), summary("b", id="q")]),
    ("what is opaque", [SEALED, SEALED], [SEALED, SEALED]),
    ("no text at all", [piece(None), piece(None)], [piece("")]),
]


@pytest.mark.parametrize(("what", "pieces", "whole"), PIECES, ids=[row[0] for row in PIECES])
def test_join_pieces(what: str, pieces: list[dict[str, Any]], whole: list[dict[str, Any]]) -> None:
    """Details that come back as they were streamed are whole again; what is given is not changed."""
    before = copy.deepcopy(pieces)
    assert join_pieces(pieces) == whole
    assert pieces == before


STREAMED: list[tuple[str, list[dict[str, Any]], bytes]] = [
    (
        "anthropic",
        [piece("I sh"), piece("ould"), piece(signature="S")],
        b'{"type":"thinking","thinking":"I should","signature":"S"}',
    ),
    (
        "bedrock_converse",
        [piece("I sh"), piece("ould"), piece(signature="S")],
        b'{"reasoningContent":{"reasoningText":{"text":"I should","signature":"S"}}}',
    ),
    (
        "gemini",
        [piece("I sh", format=GEMINI_FORMAT), piece("ould", format=GEMINI_FORMAT, signature="S")],
        b'{"text":"I should","thought":true,"thoughtSignature":"S"}',
    ),
    (
        "openai_responses",
        [
            summary("I sh", id="rs_1", index=0),
            summary("ould", id="rs_1", index=0),
            {**SEALED, "format": OPENAI_FORMAT, "id": "rs_1"},
        ],
        b'"summary":[{"type":"summary_text","text":"I should"}],"encrypted_content":"x"',
    ),
]


@pytest.mark.parametrize(("dialect", "details", "sent"), STREAMED, ids=[row[0] for row in STREAMED])
def test_details_that_come_back_as_they_were_streamed(dialect: str, details: list[dict[str, Any]], sent: bytes) -> None:
    """Whoever takes reasoning back gets each block whole, or its proof would not be one."""
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "So.", "reasoning_details": details},
        {"role": "user", "content": "And?"},
    ]
    request = CODEC.decode(ChatCompletionRequest, {"messages": turns})
    endpoint = make_endpoint(make_provider(dialect, dialect=dialect), **ENDPOINTS[dialect])
    rendered = DIALECTS[dialect].render_request(request, endpoint, stream=True)
    assert sent in rendered.body
    assert rendered.dropped == ()
