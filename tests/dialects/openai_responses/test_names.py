# SPDX-License-Identifier: Apache-2.0
"""Ids, and values that the codec wrote unread."""

import orjson
import pytest

from trunkline_server.dialects.openai_responses import OpenAiResponses
from trunkline_server.dialects.openai_responses.names import OWN_KEY, is_text, make_id, type_of
from trunkline_server.dialects.raw import opened


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (make_id("resp", "gen-176-AbC"), "resp_176AbC"),
        (make_id("msg", "gen-176-AbC", 2), "msg_176AbC_2"),
        (make_id("resp", "chatcmpl-9x"), "resp_chatcmpl9x"),
        (make_id("resp", ""), "resp_0"),
    ],
)
def test_ids(made: str, expected: str) -> None:
    """An id follows from the generation's alone."""
    assert made == expected


def test_opened() -> None:
    """JSON text that the codec wrote unread becomes values; anything else stays."""
    assert opened(orjson.Fragment(b'{"a":[1]}')) == {"a": [1]}
    assert opened("text") == "text"


def test_the_key_is_the_name_of_the_dialect() -> None:
    """Other dialects know the key by the name of the one that it belongs to."""
    assert OpenAiResponses.name == OWN_KEY


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"type": "reasoning"}, "reasoning"),
        ({"role": "user"}, "message"),
        ({"type": ["reasoning"]}, ""),
        ({"type": None}, ""),
    ],
)
def test_type_of(item: dict[str, object], expected: str) -> None:
    """An item without a type is a message; a type that is no text is none."""
    assert type_of(item) == expected


def test_is_text() -> None:
    """Only a string that holds something counts."""
    assert [is_text(value) for value in ("a", "", None, 1, ["a"])] == [True, False, False, False, False]
