# SPDX-License-Identifier: Apache-2.0
"""Reasons to stop in both vocabularies."""

import pytest

from trunkline.v1.chat_response_pb2 import FinishReason
from trunkline_server.dialects.anthropic.finish import FINISH_REASONS, stop_reason


@pytest.mark.parametrize("native", sorted(FINISH_REASONS))
def test_own_words_come_back(native: str) -> None:
    """Anthropic's own reason reaches its client as it was."""
    assert stop_reason(FINISH_REASONS[native], native) == native


CALLED = [
    ("STOP", "", "tool_use"),
    ("STOP", "stop", "tool_use"),
    ("STOP", "end_turn", "tool_use"),
    ("LENGTH", "", "max_tokens"),
]


@pytest.mark.parametrize(("finish", "native", "told"), CALLED)
def test_a_stop_beside_calls(finish: str, native: str, told: str) -> None:
    """A client of Anthropic's runs tools for `tool_use` alone; many servers say "stop" of a call."""
    assert stop_reason(FinishReason.Value(f"FINISH_REASON_{finish}"), native, called=True) == told


OTHERS = [
    ("STOP", "", "end_turn"),
    ("STOP", "eos", "end_turn"),
    ("LENGTH", "MAX_TOKENS", "max_tokens"),
    ("TOOL_CALLS", "stop", "tool_use"),
    ("FUNCTION_CALL", "", "tool_use"),
    ("CONTENT_FILTER", "SAFETY", "refusal"),
    ("STOP", "tool_use", "end_turn"),
    ("ERROR", "", None),
    ("UNSPECIFIED", "", None),
]


@pytest.mark.parametrize(("finish", "native", "told"), OTHERS)
def test_other_makers_words(finish: str, native: str, told: str | None) -> None:
    """Any other answer gets the word that means what its finish means."""
    assert stop_reason(FinishReason.Value(f"FINISH_REASON_{finish}"), native) == told
