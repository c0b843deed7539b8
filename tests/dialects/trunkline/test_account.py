# SPDX-License-Identifier: Apache-2.0
"""What becomes of each field on its way to another gateway."""

from trunkline_server.dialects.account import Kind, missing, refused
from trunkline_server.dialects.trunkline.account import ACCOUNT


def test_nothing_is_dropped() -> None:
    """The other side speaks the whole contract."""
    assert missing(ACCOUNT) == ()
    assert refused(ACCOUNT) == frozenset()
    assert {path for path, entry in ACCOUNT.items() if entry.kind is Kind.GATEWAY} == {"models", "route"}
