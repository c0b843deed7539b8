# SPDX-License-Identifier: Apache-2.0
"""The record of a finished call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trunkline_server.core.errors import AttemptFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One finished call: ids, route taken, usage, outcome.

    `status` is "ok", "cancelled" or the failure's reason name. `model` is the first model asked for. `provider` and `endpoint_model` are those of the last
    attempt, None where none was made; `attempts` are the failures before it. Token counts are 0 and `cost_pusd` (1e-12 USD) None where the provider said
    nothing. `latency_ms` is the time from the engine's start to the end, `first_token_ms` to the first content (None: there was none).
    """

    generation_id: str
    request_id: str
    principal: str
    wire: str
    streamed: bool
    model: str
    endpoint_model: str | None
    provider: str | None
    attempts: Sequence[AttemptFailure]
    status: str
    created_s: int
    latency_ms: float
    first_token_ms: float | None
    prompt_tokens: int
    completion_tokens: int
    cost_pusd: int | None
