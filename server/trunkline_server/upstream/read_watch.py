# SPDX-License-Identifier: Apache-2.0
"""Time limits on reading an answer, with one timer for the answer rather than one for each read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError


class ReadWatch:
    """Fails a reader that waits too long.

    The first read must end at `first_due_s`; until `note_content` is called the others must at `content_due_s`, and then each `idle_timeout_s` after it began;
    everything at `last_due_s`, and at `deadline_s`, which is the caller's. Moments are of the monotonic clock. Time in which nobody reads does not count
    before the last two: there the client is slow, not the provider. `fail` is called once at most.
    """

    __slots__ = (
        "_content_due_s", "_deadline_s", "_fail", "_first_due_s", "_idle_timeout_s", "_last_due_s", "_loop", "_timer", "_waiting_since_s",
    )  # fmt: skip

    def __init__(
        self,
        *,
        first_due_s: float,
        content_due_s: float,
        idle_timeout_s: float,
        last_due_s: float,
        deadline_s: float,
        fail: Callable[[GatewayError], None],
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._loop = loop or asyncio.get_running_loop()
        # Content needs a head.
        self._first_due_s: float | None = min(first_due_s, content_due_s)
        self._content_due_s: float | None = content_due_s
        self._idle_timeout_s = idle_timeout_s
        self._last_due_s = last_due_s
        self._deadline_s = deadline_s
        self._fail = fail
        self._waiting_since_s: float | None = None
        self._timer = self._call_at(self._first_due_s)

    def begin_read(self) -> None:
        """Somebody waits for bytes from now on."""
        self._waiting_since_s = time.monotonic()

    def end_read(self) -> None:
        """Bytes have come."""
        self._waiting_since_s = self._first_due_s = None

    def note_content(self) -> None:
        """Bytes that say something have come."""
        self._content_due_s = None

    def stop(self) -> None:
        """Nobody will read any more."""
        self._timer.cancel()

    def _call_at(self, moment_s: float) -> asyncio.TimerHandle:
        # No later than the idle time-out, whatever is due then: so a read costs no timer.
        delay_s = min(min(moment_s, self._last_due_s, self._deadline_s) - time.monotonic(), self._idle_timeout_s)
        return self._loop.call_later(max(delay_s, 0.0), self._check)

    def _check(self) -> None:
        now_s = time.monotonic()
        due_s, what = self._next_due()
        if now_s >= self._deadline_s:
            self._fail(deadline_error())
        elif now_s >= self._last_due_s:
            self._fail_late("did not end its answer in time")
        elif now_s >= due_s:
            self._fail_late(what)
        else:
            self._timer = self._call_at(due_s)

    def _next_due(self) -> tuple[float, str]:
        """When the read under way must end, and what the provider did otherwise."""
        since_s = self._waiting_since_s
        if since_s is None:
            return time.monotonic() + self._idle_timeout_s, ""
        if self._first_due_s is not None:
            return self._first_due_s, "did not begin its answer in time"
        if self._content_due_s is not None:
            return self._content_due_s, "said nothing in time"
        return since_s + self._idle_timeout_s, "fell silent"

    def _fail_late(self, what: str) -> None:
        self._fail(GatewayError(ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT, f"The provider {what}."))


def deadline_error() -> GatewayError:
    """The failure of a call whose own time is over."""
    return GatewayError(ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED, "The call's deadline has passed.")
