# SPDX-License-Identifier: Apache-2.0
"""Patterns of slugs."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_server.routing.patterns import make_matcher


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("acme/one", True), ("acme/*", True), ("*/ONE", True), ("*", True), ("**", True), ("a*e/*n*", True),
        ("acme/one*", True), ("*c*o*e", True), ("acme", False), ("acme/on?", False), ("acme/[o]ne", False), ("", False),
        ("acme/o*one", False), ("*e*e*e*", False), ("*one/*", False), ("a*b*e", False), ("acme/one*one", False),
    ],
)  # fmt: skip
def test_patterns(pattern: str, matches: bool) -> None:
    """Only `*` stands for something else than itself."""
    assert make_matcher(["x", pattern])("acme/one") is matches


@given(pattern=st.text("ab*", max_size=8), slug=st.text("abB", max_size=8))
def test_patterns_are_those_of_files(pattern: str, slug: str) -> None:
    """What matches is what the standard library's `fnmatch` matches."""
    assert make_matcher([pattern])(slug) is fnmatchcase(slug.lower(), pattern)


def test_many_patterns_are_linear() -> None:
    """A thousand long patterns of stars need no more steps than they have letters."""
    patterns = ["*a" * 511 + str(place) for place in range(1024)]
    assert not make_matcher(patterns)("a" * 250)
