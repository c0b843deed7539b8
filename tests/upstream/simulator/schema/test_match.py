# SPDX-License-Identifier: Apache-2.0
"""Whether values fit schemas, compared with the jsonschema package."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from support.schemas import schemas
from trunkline_server.upstream.simulator.schema.match import Matcher
from trunkline_server.upstream.simulator.schema.steps import Steps

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(-9, 9)
    | st.sampled_from(["", "a", "red", "ab", "AB-1234"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "name", "next"]), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(schema=schemas(), value=VALUES)
def test_it_judges_as_the_referee_does(schema: Any, value: Any) -> None:
    """Formats aside, both say the same of any schema and value."""
    assert Matcher(schema, Steps()).fits(schema, value) == Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        ({"uniqueItems": True}, [1, True, "1", [1], {"a": 1}], True),
        ({"uniqueItems": True}, [1, 1.0], False),
        ({"uniqueItems": True}, [{"a": [1]}, {"a": [1.0]}], False),
        ({"const": 1}, True, False),
        ({"const": 0}, False, False),
        ({"const": [1]}, [1.0], True),
        ({"enum": [None]}, None, True),
        ({"type": "integer"}, 5.0, True),
        ({"type": "integer"}, True, False),
        ({"type": "number"}, False, False),
        ({"multipleOf": 0.01}, 0.07, False),  # in floating point, as the referee has it
        ({"multipleOf": 0.01}, 5.25, True),
        ({"minLength": 1}, "🙂", True),
        ({"maxLength": 1}, "🙂", True),
        ({"pattern": "b"}, "abc", True),
        ({"format": "date"}, "no date", True),
        (False, 1, False),
    ],
)
def test_corners(schema: Any, value: Any, fits: bool) -> None:
    """JSON's equality, characters as code points, and formats as annotations."""
    assert Matcher(schema, Steps()).fits(schema, value) is fits


def test_a_reference_to_itself_fits_nothing() -> None:
    """A circle of references without a step into the value ends."""
    schema = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}
    assert Matcher(schema, Steps()).fits(schema, 1) is False
