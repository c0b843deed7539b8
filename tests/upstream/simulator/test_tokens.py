# SPDX-License-Identifier: Apache-2.0
"""Tokens: what they are, and that nothing is lost between them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_server.upstream.simulator.tokens import count_text, split_json, split_text


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
    assert count_text(text) == len(split_text(text))
