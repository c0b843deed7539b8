# SPDX-License-Identifier: Apache-2.0
"""Headers of callers that go to the provider."""

import pytest

from trunkline_server.dialects.passed import add_passed


@pytest.mark.parametrize(
    ("own", "passed", "dialect", "sent"),
    [
        ({}, {"anthropic-beta": "one"}, "anthropic", {"anthropic-beta": "one"}),
        (
            {"anthropic-beta": "one,two"},
            {"anthropic-beta": "two, three"},
            "anthropic",
            {"anthropic-beta": "one,two,three"},
        ),
        ({"a": "b"}, {"anthropic-beta": " , one,"}, "anthropic", {"a": "b", "anthropic-beta": "one"}),
        ({"a": "b"}, {"anthropic-beta": "one"}, "openai_chat", {"a": "b"}),
        ({"a": "b"}, {"authorization": "x"}, "anthropic", {"a": "b"}),
    ],
)
def test_headers_are_joined_where_the_dialect_has_them(
    own: dict[str, str], passed: dict[str, str], dialect: str, sent: dict[str, str]
) -> None:
    """Lists are joined, each item once; a dialect gets only what is its own."""
    assert add_passed(own, passed, dialect) == sent
