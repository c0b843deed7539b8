# SPDX-License-Identifier: Apache-2.0
"""The pattern language, compared with Python's `re`."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.schemas import PATTERNS
from trunkline_server.upstream.simulator.refused import RefusedError
from trunkline_server.upstream.simulator.schema.pattern import parse_pattern, pattern_found
from trunkline_server.upstream.simulator.schema.steps import Steps

ATOMS = st.sampled_from(["a", "b", ".", r"\d", r"\w", "[ab]", "[^a]", "[a-c]", r"\.", "^", "$", "1"])
PATTERN = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}", "*?"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=8,
)


@given(pattern=PATTERN, text=st.text("abc1.", max_size=8))
def test_it_finds_what_python_finds(pattern: str, text: str) -> None:
    """On short texts both say the same."""
    assert pattern_found(parse_pattern(pattern, "p"), text, Steps()) == (re.search(pattern, text, re.ASCII) is not None)


@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=st.from_regex("|".join(PATTERNS)) | st.text(max_size=6))
def test_usual_patterns_find_what_python_finds(pattern: str, text: str) -> None:
    """So it is for the patterns that schemas use, a last newline aside: ECMA-262 does not pass over it."""
    text = text.rstrip("\n")
    assert pattern_found(parse_pattern(pattern, "p"), text, Steps()) <= (re.search(pattern, text) is not None)


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("(?=a)", "group"),
        ("(?!a)", "group"),
        ("(?<=a)b", "group"),
        ("(?i)a", "group"),
        (r"(a)\1", r"escape '\\1'"),
        (r"\bword", r"escape '\\b'"),
        (r"\p{L}", r"escape '\\p'"),
        (r"\x4", "escape"),
        (r"\u00g0", "escape"),
        ("a++", "possessive"),
        ("a**", "nothing|without something"),
        ("*a", "without something"),
        ("^*", "without something"),
        ("a{2}{3}", "without something"),
        ("a{3,2}", "reversed"),
        ("a{,3}", "lower bound"),
        ("(a", r"'\('"),
        ("a)", r"'\)'"),
        ("[a", "unfinished"),
        ("[]a]", "begins with"),
        ("[[a]", "inside a class"),
        ("[z-a]", "range"),
        (r"[\d-z]", "range"),
        ("a\\", "unfinished"),
        ("a{5000}", "4096 characters"),
        ("((a{100}){100})", "4096 characters"),
        ("(a{4000})(b{4000})", "4096 characters"),
        ("(" * 40 + ")" * 40, "inside 30 others"),
        ("a" * 5000, "4096 characters"),
    ],
)
def test_what_is_outside_is_refused_by_name(pattern: str, what: str) -> None:
    """The refusal says what stands where."""
    with pytest.raises(RefusedError, match=what) as caught:
        parse_pattern(pattern, "p")
    assert caught.value.param == "p"


@given(pattern=st.text("ab^$.|()[]{}*+?\\dwx01,-:=!<>", max_size=12))
def test_no_text_raises_anything_but_a_refusal(pattern: str) -> None:
    """What is read is also a pattern for Python."""
    try:
        parse_pattern(pattern, "p")
    except RefusedError:
        return
    re.compile(pattern)


def test_hostile_patterns_end() -> None:
    """Nested repeats on a long text that does not match take bounded work."""
    steps = Steps()
    assert pattern_found(parse_pattern(r"^((a+)+)+$", "p"), "a" * 300 + "!", steps) is False
