# SPDX-License-Identifier: Apache-2.0
"""How long one attempt may be silent, and whom a silence speaks of.

A provider's own time-outs are the most. Where others could follow, the call's time is split: an attempt has a part of what is left, and no part is shorter than
the least share, for what is shorter would only add requests that nobody waits for. A time-out that such a part made says nothing of an endpoint, unless it was
silent for far longer than it usually is; then it is held against it, however the wait ended: by that time-out, by the caller's deadline, or by its leaving.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trunkline_server.catalog.entry import Endpoint
from trunkline_server.core.health import EndpointHealth
from trunkline_server.routing.retry import LEAST_SHARE_S

FAR_BEYOND: Final = 4
"""Silence of so many times what nearly all calls to an endpoint take is a fault of it, whoever's patience ended it."""
LONG_SILENCE_S: Final = 10.0
"""Silence that is a fault of an endpoint that was put out and has not come back, whoever's patience ended it."""
PROBE_S: Final = 10.0
"""How long a probe of an endpoint that is out waits for the head of a stream; less where the endpoint is known to be quick, more where it takes longer, and so
much more each time it was put out: one that has become slower must come back too.
"""
WHOLE_PROBE_S: Final = 30.0
"""The same for a whole answer, whose head may come with its end."""
MOST_PROBE_GROWTH: Final = 10
BEYOND: Final = 2
"""How many times what nearly all calls take is unusual."""

_NO_LIMIT: Final = float("inf")
_STREAM_SHARE: Final = 1 / 2
_WHOLE_SHARE: Final = 3 / 4


@dataclass(slots=True, kw_only=True)
class Patience:
    """The time-outs of one attempt. Seconds.

    `share_s` is the attempt's part of the call's time, infinite where no other could follow; the first two are no longer. `usual_s` is within what time nearly
    all calls had what ends the silence, None: unknown.
    """

    first_byte_s: float
    first_content_s: float
    share_s: float
    usual_s: float | None
    is_out: bool

    def is_telling(self, silent_s: float) -> bool:
        """Whether such a silence speaks of the endpoint, though it was only the attempt's part of the call's time that ended it."""
        return self.is_far_beyond(silent_s) or (self.is_out and silent_s >= LONG_SILENCE_S)

    def is_far_beyond(self, silent_s: float) -> bool:
        """Whether an endpoint that is known to be quick has been silent for so long that it must have failed."""
        return self.usual_s is not None and silent_s >= _far_beyond_s(self.usual_s)


def allow(
    endpoint: Endpoint, health: EndpointHealth, *, streamed: bool, left_s: float, others_could_follow: bool
) -> Patience:
    """The patience with an endpoint, of a call that has `left_s` until its deadline.

    A stream has half of the time until it begins. A whole answer says nothing until it is there: it has three quarters, and more where its endpoint is known to
    need it. Where the parts would get too short, the attempt has all of the time and none follows.
    """
    timeouts = endpoint.provider.timeouts
    if streamed:
        # Its head comes at once, however long the model thinks then.
        first_byte_s = min(timeouts.first_byte_s, timeouts.stream_first_byte_s)
        first_content_s, usual, part, probe_s = timeouts.first_token_s, health.first_token_s, _STREAM_SHARE, PROBE_S
    else:
        # It may begin to come long before it says anything, kept alive by blanks.
        first_byte_s = timeouts.first_byte_s
        first_content_s, usual, part, probe_s = timeouts.total_s, health.latency_s, _WHOLE_SHARE, WHOLE_PROBE_S
    usual_s = None if usual is None else usual.p99
    share_s, is_out = _NO_LIMIT, health.ejected_until_s is not None
    if others_could_follow:
        if is_out:
            if usual_s is not None:
                probe_s = min(_far_beyond_s(usual_s), max(probe_s, BEYOND * usual_s))
            first_byte_s = min(first_byte_s, probe_s * min(max(health.ejections, 1), MOST_PROBE_GROWTH))
        if left_s >= 2 * LEAST_SHARE_S:
            share_s = min(max(left_s * part, LEAST_SHARE_S), left_s - LEAST_SHARE_S)
            if not streamed and usual_s is not None:
                share_s = max(share_s, FAR_BEYOND * usual_s)
    return Patience(
        first_byte_s=min(first_byte_s, share_s),
        first_content_s=min(first_content_s, share_s),
        share_s=share_s,
        usual_s=usual_s,
        is_out=is_out,
    )


def _far_beyond_s(usual_s: float) -> float:
    return max(LEAST_SHARE_S, FAR_BEYOND * usual_s)
