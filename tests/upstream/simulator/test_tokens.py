# SPDX-License-Identifier: Apache-2.0
"""Tokens: what they are, and that nothing is lost between them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.simulator import finish
from trunkline_server.upstream.simulator.limits import SLICE
from trunkline_server.upstream.simulator.tokens import count_tokens, split_beginning, split_json, split_text


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("Hello, big world!", ["Hello,", " big", " world!"]),
        ("  a\n\nb ", ["  a", "\n\nb", " "]),
        ("x" * 33, ["x" * 16, "x" * 16, "x"]),
        (" " * 18 + "a", [" " * 8, " " * 8, "  a"]),
    ],
)
def test_text_is_split_into_words(text: str, tokens: list[str]) -> None:
    """A token is a word with the white space before it; long words and long spaces are cut."""
    assert split_text(text) == tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [('{"city":"Oslo 3"}', ['{"', "city", '":"', "Oslo", " 3", '"}']), ("[[[[[]]]]]", ["[[[[", "[]]]", "]]"])],
)
def test_json_is_split_at_punctuation_too(text: str, tokens: list[str]) -> None:
    """JSON has little white space, so letters and punctuation part as well."""
    assert split_json(text) == tokens


@given(text=st.text())
def test_tokens_join_to_the_text(text: str) -> None:
    """Both ways of splitting keep every character."""
    assert "".join(split_text(text)) == "".join(split_json(text)) == text


@given(text=st.text(' \n\u3000a{,"é', min_size=1, max_size=60), shift=st.integers(0, 30))
@pytest.mark.parametrize("as_json", [False, True])
def test_windows_change_no_token(text: str, shift: int, as_json: bool) -> None:
    """Wherever the windows end, the tokens of a long text are those of one go."""
    long = "x" * shift + text * (3 * SLICE // len(text))
    tokens = (split_json if as_json else split_text)(long)
    assert finish(split_beginning(long, len(long), 0, as_json=as_json)) == tokens
    assert as_json or finish(count_tokens([long, "", long], 10 * SLICE)) == 2 * len(tokens)


@pytest.mark.parametrize(("tokens", "more"), [(0, 1), (1, 1), (5, 100), (9000, 1), (9000, 20_000), (SLICE // 2, 1)])
def test_beginnings_hold_what_was_asked_for(tokens: int, more: int) -> None:
    """At least the tokens, then at least the characters; little beyond."""
    text = "a b" * 100_000
    kept = finish(split_beginning(text, tokens, more))
    assert kept == split_text(text)[: len(kept)]
    assert more <= sum(map(len, kept[tokens:])) <= more + 2 * SLICE


def test_counting_ends_at_the_limit() -> None:
    """Beyond the limit the exact number does not matter, and is not found out."""
    assert 1000 < finish(count_tokens(["a " * 1_000_000], 1000)) <= SLICE
