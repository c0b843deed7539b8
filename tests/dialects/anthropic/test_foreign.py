# SPDX-License-Identifier: Apache-2.0
"""Other makers' reasoning inside Anthropic's opaque fields."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_server.dialects.anthropic.foreign import MARK, unwrap, wrap


@given(detail=st.dictionaries(st.text(max_size=4), st.text(max_size=4) | st.integers(-9, 9), max_size=3))
def test_what_is_wrapped_comes_out(detail: dict[str, Any]) -> None:
    """A detail survives the way to the client and back."""
    assert unwrap(wrap(detail)) == detail


@pytest.mark.parametrize("text", [5, None, "", "EvcBCkgIChABGAIq", MARK, f"{MARK}%%%", f"{MARK}W10=", f"{MARK}e30"])
def test_everything_else_is_nothing_of_ours(text: object) -> None:
    """Signatures, and what a client has damaged, are no details."""
    assert unwrap(text) is None
