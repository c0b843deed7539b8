# SPDX-License-Identifier: Apache-2.0
"""Generation ids: unique, fit for URLs, and sorted by time."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_server.core.call import make_generation_id

MOMENTS = st.integers(min_value=0, max_value=2**48 - 1)
NOISE = st.binary(min_size=10, max_size=10)


@given(earlier=MOMENTS, later=MOMENTS, noise=st.tuples(NOISE, NOISE))
def test_ids_sort_by_time(earlier: int, later: int, noise: tuple[bytes, bytes]) -> None:
    """The id of a later millisecond is the greater text, whatever the random bytes are."""
    ids = make_generation_id(earlier, noise[0]), make_generation_id(later, noise[1])
    assert (ids[0] < ids[1]) is (earlier < later) or earlier == later


@given(now=MOMENTS, noise=NOISE)
def test_an_id_is_a_short_plain_word(now: int, noise: bytes) -> None:
    """An id is `gen-` and 26 lower-case letters and digits: it needs no escaping in URLs and logs."""
    assert re.fullmatch(r"gen-[0-9a-v]{26}", make_generation_id(now, noise))


@given(now=MOMENTS, one=NOISE, other=NOISE)
def test_an_id_holds_all_random_bytes(now: int, one: bytes, other: bytes) -> None:
    """Two ids of one millisecond are equal only where all 80 random bits are."""
    assert (make_generation_id(now, one) == make_generation_id(now, other)) is (one == other)


def test_an_id_is_made_as_documented() -> None:
    """Milliseconds and random bytes stand in base32hex."""
    assert make_generation_id(1, bytes(10)) == "gen-0000000004" + "0" * 16


@pytest.mark.parametrize("size", [0, 9, 11])
def test_other_counts_of_random_bytes_are_refused(size: int) -> None:
    """Ten random bytes are due."""
    with pytest.raises(ValueError, match="10 random bytes"):
        make_generation_id(0, bytes(size))
