# SPDX-License-Identifier: Apache-2.0
"""Faults in words."""

from typing import Any, cast

import pytest
from pydantic_core import ErrorDetails

from trunkline_server.config.faults import Fault, SettingsError, describe_error, format_path, suggest


def test_a_fault_begins_with_its_place() -> None:
    """Editors jump to FILE:LINE."""
    assert (
        str(Fault(where="gateway.toml:3", message="http: unknown key `x`.", line=3))
        == "gateway.toml:3: http: unknown key `x`."
    )


def test_an_error_holds_all_faults() -> None:
    """Each is a line of its text."""
    faults = [Fault(where="a", message="1"), Fault(where="b", message="2")]
    assert (str(SettingsError(faults)), SettingsError(faults).faults) == ("a: 1\nb: 2", tuple(faults))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("http", "listen"), "http.listen"),
        (("models", 0, "endpoints", 12, "provider"), "models[0].endpoints[12].provider"),
    ],
)
def test_a_path(path: tuple[str | int, ...], text: str) -> None:
    """Indices stand in brackets, counted from 0."""
    assert format_path(path) == text


@pytest.mark.parametrize(("word", "text"), [("lissten", " Did you mean `listen`?"), ("zzz", "")])
def test_a_suggestion(word: str, text: str) -> None:
    """Only a word that is close is suggested."""
    assert suggest(word, ["listen", "port"]) == text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ({"type": "missing", "loc": ("keys", 0, "name")}, "`name` is missing"),
        ({"type": "extra_forbidden", "loc": ("lissten",)}, "unknown key `lissten`. Did you mean `listen`?"),
        ({"type": "literal_error", "loc": ("prices", "x", "[key]")}, "unknown key `x`."),
        ({"type": "literal_error", "loc": ("a",), "ctx": {"expected": "'b' or 'c'"}}, "must be 'b' or 'c'"),
        ({"type": "greater_than", "loc": ("a",), "ctx": {"gt": 0}}, "must be more than 0"),
        ({"type": "greater_than_equal", "loc": ("a",), "ctx": {"ge": 1024}}, "must be at least 1024"),
        ({"type": "bool_type", "loc": ("a",)}, "must be true or false"),
        ({"type": "anything_else", "loc": ("a",), "msg": "as pydantic says"}, "as pydantic says"),
    ],
)
def test_an_error_in_words(error: dict[str, Any], text: str) -> None:
    """The errors of pydantic become sentences without the value."""
    assert describe_error(cast("ErrorDetails", {"msg": "", "ctx": {}, **error}), ["listen", "port"]) == text
