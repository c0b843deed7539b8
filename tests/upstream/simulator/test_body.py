# SPDX-License-Identifier: Apache-2.0
"""Typed reading of parsed JSON."""

from collections.abc import Callable
from typing import Any

import pytest

from trunkline_server.upstream.simulator.body import (
    flag_at,
    integer_at,
    json_path,
    list_at,
    object_at,
    required_text,
    text_at,
    wrong,
)
from trunkline_server.upstream.simulator.refused import RefusedError


@pytest.mark.parametrize(
    ("path", "key", "joined"),
    [
        ("", "n", "n"),
        ("a", "b", "a.b"),
        ("a", 2, "a[2]"),
        ("a", "b c", 'a["b c"]'),
        ("a", '"', 'a["\\""]'),
        ("a", "$ref", "a.$ref"),
        ("", "", '[""]'),
    ],
)
def test_paths_quote_what_needs_it(path: str, key: str | int, joined: str) -> None:
    """Plain names follow a dot, items stand in brackets, other names in quotes as well."""
    assert json_path(path, key) == joined


@pytest.mark.parametrize("read", [object_at, list_at, text_at, flag_at, lambda *args: integer_at(*args, 0, 9)])
def test_absent_and_null_are_none(read: Callable[..., Any]) -> None:
    """Every reader gives None for both."""
    assert (read({}, "a", ""), read({"a": None}, "a", "")) == (None, None)


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (object_at, [], "an object"),
        (list_at, {}, "an array"),
        (text_at, 1, "a string"),
        (flag_at, 1, "true or false"),
        (required_text, 1, "a string"),
    ],
)
def test_other_types_are_refused(read: Callable[..., Any], value: Any, expected: str) -> None:
    """The refusal says the place, what was expected and what came."""
    with pytest.raises(RefusedError, match=rf"x\.a: expected {expected}, got") as caught:
        read({"a": value}, "a", "x")
    assert caught.value.param == "x.a"


def test_what_is_required_is_missed() -> None:
    """An absent required string is a fault of its own."""
    with pytest.raises(RefusedError, match="a: a string is missing"):
        required_text({}, "a", "")


@pytest.mark.parametrize("value", [-1, 10, True, 1.5, "1", [1]])
def test_integers_are_in_range_and_no_booleans(value: Any) -> None:
    """Only whole numbers from the range pass."""
    with pytest.raises(RefusedError, match="an integer from 0 to 9"):
        integer_at({"a": value}, "a", "", 0, 9)


@pytest.mark.parametrize(
    ("value", "shown"),
    [("x", '"x"'), ("x" * 50, "52 characters of JSON"), ([[]], "[[]]"), (None, "null"), ({"a": 1}, '{"a":1}')],
)
def test_short_values_are_shown(value: Any, shown: str) -> None:
    """Long ones are only measured."""
    assert wrong("", "something", value).message == f"The body: expected something, got {shown}."
