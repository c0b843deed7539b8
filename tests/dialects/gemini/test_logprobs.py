# SPDX-License-Identifier: Apache-2.0
"""Log probabilities."""

from typing import Any

import pytest

from trunkline.v1.chat_response_pb2 import Logprobs
from trunkline_server.dialects.gemini.logprobs import read_logprobs, write_logprobs

RESULT: dict[str, Any] = {
    "chosenCandidates": [{"token": "é", "logProbability": -0.5}, {"token": "b", "logProbability": -1.0}],
    "topCandidates": [
        {"candidates": [{"token": "é", "logProbability": -0.5}, {"token": "x", "logProbability": -2.0}]},
        {"candidates": []},
    ],
}


def test_there_and_back() -> None:
    """Each token has its likeliest alternatives, step by step, and comes back so."""
    logprobs = Logprobs()
    read_logprobs(RESULT, logprobs)
    assert [(token.token, token.logprob, bytes(token.bytes)) for token in logprobs.content] == [
        ("é", -0.5, "é".encode()),
        ("b", -1.0, b"b"),
    ]
    assert [len(token.top_logprobs) for token in logprobs.content] == [2, 0]
    assert write_logprobs(logprobs) == RESULT


@pytest.mark.parametrize("value", [None, {}, {"chosenCandidates": 3}, {"topCandidates": RESULT["topCandidates"]}])
def test_nothing(value: object) -> None:
    """A result without tokens adds none."""
    logprobs = Logprobs()
    read_logprobs(value, logprobs)
    assert logprobs == Logprobs()


def test_what_is_broken() -> None:
    """A token without its number is least likely; steps without alternatives have none."""
    logprobs = Logprobs()
    read_logprobs({"chosenCandidates": [{"token": 3, "logProbability": None}, 4], "topCandidates": [4]}, logprobs)
    assert [(token.token, token.logprob) for token in logprobs.content] == [("", -9999.0), ("", 0.0)]
