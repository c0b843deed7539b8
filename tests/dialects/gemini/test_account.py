# SPDX-License-Identifier: Apache-2.0
"""The account of Google's language."""

from trunkline_server.dialects.account import FIELDS, Kind, missing
from trunkline_server.dialects.gemini import ACCOUNT


def test_every_field_is_named() -> None:
    """No field of the contract is without its place, and no place without its field."""
    assert missing(ACCOUNT) == ()
    assert [path for path in ACCOUNT if path not in FIELDS] == []


def test_every_entry_says_enough() -> None:
    """What is sent elsewhere says where; what is not sent says why."""
    silent = {Kind.DROPPED, Kind.GATEWAY}
    assert [path for path, entry in ACCOUNT.items() if entry.kind in silent and not entry.why] == []
    named = {Kind.RENAMED, Kind.CLAMPED}
    assert [path for path, entry in ACCOUNT.items() if entry.kind in named and not entry.word] == []
