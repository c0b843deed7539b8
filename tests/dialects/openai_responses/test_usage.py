# SPDX-License-Identifier: Apache-2.0
"""Usage, each way."""

import pytest

from trunkline_server.dialects.openai_responses.usage import parse_usage, render_usage

OWN = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 15,
}
CHAT = {
    "prompt_tokens": 10,
    "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
    "completion_tokens": 5,
    "completion_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 15,
}


def test_both_ways() -> None:
    """The counts are the same under other names, cached tokens being part of the prompt in both."""
    assert parse_usage(OWN) == CHAT
    assert render_usage(CHAT) == OWN


def test_counts_are_always_there() -> None:
    """Clients read the details without asking whether they are there; what the gateway adds comes last."""
    rendered = render_usage({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "cost": 0.5})
    assert rendered["input_tokens_details"] == {"cached_tokens": 0, "cache_write_tokens": 0}
    assert rendered["output_tokens_details"] == {"reasoning_tokens": 0}
    assert list(rendered)[-1] == "cost"


@pytest.mark.parametrize("value", [None, "10", {}, {"input_tokens": -1, "output_tokens": 1}, {"input_tokens": 1}])
def test_what_is_not_to_be_believed(value: object) -> None:
    """A broken report is none, so that the engine estimates."""
    assert parse_usage(value) is None
