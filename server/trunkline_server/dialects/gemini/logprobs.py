# SPDX-License-Identifier: Apache-2.0
"""logprobsResult as log probabilities of the content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trunkline.v1.chat_response_pb2 import Logprobs, TokenLogprob, TopLogprob

LOGPROBS: Final = "logprobsResult"
_LEAST: Final = -9999.0


def read_logprobs(value: object, logprobs: Logprobs) -> None:
    """Adds the tokens of a result. The likeliest ones at each step stand in a list of their own, step by step."""
    result: Mapping[str, Any] = value if type(value) is dict else {}
    likeliest = _objects(result.get("topCandidates"))
    for step, chosen in enumerate(_objects(result.get("chosenCandidates"))):
        token = logprobs.content.add()
        _fill(token, chosen)
        for other in _objects(likeliest[step].get("candidates")) if step < len(likeliest) else ():
            _fill(token.top_logprobs.add(), other)


def write_logprobs(logprobs: Logprobs) -> dict[str, Any]:
    """The tokens in Google's words."""
    return {
        "chosenCandidates": [_write(token) for token in logprobs.content],
        "topCandidates": [{"candidates": [_write(top) for top in token.top_logprobs]} for token in logprobs.content],
    }


def _fill(token: TokenLogprob | TopLogprob, value: Mapping[str, Any]) -> None:
    text, logprob = value.get("token", ""), value.get("logProbability", 0.0)
    if type(text) is str:
        token.token = text
        token.bytes.extend(text.encode())
    token.logprob = float(logprob) if isinstance(logprob, int | float) else _LEAST


def _write(token: TokenLogprob | TopLogprob) -> dict[str, Any]:
    return {"token": token.token, "logProbability": token.logprob}


def _objects(value: object) -> list[dict[str, Any]]:
    return [item if type(item) is dict else {} for item in value] if type(value) is list else []
