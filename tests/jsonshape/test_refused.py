# SPDX-License-Identifier: Apache-2.0
"""The table of keys that no caller may send."""

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.jsonshape import REFUSED_KEYS, REFUSED_REASONS, Codec


def test_every_refused_key_has_a_reason() -> None:
    """The table says why, key by key."""
    assert all(REFUSED_REASONS[key] for key in REFUSED_KEYS)


def test_no_key_of_the_contract_is_refused() -> None:
    """A refused key would make a field of that name unusable."""
    plans = Codec.compile([ChatCompletionRequest.DESCRIPTOR]).plans
    keys = {key for plan in plans.values() for layout in plan.layouts for key in layout.known}
    assert keys & REFUSED_KEYS == set()
