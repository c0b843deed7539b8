# SPDX-License-Identifier: Apache-2.0
"""Made-up log probabilities: always the same for the same token, never adding up to more than 1."""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import Any

from trunkline_server.upstream.simulator.dice import WORDS


def token_logprob(token: str, alternatives: int) -> dict[str, Any]:
    """One entry of `logprobs.content`. Of `alternatives` (0 to 20), the first is the token itself and each next one half as likely as what is left."""
    drawn = int.from_bytes(blake2b(token.encode(), digest_size=4).digest(), "big")
    probability = 0.5 + (drawn % 490) / 1000
    ranked = [(token, probability)]
    left = 1 - probability
    for word in (f" {word}" for word in WORDS if word != token.strip()):
        if len(ranked) >= alternatives:
            break
        left /= 2
        ranked.append((word, left))
    return {**_entry(token, probability), "top_logprobs": [_entry(*pair) for pair in ranked[:alternatives]]}


def _entry(token: str, probability: float) -> dict[str, Any]:
    return {"token": token, "logprob": round(math.log(probability), 6), "bytes": list(token.encode())}
