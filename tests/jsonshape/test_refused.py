# SPDX-License-Identifier: Apache-2.0
"""The table of keys that no caller may send."""

import pytest

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.jsonshape import REFUSED_KEYS, REFUSED_REASONS, Codec


def test_every_refused_key_has_a_reason() -> None:
    """The table says why, key by key."""
    assert all(REFUSED_REASONS.values())
    assert set(REFUSED_REASONS) <= REFUSED_KEYS


@pytest.mark.parametrize(
    "spelling", ["api_base", "API_BASE", "apiBase", "ApiBase", "api-base", "apibase", "baseURL", "apiKey"]
)
def test_other_spellings_are_refused_too(spelling: str) -> None:
    """A client's own spelling is no way around the table."""
    assert spelling in REFUSED_KEYS


def test_no_key_of_the_contract_is_refused() -> None:
    """A refused key would make a field of that name unusable."""
    plans = Codec.compile([ChatCompletionRequest.DESCRIPTOR]).plans
    keys = {key for plan in plans.values() for layout in plan.layouts for key in layout.known}
    assert keys & REFUSED_KEYS == set()
