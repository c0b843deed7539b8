# SPDX-License-Identifier: Apache-2.0
"""The thoughts of sim/reasoner, and their signatures.

A signature seals the text of a reasoning detail under its id. When a detail with such an id comes back in a later turn, it is checked, as some providers
do: whoever changes or joins details wrongly on the way learns it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from trunkline_server.upstream.simulator.conversation import Message
from trunkline_server.upstream.simulator.dice import Dice
from trunkline_server.upstream.simulator.refused import RefusedError
from trunkline_server.upstream.simulator.request import Thinking
from trunkline_server.upstream.simulator.script import Reasoning
from trunkline_server.upstream.simulator.tokens import split_text

DETAIL_PREFIX: Final = "rs-sim-"
FORMAT: Final = "unknown"
"""The `format` of the details: that of no provider."""

_STEPS: Final = {"minimal": 1, "low": 2, "medium": 3, "high": 5, "xhigh": 7, "max": 9}
_USUAL_STEPS: Final = 3


def think(user_text: str, thinking: Thinking, dice: Dice) -> Reasoning | None:
    """Thoughts on a text, more of them for more effort; None where thinking is off. Cut at the budget, they have no signature."""
    if not thinking.enabled or thinking.budget == 0:
        return None
    numbers = range(1, _STEPS.get(thinking.effort or "", _USUAL_STEPS) + 1)
    steps = [f"Step {number}: I weigh the {dice.word()} against the {dice.word()}." for number in numbers]
    text = "\n".join([f"I was told {len(user_text)} characters.", *steps])
    detail_id = DETAIL_PREFIX + dice.hex(16)
    tokens = split_text(text)
    whole = thinking.budget is None or len(tokens) <= thinking.budget
    return Reasoning(
        tokens=tokens[: thinking.budget],
        detail_id=detail_id,
        signature=_sign(detail_id, text) if whole else None,
        shown=thinking.shown,
    )


def check_details(messages: Sequence[Message]) -> None:
    """Raises RefusedError where a reasoning detail of ours came back with another text than was signed."""
    for message in messages:
        for position, detail in enumerate(message.reasoning_details):
            detail_id = detail.get("id") if isinstance(detail, dict) else None
            if not isinstance(detail_id, str) or not detail_id.startswith(DETAIL_PREFIX):
                continue
            signature, text = detail.get("signature"), detail.get("text")
            if signature is not None and not (isinstance(text, str) and signature == _sign(detail_id, text)):
                path = f"{message.path}.reasoning_details[{position}]"
                raise RefusedError(
                    f"{path}: the signature does not fit the text.", param=path, code="invalid_signature"
                )


def _sign(detail_id: str, text: str) -> str:
    return blake2b(f"{detail_id}\n{text}".encode(), digest_size=24).hexdigest()
