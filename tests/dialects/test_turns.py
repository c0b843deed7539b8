# SPDX-License-Identifier: Apache-2.0
"""Messages apart and together."""

from typing import Any

import pytest

from trunkline_server.dialects.turns import as_parts, merge_roles, split_system, text_of


def text(words: str) -> dict[str, Any]:
    """A part of text."""
    return {"type": "text", "text": words}


@pytest.mark.parametrize(
    ("content", "expected"), [("hi", [text("hi")]), ("", []), (None, []), ([text("a")], [text("a")]), ([], [])]
)
def test_as_parts(content: Any, expected: list[dict[str, Any]]) -> None:
    """Each form of a content is a list of parts."""
    assert as_parts(content) == expected


def test_text_of() -> None:
    """The text of a content is that of its text parts."""
    assert text_of("hi") == "hi"
    assert text_of([text("a"), {"type": "image_url", "image_url": {"url": "data:,"}}, text("b")]) == "a\n\nb"


def test_split_system() -> None:
    """Instructions of both roles go to the front in their order; one that stood later is told."""
    hello = {"role": "user", "content": "hello"}
    front = [{"role": "system", "content": "a"}, {"role": "developer", "content": [text("b")]}]
    assert split_system([*front, hello]) == ([text("a"), text("b")], [hello], False)
    assert split_system([hello, *front]) == ([text("a"), text("b")], [hello], True)


def test_merge_roles() -> None:
    """Runs of a role become one message; one that stands alone stays as it is."""
    turns = [
        {"role": "user", "content": "a"},
        {"role": "user", "content": [text("b")]},
        {"role": "assistant", "content": "c"},
        {"role": "user", "content": "d"},
    ]
    assert merge_roles(turns) == [{"role": "user", "content": [text("a"), text("b")]}, *turns[2:]]


def test_merge_roles_under_another_key() -> None:
    """The parts may stand elsewhere, and the given messages are not changed."""
    turns = [{"role": "model", "parts": [1]}, {"role": "model", "parts": [2]}]
    assert merge_roles(turns, "parts") == [{"role": "model", "parts": [1, 2]}]
    assert turns[0] == {"role": "model", "parts": [1]}
