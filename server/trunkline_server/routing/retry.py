# SPDX-License-Identifier: Apache-2.0
"""What follows a failed attempt. Decided by the failure's reason and by what is left, never by a provider's words.

Another endpoint that stands well is always allowed. An endpoint that does not, and the same one again, are retries: they take from the budget, so that a
failing provider is not asked more and more. Where the budget has none left, endpoints that do not stand well are passed over. The same endpoint is asked
again only where the reason says that it may help, when no other is left, and after a pause.

A time-out that the call's own hurry made is followed by one other endpoint like any failure; from the second on they take from the budget too, so that
callers with little time do not ask every endpoint there is. None follows where too little time is left for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from trunkline.v1.error_pb2 import ErrorReason, Recourse
from trunkline_server.catalog.entry import Endpoint, EndpointKey
from trunkline_server.core.errors import GatewayError
from trunkline_server.routing.health import Standing

MOST_TRIES: Final = 8
"""Attempts of one call in all."""
MOST_TRIES_AT_ONE: Final = 2
"""Attempts of one call at one endpoint."""
FIRST_PAUSE_S: Final = 0.2
"""The longest pause before the first retry at an endpoint; each further one doubles it."""
LONGEST_PAUSE_S: Final = 2.0
LONGEST_WAIT_S: Final = 10.0
"""The longest wait asked for by a provider that a call waits; a longer one is the caller's to wait, who is told of it."""
LEAST_SHARE_S: Final = 2.0
"""The shortest part of a call's time that an attempt gets where others could follow."""
ROUNDING_S: Final = 0.1
"""How exactly timers are told."""

_ANOTHER_ENDPOINT_HELPS: Final = frozenset({Recourse.RECOURSE_RETRY, Recourse.RECOURSE_OTHER_ENDPOINT})
_TOO_LONG: Final = frozenset(
    {ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED, ErrorReason.ERROR_REASON_TOKEN_LIMIT_EXCEEDED}
)
_IN_SERVICE: Final = frozenset({Standing.WELL, Standing.DUE})


@dataclass(frozen=True, slots=True, kw_only=True)
class TryNext:
    """The endpoint at this place of those left is next. `spends`: it takes from the retry budget."""

    place: int
    spends: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TryAgain:
    """The same endpoint is next, after a pause. It takes from the retry budget."""

    after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """Nothing follows. `held_back`: something might have helped, and the budget or an ejection does not allow it."""

    held_back: bool = False


Step = TryNext | TryAgain | GiveUp


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Where a call stands after a failure: the endpoints left, in order; the tries so far, and those at the endpoint that failed; how endpoints stand (those that
    stand well are left out); whether the budget has a retry left; the seconds until the deadline; numbers in [0, 1). `hurries` are the time-outs so far that were
    the call's own hurry.
    """

    rest: Sequence[Endpoint]
    tries: int
    tries_here: int
    standings: Mapping[EndpointKey, Standing]
    has_budget: bool
    left_s: float
    draw: Callable[[], float]
    hurries: int = 0


def next_step(error: GatewayError, failed: Endpoint, situation: Situation) -> Step:
    """What follows `failed` having failed with `error` before any content left."""
    least_s = LEAST_SHARE_S - ROUNDING_S if situation.hurries else 0.0
    if situation.tries >= MOST_TRIES or situation.left_s <= least_s:
        return GiveUp()
    others = _find_others(error, failed, situation.rest)
    for place in others:
        is_well = situation.standings.get(situation.rest[place].key, Standing.WELL) in _IN_SERVICE
        spends = not is_well or situation.hurries > 1
        if situation.has_budget or not spends:
            return TryNext(place=place, spends=spends)
    if others:
        return GiveUp(held_back=True)
    if error.shape.recourse != Recourse.RECOURSE_RETRY or situation.tries_here >= MOST_TRIES_AT_ONE:
        return GiveUp()
    if (error.retry_after_s or 0.0) > LONGEST_WAIT_S:
        # A call that waits keeps its retry of the budget: a few long waits would leave no retries to all others.
        return GiveUp()
    pause_s = _pause(error, situation)
    if pause_s >= situation.left_s:
        return GiveUp()
    is_out = situation.standings.get(failed.key) == Standing.OUT
    return TryAgain(after_s=pause_s) if situation.has_budget and not is_out else GiveUp(held_back=True)


def _find_others(error: GatewayError, failed: Endpoint, rest: Sequence[Endpoint]) -> Sequence[int]:
    """The places of the endpoints left that may do better."""
    recourse = error.shape.recourse
    if recourse in _ANOTHER_ENDPOINT_HELPS:
        return range(len(rest))
    if recourse != Recourse.RECOURSE_OTHER_MODEL:
        return ()
    helps = _has_larger_window if error.reason in _TOO_LONG else _is_other_model
    return [place for place, endpoint in enumerate(rest) if helps(endpoint, failed)]


def _is_other_model(endpoint: Endpoint, failed: Endpoint) -> bool:
    return endpoint.model != failed.model


def _has_larger_window(endpoint: Endpoint, failed: Endpoint) -> bool:
    """Whether a prompt that was too long may fit: another model's window may be counted by another tokenizer, unless it is known to be no larger."""
    if endpoint.context_length is None or failed.context_length is None:
        return endpoint.model != failed.model
    return endpoint.context_length > failed.context_length


def _pause(error: GatewayError, situation: Situation) -> float:
    """A random part ("full jitter") of a time that doubles with each try, after the wait that the provider asks for: so that calls refused together do not
    come back together.
    """
    jitter_s = situation.draw() * min(FIRST_PAUSE_S * 2.0 ** (situation.tries_here - 1), LONGEST_PAUSE_S)
    return (error.retry_after_s or 0.0) + jitter_s
