# SPDX-License-Identifier: Apache-2.0
"""Endpoints at which streams wait for their head become suspect, long before any time-out."""

from collections import OrderedDict

from support.builders import MODEL
from trunkline_server.core.health import EndpointHealth
from trunkline_server.engine.health import REFRESH_S, HealthBook
from trunkline_server.engine.waits import SUSPECT_S, HeadWaits

KEY_A, KEY_B = (MODEL, "a"), (MODEL, "b")


class Waiting:
    """Waits, their health book, and a clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.health = HealthBook(lambda: self.now_s)
        self.waits = HeadWaits(self.health, lambda: self.now_s)

    def suspects(self) -> set[tuple[str, str]]:
        """The endpoints that are unstable now."""
        return {key for key, health in self.waits.snapshot().endpoints.items() if health.unstable}


def test_a_head_that_is_missing_for_long_makes_suspect() -> None:
    """From the moment on; other endpoints are as they were."""
    waiting = Waiting()
    waiting.waits.begin("one", KEY_A, waiting.now_s, streamed=True)
    waiting.now_s += SUSPECT_S / 2
    waiting.waits.begin("two", KEY_B, waiting.now_s, streamed=True)
    waiting.now_s += SUSPECT_S / 2 - 0.01
    assert waiting.suspects() == set()
    waiting.now_s += 0.01
    assert waiting.suspects() == {KEY_A}
    waiting.now_s += SUSPECT_S / 2
    assert waiting.suspects() == {KEY_A, KEY_B}


def test_a_head_that_comes_ends_it() -> None:
    """Within a moment; who did not wait ends nothing."""
    waiting = Waiting()
    waiting.waits.begin("one", KEY_A, waiting.now_s, streamed=True)
    waiting.now_s += SUSPECT_S
    waiting.waits.end("another")
    assert waiting.suspects() == {KEY_A}
    waiting.waits.begin("two", KEY_B, waiting.now_s, streamed=True)
    waiting.waits.end("one")
    waiting.now_s += REFRESH_S
    assert waiting.suspects() == set()


def test_what_was_mended_is_not_suspect() -> None:
    """Who waits at an endpoint as it was says nothing of it as it is, and may end afterwards; who comes then does. Others are as they were."""
    waiting = Waiting()
    waiting.waits.begin("one", KEY_A, waiting.now_s, streamed=True)
    waiting.waits.begin("two", KEY_B, waiting.now_s, streamed=True)
    waiting.now_s += SUSPECT_S
    assert waiting.suspects() == {KEY_A, KEY_B}
    waiting.waits.forget([KEY_A])
    assert waiting.suspects() == {KEY_B}
    waiting.waits.end("one")
    waiting.waits.begin("three", KEY_A, waiting.now_s, streamed=True)
    waiting.now_s += SUSPECT_S
    assert waiting.suspects() == {KEY_A, KEY_B}


def test_waits_that_are_over_cost_nothing() -> None:
    """The first entry of a plain dict is found behind all those that were taken out before it: a burst of waits would cost every call after it."""
    assert isinstance(Waiting().waits._waiting, OrderedDict)


def test_slow_beginners_are_waited_for() -> None:
    """An endpoint whose streams usually begin late is suspect at twice that."""
    waiting = Waiting()
    waiting.health.note_success(KEY_A, latency_s=60.0, first_token_s=20.0, completion_tokens=5)
    waiting.waits.begin("one", KEY_A, waiting.now_s, streamed=True)
    waiting.now_s += 30.0
    assert waiting.suspects() == set()
    waiting.now_s += 15.0
    assert waiting.suspects() == {KEY_A}


def test_nothing_is_made_anew_for_nothing() -> None:
    """Calls that follow each other closely see the same object, with a suspect and without one."""
    waiting = Waiting()
    assert waiting.waits.snapshot() is waiting.health.snapshot()
    waiting.waits.begin("one", KEY_A, waiting.now_s, streamed=True)
    assert waiting.waits.snapshot() is waiting.health.snapshot()
    waiting.now_s += SUSPECT_S
    suspicious = waiting.waits.snapshot()
    waiting.now_s += REFRESH_S / 2
    assert waiting.waits.snapshot() is suspicious
    assert suspicious.endpoints[KEY_A] == EndpointHealth(unstable=True)
