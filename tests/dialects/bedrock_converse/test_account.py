# SPDX-License-Identifier: Apache-2.0
"""The account of Bedrock's Converse; tests/dialects/test_accounts_hold.py shows that it holds."""

from trunkline_server.dialects.account import missing, refused
from trunkline_server.dialects.bedrock_converse import ACCOUNT


def test_every_field_is_there() -> None:
    """No field of the contract is lost in silence."""
    assert missing(ACCOUNT) == ()


def test_what_require_parameters_keeps_away() -> None:
    """A request that needs one of these cannot be served here."""
    assert {"seed", "logprobs", "min_p"} <= refused(ACCOUNT)
