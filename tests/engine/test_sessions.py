# SPDX-License-Identifier: Apache-2.0
"""Which endpoint a conversation is at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.clock import Clock
from trunkline_server.catalog.entry import EndpointKey
from trunkline_server.engine.sessions import LIFETIME_S, MOST, MOST_OF_ONE, SessionPins

HERE: EndpointKey = ("acme/one", "here")
THERE: EndpointKey = ("acme/one", "there")


def test_a_session_stays_where_it_was_served() -> None:
    """The endpoint that served it last."""
    pins = SessionPins(Clock())
    assert pins.find("ann", "s") is None
    pins.keep("ann", "s", HERE)
    pins.keep("ann", "s", THERE)
    assert pins.find("ann", "s") == THERE


@pytest.mark.parametrize("other", [("bob", "s", "m"), ("ann", "t", "m"), ("ann", "s", "n"), ("ann", "s", "")])
def test_sessions_are_apart(other: tuple[str, str, str]) -> None:
    """By principal, by their own name, and by the model asked for."""
    pins = SessionPins(Clock())
    pins.keep("ann", "s", HERE, "m")
    principal, session_id, asked = other
    assert pins.find(principal, session_id, asked) is None
    assert pins.find("ann", "s", "m") == HERE


@pytest.mark.parametrize("session_id", [None, ""])
def test_no_session(session_id: str | None) -> None:
    """A call without one is remembered nowhere."""
    pins = SessionPins(Clock())
    pins.keep("ann", session_id, HERE)
    assert (pins.find("ann", session_id), len(pins._pins)) == (None, 0)


def test_a_session_ends() -> None:
    """An hour after its last call it is forgotten; each call begins the hour anew."""
    clock = Clock()
    pins = SessionPins(clock)
    for _ in range(2):
        pins.keep("ann", "s", HERE)
        clock.advance(LIFETIME_S)
        assert pins.find("ann", "s") == HERE
    clock.advance(1)
    assert (pins.find("ann", "s"), len(pins._pins)) == (None, 0)


def test_the_session_served_longest_ago_goes_first() -> None:
    """Being served again counts, being looked up does not."""
    pins = SessionPins(Clock(), most=2)
    for session_id in ("a", "b", "a", "c"):
        pins.find("ann", "b")
        pins.keep("ann", session_id, HERE)
    assert [pins.find("ann", session_id) for session_id in "abc"] == [HERE, None, HERE]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from([HERE, THERE])), max_size=40))
def test_bounded_whatever_comes(served: list[tuple[str, EndpointKey]]) -> None:
    """The last three sessions served are there, with their last endpoints, and no other."""
    pins = SessionPins(Clock(), most=3)
    for session_id, key in served:
        pins.keep("ann", session_id, key)
    last = list(dict.fromkeys(session_id for session_id, _ in reversed(served)))[:3]
    wanted = {session_id: dict(served)[session_id] if session_id in last else None for session_id in "abcdef"}
    assert {session_id: pins.find("ann", session_id) for session_id in "abcdef"} == wanted


def test_ten_thousand_at_most() -> None:
    """The bound that holds where nobody sets one."""
    pins = SessionPins(Clock())
    for number in range(MOST + 10):
        pins.keep(f"p{number % 20}", str(number), HERE)
    assert (len(pins._pins), pins.find("p9", "9"), pins.find("p10", "10")) == (MOST, None, HERE)


def test_nobody_makes_the_gateway_forget_others() -> None:
    """A principal's sessions beyond its own bound push out its own oldest ones alone."""
    pins = SessionPins(Clock())
    pins.keep("bob", "s", HERE)
    for number in range(MOST + 10):
        pins.keep("ann", str(number), THERE)
    assert pins.find("bob", "s") == HERE
    assert (pins.find("ann", str(MOST + 9 - MOST_OF_ONE)), pins.find("ann", str(MOST + 10 - MOST_OF_ONE))) == (
        None,
        THERE,
    )
    assert len(pins._pins) == MOST_OF_ONE + 1


def test_nothing_is_kept_of_principals_without_sessions() -> None:
    """Neither of those whose last one has ended, nor of those whose last one was pushed out."""
    clock = Clock()
    pins = SessionPins(clock, most=1)
    pins.keep("ann", "s", HERE)
    pins.keep("bob", "s", HERE)
    assert [*pins._owned] == ["bob"]
    clock.advance(LIFETIME_S + 1)
    assert (pins.find("bob", "s"), pins._owned) == (None, {})
