# SPDX-License-Identifier: Apache-2.0
"""The account of Anthropic's language."""

from trunkline_server.dialects.account import FIELDS, Kind, missing, refused
from trunkline_server.dialects.anthropic.account import ACCOUNT


def test_every_field_is_accounted_for() -> None:
    """No field is missing, and none is named that the contract does not have."""
    assert missing(ACCOUNT) == ()
    assert set(ACCOUNT) == set(FIELDS)


def test_what_is_not_sent_has_its_reason() -> None:
    """Whoever reads the table learns why."""
    assert [
        path for path, entry in ACCOUNT.items() if entry.kind in {Kind.DROPPED, Kind.GATEWAY} and not entry.why
    ] == []


def test_refused_parameters() -> None:
    """A caller who requires these cannot be served by Anthropic."""
    assert refused(ACCOUNT) >= {"seed", "logit_bias", "n", "frequency_penalty", "logprobs"}
    assert not refused(ACCOUNT) & {"tools", "reasoning", "response_format", "stop", "temperature", "verbosity"}
