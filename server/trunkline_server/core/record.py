# SPDX-License-Identifier: Apache-2.0
"""The record of a finished call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trunkline.v1.error_pb2 import ErrorBody
from trunkline_server.core.errors import AttemptFailure

CANCELLED = "cancelled"
OK = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at one endpoint.

    `provider` is the provider's name for people, `endpoint` the endpoint's tag. `status` is 200 for a whole answer, else the failure's HTTP status, None
    where the caller left, and 499 where another attempt of the call had its answer first. `upstream_id` and `service_tier` are what the provider said of its answer, None where nothing.
    """

    endpoint: str
    provider: str
    model: str
    status: int | None
    latency_ms: float
    upstream_id: str | None
    service_tier: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One finished call: ids, route taken, usage, outcome.

    `status` is "ok", "cancelled" or the failure's reason name, `error` the failure as the caller was told it. `model` is the first model asked for.
    `provider` (slug), `provider_name` and `endpoint_model` are those of the last attempt, None where none was made; `attempts` are the failures before
    it, `tries` all attempts. Token counts are those of what came until the end, estimated where the provider counted nothing; 0 where nothing came.
    `cost_pusd` is what the caller is charged, `upstream_cost_pusd` what the provider did (1e-12 USD; None: nobody said). `latency_ms` is the time from the
    engine's start to the end, `first_token_ms` to the first content (None: there was none). `finish_reason` is the first choice's, in the words of JSON;
    "error" where the answer broke off, None where it has no end. `unsent` are the parameters that the caller set and the last provider did not get, as
    JSON paths without indices, `changed` those that it got otherwise than meant, each with what was done. `strategy` says how the first model was found (None: there was no plan); `exclusions` are the first endpoints that were left out
    (32 at most), each by its tag with the word of `availability.excluded_by`.
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
    provider_name: str | None = None
    tries: Sequence[Attempt] = ()
    error: ErrorBody | None = None
    upstream_id: str | None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    service_tier: str | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    image_tokens: int = 0
    upstream_cost_pusd: int | None = None
    media_read: int = 0
    sounds_read: int = 0
    images_made: int = 0
    session_id: str | None = None
    unsent: Sequence[str] = ()
    changed: Sequence[tuple[str, str]] = ()
    strategy: str | None = None
    exclusions: Sequence[tuple[str, str]] = ()
    user: str | None = None
    referer: str | None = None
    user_agent: str | None = None

    @property
    def is_cancelled(self) -> bool:
        """The caller left before the end."""
        return self.status == CANCELLED
