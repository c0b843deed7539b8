# SPDX-License-Identifier: Apache-2.0
"""How answers end."""

import pytest

from trunkline.v1.chat_response_pb2 import FinishReason
from trunkline_server.core.errors import reason_name
from trunkline_server.dialects.gemini.finishes import (
    FAILURES,
    FINISHES,
    UNFINISHED,
    failure_of_finish,
    failure_of_prompt,
)

WORDS = """
FINISH_REASON_UNSPECIFIED STOP MAX_TOKENS SAFETY RECITATION LANGUAGE OTHER BLOCKLIST PROHIBITED_CONTENT SPII MALFORMED_FUNCTION_CALL IMAGE_SAFETY
IMAGE_PROHIBITED_CONTENT IMAGE_OTHER NO_IMAGE IMAGE_RECITATION UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS MISSING_THOUGHT_SIGNATURE MALFORMED_RESPONSE
ESCALATION PUP_LIMITED_DISABLED CONTINUATION MODEL_ARMOR
"""


@pytest.mark.parametrize("word", WORDS.split())
def test_every_word_has_its_place(word: str) -> None:
    """Each of Google's words ends an answer, tells of a failure, or is no end; none is two of these."""
    assert (word in FINISHES) + (word in FAILURES) + (word in UNFINISHED) == 1
    assert (failure_of_finish(word) is not None) == (word in FAILURES)


def test_filters() -> None:
    """What a filter cut has ended so."""
    assert FINISHES["SAFETY"] == FINISHES["SPII"] == FinishReason.FINISH_REASON_CONTENT_FILTER


def test_a_failure() -> None:
    """A failure keeps Google's word."""
    failure = failure_of_finish("MALFORMED_FUNCTION_CALL")
    assert failure is not None
    assert (reason_name(failure.reason), failure.provider_code) == (
        "PROVIDER_INVALID_RESPONSE",
        "MALFORMED_FUNCTION_CALL",
    )


def test_blocked_prompts() -> None:
    """A blocked prompt is a violation of the provider's policy."""
    failure = failure_of_prompt({"blockReason": "SAFETY", "safetyRatings": []})
    assert failure is not None
    assert (reason_name(failure.reason), failure.provider_code) == ("CONTENT_POLICY_VIOLATION", "SAFETY")
    assert [failure_of_prompt(value) for value in (None, {}, {"blockReason": ""}, {"blockReason": 3})] == [None] * 4
