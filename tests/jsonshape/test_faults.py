# SPDX-License-Identifier: Apache-2.0
"""Faults as values and their texts."""

import pytest

from trunkline_server.jsonshape.faults import (
    MAX_FAULTS,
    Fault,
    Faults,
    Path,
    ShapeFaults,
    add_fault,
    add_missing,
    add_silent_fault,
    describe,
    path_depth,
    path_text,
)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (None, ""),
        ((None, "messages"), "messages"),
        ((((None, "messages"), 2), "content"), "messages[2].content"),
        ((None, 0), "[0]"),
        (((None, "logit_bias"), "a b"), 'logit_bias["a b"]'),
        (((None, "extra"), 'x"]'), 'extra["x\\"]"]'),
        ((None, "k" * 100), f'["{"k" * 40}"…]'),
        ((None, "json-schema"), "json-schema"),
    ],
)
def test_a_path_is_written_as_code_would_write_it(path: Path, text: str) -> None:
    """Keys follow a dot, indices and odd keys stand in brackets."""
    assert path_text(path) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (7, "the number 7"),
        (1.5, "the number 1.5"),
        (10**50, "the number beyond 128 bits"),
        ("x", 'the string "x"'),
        ("é" * 41, "the string " + '"' + "\\u00e9" * 40 + '"…'),
        ({}, "an empty object"),
        ({"a": 1}, "an object"),
        ([1, 2], "an array of 2"),
        (b"x", "a bytes"),
    ],
)
def test_a_value_is_described_briefly(value: object, text: str) -> None:
    """A fault names the JSON type that came and shows a little of it."""
    assert describe(value) == text


def test_depth_counts_the_containers_around_a_value() -> None:
    """Each key or index is one container."""
    assert path_depth((((None, "a"), 1), "b")) == 3


def test_only_the_first_faults_are_kept() -> None:
    """Twenty faults are enough; the rest goes uncounted."""
    faults: Faults = []
    for _ in range(MAX_FAULTS + 5):
        add_fault(faults, None, "a string", 1)
        add_missing(faults, None, "x")
        add_silent_fault(faults, None, "absent")
    assert len(faults) == MAX_FAULTS


def test_a_secret_fault_does_not_show_the_value() -> None:
    """Where a value must not be shown, the fault says what was expected only."""
    faults: Faults = []
    add_silent_fault(faults, (None, "api_key"), "absent")
    assert str(faults[0].finish()) == "api_key: must be absent"


def test_the_exception_holds_and_names_all_faults() -> None:
    """The exception's text lists every fault with its path."""
    error = ShapeFaults([Fault(path="", expected="an object", got="null"), Fault(path="a", expected="present")])
    assert str(error) == "body: must be an object, got null; a: must be present"
    assert [fault.path for fault in error.faults] == ["", "a"]
