# SPDX-License-Identifier: Apache-2.0
"""Cutting choices at stop sequences and budgets."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_server.upstream.simulator.script import (
    Call,
    Choice,
    Picture,
    Reasoning,
    Segment,
    Text,
    cut_choices,
    find_stop,
    make_choice,
)

THOUGHT = Reasoning(tokens=["a", "b"], detail_id="x", signature="s", shown=True)
TEXT = Text(tokens=["one", " two", " three"])
CALL = Call(position=0, call_id="c", name="f", tokens=["{", "}"])
PICTURE = Picture(url="u")


def cut(
    segments: list[Segment], stops: tuple[str, ...] = (), budget: int | None = None
) -> tuple[str | None, list[Segment]]:
    """The finish and the segments of a choice."""
    choice = make_choice(0, segments, stops=stops, budget=budget)
    return choice.finish, list(choice.segments)


@pytest.mark.parametrize(
    ("segments", "budget", "expected"),
    [
        ([TEXT], None, ("stop", [TEXT])),
        ([TEXT], 3, ("stop", [TEXT])),
        ([TEXT], 2, ("length", [Text(tokens=["one", " two"])])),
        ([CALL], 3, ("tool_calls", [CALL])),
        ([CALL], 2, ("length", [Call(position=0, call_id="c", name="f", tokens=["{"])])),
        ([CALL], 1, ("length", [Call(position=0, call_id="c", name="f", tokens=[])])),
        ([THOUGHT, TEXT], 5, ("stop", [THOUGHT, TEXT])),
        ([THOUGHT, TEXT], 2, ("length", [THOUGHT])),
        ([THOUGHT, TEXT], 1, ("length", [Reasoning(tokens=["a"], detail_id="x", signature=None, shown=True)])),
        ([TEXT, PICTURE], 3, ("stop", [TEXT, PICTURE])),
        ([TEXT, PICTURE], 2, ("length", [Text(tokens=["one", " two"])])),
        ([], 1, ("stop", [])),
    ],
)
def test_budgets_count_all_tokens(segments: list[Segment], budget: int, expected: tuple[str, list[Segment]]) -> None:
    """Thoughts, content, names and arguments count; what is cut says length and loses its signature."""
    assert cut(segments, budget=budget) == expected


@pytest.mark.parametrize(
    ("segments", "stops", "expected"),
    [
        ([TEXT], ("zzz",), ("stop", [TEXT])),
        ([TEXT], ("e two t",), ("stop", [Text(tokens=["on"])])),
        ([TEXT], (" three", " two"), ("stop", [Text(tokens=["one"])])),
        ([TEXT], ("one",), ("stop", [Text(tokens=[])])),
        ([THOUGHT, TEXT], ("a",), ("stop", [THOUGHT, TEXT])),
        ([TEXT, PICTURE], ("two",), ("stop", [Text(tokens=["one", " "])])),
        ([CALL], ("{",), ("tool_calls", [CALL])),
    ],
)
def test_stops_cut_content_alone(
    segments: list[Segment], stops: tuple[str, ...], expected: tuple[str, list[Segment]]
) -> None:
    """Stop sequences are looked for in content, across tokens, and end the answer."""
    assert cut(segments, stops=stops) == expected


@given(words=st.lists(st.text("ab ", min_size=1, max_size=3), max_size=8), stop=st.text("ab ", min_size=1, max_size=3))
def test_a_stopped_text_is_what_came_before(words: list[str], stop: str) -> None:
    """Whatever the tokens, the content is the text up to the first stop sequence."""
    choice = make_choice(0, [Text(tokens=words)], stops=(stop,), budget=None)
    assert "".join(choice.segments[0].tokens) == "".join(words).split(stop)[0]  # type: ignore[union-attr] # it is the text


def test_the_first_stop_wins() -> None:
    """Of several stop sequences the earliest in the text counts."""
    assert (find_stop("abc", ["c", "b"]), find_stop("abc", ["x"]), find_stop("abc", [])) == (1, None, None)


def test_choices_count_their_tokens() -> None:
    """Tokens are counted together and by kind."""
    choice = Choice(index=0, segments=[THOUGHT, TEXT, CALL, PICTURE], finish="stop")
    assert (choice.tokens, choice.tokens_of(Reasoning), choice.tokens_of(Call), choice.tokens_of(Picture)) == (
        8,
        2,
        3,
        0,
    )


@pytest.mark.parametrize(
    ("segments", "events", "kept"),
    [
        ([TEXT], 3, [Text(tokens=["one", " two"])]),
        ([TEXT], 1, [Text(tokens=[])]),
        ([THOUGHT, TEXT], 2, [Reasoning(tokens=["a"], detail_id="x", signature=None, shown=True)]),
        ([THOUGHT, TEXT], 3, [Reasoning(tokens=["a", "b"], detail_id="x", signature=None, shown=True)]),
        ([THOUGHT, TEXT], 4, [THOUGHT, Text(tokens=[])]),
        ([replace(THOUGHT, shown=False), TEXT], 2, [replace(THOUGHT, shown=False), Text(tokens=["one"])]),
        ([CALL], 1, []),
        ([CALL], 3, [Call(position=0, call_id="c", name="f", tokens=["{"])]),
        ([TEXT, PICTURE], 4, [TEXT]),
        ([TEXT, PICTURE], 5, [TEXT, PICTURE]),
    ],
)
def test_broken_choices_hold_what_came(segments: list[Segment], events: int, kept: list[Segment]) -> None:
    """Events are a role, tokens, a call's name, a signature, a picture, a finish; before the finish a choice has failed."""
    error = {"code": 502}
    (choice,) = cut_choices([Choice(index=0, segments=segments, finish="stop")], events, error)
    assert (list(choice.segments), choice.finish, choice.error) == (kept, "error", error)


def test_choices_that_have_ended_are_not_broken() -> None:
    """After its last event a choice is as it was, however many events follow."""
    choices = [Choice(index=0, segments=[TEXT], finish="stop"), Choice(index=1, segments=[TEXT, TEXT], finish="stop")]
    assert list(cut_choices(choices, 13, {})) == choices
    assert [choice.finish for choice in cut_choices(choices, 12, {})] == ["stop", "error"]
