# SPDX-License-Identifier: Apache-2.0
"""Pieces of tool calls, as servers send them."""

from typing import Any

import pytest

from trunkline_server.dialects.openai_chat.tool_calls import ToolCallJoiner

Piece = dict[str, Any]


def piece(index: object = None, call_id: object = None, name: object = None, arguments: object = None) -> Piece:
    """A piece without the keys that are None."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    made = {"index": index, "id": call_id, "function": function or None}
    return {key: value for key, value in made.items() if value is not None}


def first(index: int, call_id: str, name: str, arguments: str | None = None) -> Piece:
    """What the first piece of a call looks like."""
    return {**piece(index, call_id, name, arguments), "type": "function"}


CASES = [
    (
        "as OpenAI does",
        [piece(0, "a", "f", ""), piece(0, None, None, "{"), piece(0, None, None, "}")],
        [first(0, "a", "f", ""), piece(0, None, None, "{"), piece(0, None, None, "}")],
    ),
    (
        "F44 interleaved, with a gap",
        [piece(3, "a", "f"), piece(1, "b", "g"), piece(3, None, None, "x"), piece(1, None, None, "y")],
        [first(3, "a", "f"), first(1, "b", "g"), piece(3, None, None, "x"), piece(1, None, None, "y")],
    ),
    (
        "no index, an id for each call",
        [
            piece(None, "a", "f", "x"),
            piece(None, "b", "g", "y"),
            piece(None, None, None, "Y"),
            piece(None, "a", None, "X"),
        ],
        [first(0, "a", "f", "x"), first(1, "b", "g", "y"), piece(1, None, None, "Y"), piece(0, None, None, "X")],
    ),
    (
        "neither index nor id",
        [piece(None, None, "f", "x"), piece(None, None, None, "X"), piece(None, None, "f", "y")],
        [first(0, "call_answer1_0_0", "f", "x"), piece(0, None, None, "X"), first(1, "call_answer1_0_1", "f", "y")],
    ),
    (
        "the index 0 for every call",
        [piece(0, "a", "f", "x"), piece(0, "b", "g", "y"), piece(0, None, None, "Y")],
        [first(0, "a", "f", "x"), first(1, "b", "g", "y"), piece(1, None, None, "Y")],
    ),
    (
        "the taken index later",
        [piece(0, "a", "f"), piece(0, "b", "g"), piece(1, "c", "h"), piece(1, None, None, "z")],
        [first(0, "a", "f"), first(1, "b", "g"), first(2, "c", "h"), piece(2, None, None, "z")],
    ),
    (
        "F43 the id changes",
        [piece(0, "a", "f"), piece(0, "b", None, "x")],
        [first(0, "a", "f"), piece(0, None, None, "x")],
    ),
    (
        "F43 no id at all",
        [piece(0, None, "f", "x"), piece(0, "", None, "y")],
        [first(0, "call_answer1_0_0", "f", "x"), piece(0, None, None, "y")],
    ),
    ("F43 one id twice", [piece(0, "a", "f"), piece(1, "a", "g")], [first(0, "a", "f"), first(1, "a_1", "g")]),
    (
        "id and name in each piece",
        [piece(0, "a", "f", "x"), {**piece(0, "a", "f", "y"), "type": "function"}],
        [first(0, "a", "f", "x"), piece(0, None, None, "y")],
    ),
    (
        "a name in two pieces",
        [piece(0, "a", "get_"), piece(0, None, "get")],
        [first(0, "a", "get_"), piece(0, None, "get")],
    ),
    (
        "the name after the id",
        [piece(0, "a"), piece(0, "a", "f")],
        [{"index": 0, "id": "a", "type": "function"}, piece(0, None, "f")],
    ),
    (
        "an index of another type",
        [piece("0", "a", "f"), piece(-1, "b", "g"), piece(2**40, "c", "h")],
        [first(0, "a", "f"), first(1, "b", "g"), first(2, "c", "h")],
    ),
    ("arguments as an object", [piece(0, "a", "f", {"x": [1]})], [first(0, "a", "f", '{"x":[1]}')]),
    ("pieces that are none", [None, 3, piece(0, "a", "f")], [first(0, "a", "f")]),
    ("unknown keys", [{**piece(0, "a", "f"), "extra_content": 1}], [{**first(0, "a", "f"), "extra_content": 1}]),
]


@pytest.mark.parametrize(("pieces", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
@pytest.mark.parametrize("together", [True, False], ids=["in one chunk", "in a chunk each"])
def test_pieces_fit_together(pieces: list[Any], expected: list[Piece], together: bool) -> None:
    """Each piece gets the index of its call; id and type stand in the first piece of a call alone."""
    joiner = ToolCallJoiner(0)
    copies = [
        {**one, "function": dict(one["function"])} if type(one) is dict and "function" in one else one for one in pieces
    ]
    batches = [copies] if together else [[one] for one in copies]
    rewritten = [
        one
        for batch in batches
        for one in joiner.rewrite([dict(x) if type(x) is dict else x for x in batch], "answer-1")
    ]
    assert [{key: value for key, value in one.items() if value != {}} for one in rewritten] == expected


def test_calls_of_two_choices_have_different_ids() -> None:
    """An id that the gateway makes names the choice too."""
    made = [ToolCallJoiner(choice).rewrite([piece(0, None, "f")], "x")[0]["id"] for choice in (0, 1)]
    assert made == ["call_x_0_0", "call_x_1_0"]


def test_has_calls() -> None:
    """A choice has calls as soon as one has begun."""
    joiner = ToolCallJoiner(0)
    assert not joiner.begun
    joiner.rewrite([piece(0, "a", "f")], "")
    assert joiner.begun
