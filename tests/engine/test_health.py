# SPDX-License-Identifier: Apache-2.0
"""The health of endpoints, in virtual time."""

import tracemalloc
from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.health_story import BROKEN, KEY, KEY_REFUSED, LIMITED, Story
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import ERROR_SHAPES
from trunkline_server.core.health import EndpointHealth
from trunkline_server.engine import health as rules
from trunkline_server.engine import health_page as page_rules
from trunkline_server.engine.health import BLAMES, Blame
from trunkline_server.routing.health import EMPTY_HEALTH, Standing


@pytest.fixture
def story() -> Story:
    """A book in which nothing is written."""
    return Story()


# ---- ejection ----


def test_five_failures_in_a_row_eject(story: Story) -> None:
    """Four make an endpoint unstable, the fifth takes it out for 30 s."""
    story.fail(4)
    assert (story.standing, story.health.ejected_until_s) == (Standing.UNSTABLE, None)
    story.fail()
    assert (story.standing, story.health.ejected_until_s) == (Standing.OUT, story.clock.now_s + 30)


def test_a_success_between_begins_the_row_anew(story: Story) -> None:
    """Four failures, a success and four failures do not eject."""
    story.fail(4)
    story.wait(1)
    story.succeed()
    story.fail(4)
    assert story.health.ejected_until_s is None


def test_streams_of_before_an_outage_do_not_hide_it(story: Story) -> None:
    """Those that began before it end well, every fourth failure one; calls that began since end the row."""
    for _ in range(4):
        story.succeed(latency_s=300)
        story.wait(1)
        story.fail()
    story.succeed(latency_s=300)
    story.fail()
    assert story.standing is Standing.OUT


def test_with_content_since_the_row_any_answer_ends_it(story: Story) -> None:
    """A few failures among many long streams are no outage: new calls are answered, though none of them has ended."""
    story.fail(4)
    story.wait(2)
    story.book.note_content(KEY, first_token_s=1)
    story.succeed(latency_s=300)
    story.fail(4)
    assert story.health.ejected_until_s is None


def test_each_ejection_is_longer(story: Story) -> None:
    """30 s times the ejections, 300 s at most; after the time of one, a single failure is enough for the next."""
    lengths = []
    story.fail(4)
    for _ in range(12):
        story.fail()
        until_s = story.health.ejected_until_s
        assert until_s is not None
        lengths.append(until_s - story.clock.now_s)
        story.clock.now_s = until_s
    assert lengths == [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]


def test_failures_of_calls_under_way_do_not_lengthen_an_ejection(story: Story) -> None:
    """What was begun before fails after: the ejection stays what it was."""
    story.fail(5)
    until_s = story.health.ejected_until_s
    story.wait(10)
    story.fail(20)
    assert story.health.ejected_until_s == until_s


def test_one_probe_in_fifteen_seconds(story: Story) -> None:
    """The first is due 15 s after the ejection, each further one 15 s after the one before it began."""
    story.fail(5)
    due = {}
    for second in range(61):
        if due.setdefault(second, story.health.probe_due):
            assert story.standing is Standing.DUE
            story.book.begin_probe(KEY)
            assert not story.health.probe_due
        story.wait(1)
    assert [second for second, is_due in due.items() if is_due] == [15, 30, 45, 60]


def test_a_failed_probe_changes_nothing(story: Story) -> None:
    """The endpoint stays out, and for no longer."""
    story.fail(5)
    until_s = story.health.ejected_until_s
    story.wait(15)
    story.book.begin_probe(KEY)
    story.fail()
    assert (story.standing, story.health.ejected_until_s) == (Standing.OUT, until_s)


def test_a_successful_probe_brings_it_back_at_once(story: Story) -> None:
    """No time has to pass after it; what failed within the last 30 s still counts against it."""
    story.succeed(50)
    story.fail(5)
    story.wait(15)
    story.book.begin_probe(KEY)
    story.succeed()
    assert (story.health.ejected_until_s, story.health.probe_due, story.standing) == (None, False, Standing.WELL)


@given(st.floats(min_value=0, max_value=1000), st.floats(min_value=0.1, max_value=5))
def test_back_within_30_s_of_recovery(outage_s: float, gap_s: float) -> None:
    """However long an endpoint was dead, with a call every few seconds it is back within 30 s of working again."""
    story = Story()
    well_s = story.clock.now_s + outage_s
    story.fail(5)
    while story.health.ejected_until_s is not None:
        story.wait(gap_s)
        if story.standing in {Standing.DUE, Standing.UNSTABLE}:
            story.book.begin_probe(KEY)
            story.succeed(latency_s=0) if story.clock.now_s >= well_s else story.fail()
    assert story.clock.now_s <= well_s + 30


def test_first_content_brings_it_back_on_trial(story: Story) -> None:
    """A probe's answer may take minutes: its first content is enough. Where the answer then breaks off, the endpoint is out again, for longer."""
    story.fail(5)
    story.wait(20)
    story.book.note_content(KEY, first_token_s=2)
    assert (story.health.ejected_until_s, story.health.requests) == (None, 5)
    story.fail()
    assert story.health.ejected_until_s == story.clock.now_s + 60


def test_a_whole_answer_ends_the_trial(story: Story) -> None:
    """From then on five failures in a row are due again."""
    story.fail(5)
    story.wait(20)
    story.book.note_content(KEY, first_token_s=2)
    story.succeed(latency_s=3)
    story.fail(4)
    assert story.health.ejected_until_s is None


def test_content_ends_no_row_of_failures(story: Story) -> None:
    """An endpoint that begins to answer and breaks off every time is ejected like any other."""
    for _ in range(5):
        story.book.note_content(KEY, first_token_s=0.1)
        story.fail()
    assert story.health.ejected_until_s is not None


def test_content_where_nothing_is_held_against_an_endpoint(story: Story) -> None:
    """It changes nothing, and begins no page."""
    before = story.book.snapshot()
    story.book.note_content(KEY, first_token_s=0.1)
    assert story.book.snapshot() is before


@pytest.mark.parametrize(("first_token_s", "is_cooling"), [(5.0, True), (0.5, False)])
def test_content_ends_a_pause_unless_its_call_was_under_way(
    story: Story, first_token_s: float, is_cooling: bool
) -> None:
    """What began since the pause was asked for shows that there is room."""
    story.fail(1, LIMITED, 60)
    story.wait(1)
    story.book.note_content(KEY, first_token_s=first_token_s)
    assert (story.health.cooling_until_s is not None) is is_cooling


def test_an_answer_that_was_under_way_ends_no_ejection(story: Story) -> None:
    """A long answer that began before the endpoint failed says nothing of new calls."""
    story.fail(5)
    story.wait(10)
    story.succeed(latency_s=60)
    assert story.standing is Standing.OUT
    story.wait(25)
    story.fail()
    assert story.health.ejected_until_s == story.clock.now_s + 60
    story.succeed(latency_s=0)
    assert story.health.ejected_until_s is None


def test_a_flapping_endpoint_stays_out_longer_each_time(story: Story) -> None:
    """An endpoint that works for a second and fails for the next: its ejections grow though each ends with a success."""
    lengths = []
    for _ in range(6):
        story.fail(5)
        until_s = story.health.ejected_until_s
        assert until_s is not None
        lengths.append(until_s - story.clock.now_s)
        story.wait(15)
        assert story.health.probe_due
        story.book.begin_probe(KEY)
        story.succeed()
        story.wait(1)
    assert lengths == [30, 60, 90, 120, 150, 180]


@given(st.lists(st.booleans(), min_size=60, max_size=240))
def test_a_flapping_endpoint_changes_its_state_rarely(works: list[bool]) -> None:
    """Called each second while it is let, it goes out and comes back at most once in a probe interval."""
    story, changes, was_out = Story(), list[tuple[float, bool]](), False
    for is_up in works:
        for _ in range(5):
            if story.standing is Standing.OUT:
                break
            story.book.begin_probe(KEY)
            story.succeed(latency_s=0) if is_up else story.fail()
        is_out = story.health.ejected_until_s is not None
        if is_out is not was_out:
            changes.append((story.clock.now_s, is_out))
        was_out = is_out
        story.wait(1)
    returns = [at_s for at_s, is_out in changes if not is_out]
    ejections = [at_s for at_s, is_out in changes if is_out]
    for moments in (returns, ejections):
        assert all(later - earlier >= page_rules.PROBE_INTERVAL_S for earlier, later in pairwise(moments))


@pytest.mark.parametrize(("in_service_s", "length_s"), [(0, 120), (59, 120), (60, 90), (120, 60), (180, 30), (9e4, 30)])
def test_time_in_service_is_forgiving(story: Story, in_service_s: float, length_s: float) -> None:
    """Each minute in service lets one of three ejections be forgotten."""
    for _ in range(3):
        story.fail(5)
        story.wait(15)
        story.book.begin_probe(KEY)
        story.succeed(latency_s=1)
    story.wait(in_service_s)
    story.fail(5)
    assert story.health.ejected_until_s == story.clock.now_s + length_s


def test_after_an_ejection_it_is_on_trial(story: Story) -> None:
    """With its time over and no success yet, an endpoint is tried, but after the others."""
    story.fail(5)
    story.wait(31)
    assert story.standing is Standing.DUE
    story.book.begin_probe(KEY)
    assert story.standing is Standing.UNSTABLE


def test_probing_what_is_not_out(story: Story) -> None:
    """It changes nothing, not even the snapshot."""
    story.succeed()
    before = story.book.snapshot()
    story.book.begin_probe(KEY)
    story.book.begin_probe(("no", "such"))
    assert story.book.snapshot() is before


# ---- what counts ----


@pytest.mark.parametrize("reason", sorted(set(ERROR_SHAPES) - set(BLAMES)))
def test_what_speaks_of_the_caller_changes_nothing(story: Story, reason: ErrorReason.ValueType) -> None:
    """Every reason that is not in the table: no page, no count, no ejection."""
    before = story.book.snapshot()
    story.fail(100, reason, 60.0)
    assert story.book.snapshot() is before
    assert story.health == EndpointHealth()


@pytest.mark.parametrize(
    "reason",
    [
        ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED,
        ErrorReason.ERROR_REASON_CONTENT_POLICY_VIOLATION,
        ErrorReason.ERROR_REASON_REFUSAL,
        ErrorReason.ERROR_REASON_INVALID_IMAGE,
        ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED,
        ErrorReason.ERROR_REASON_CANCELLED,
        ErrorReason.ERROR_REASON_SERVER,
    ],
)
def test_faults_of_callers_and_of_the_gateway_are_not_in_the_table(reason: ErrorReason.ValueType) -> None:
    """Named here, so that the table does not grow by mistake."""
    assert reason not in BLAMES


@pytest.mark.parametrize("reason", [reason for reason, blame in BLAMES.items() if blame is Blame.FAULT])
def test_faults_of_the_endpoint_eject_it(story: Story, reason: ErrorReason.ValueType) -> None:
    """Five of any of them, and they count as failed calls."""
    story.fail(5, reason)
    story.wait(5)
    assert (story.standing, story.health.requests, story.health.success_rate) == (Standing.OUT, 5, 0.0)


@pytest.mark.parametrize(("retry_after_s", "cool_s"), [(None, 5.0), (0.0, 0.0), (0.5, 0.5), (20.0, 20.0), (1e6, 300.0)])
def test_a_rate_limit_cools_and_never_ejects(story: Story, retry_after_s: float | None, cool_s: float) -> None:
    """The endpoint rests for as long as its provider asks, 5 s where it does not say, 300 s at most; it counts as no call."""
    began_s = story.clock.now_s
    story.fail(50, LIMITED, retry_after_s)
    assert story.health.cooling_until_s == (began_s + cool_s if cool_s else None)
    assert story.standing is (Standing.COOLING if cool_s else Standing.WELL)
    story.wait(cool_s)
    assert story.standing is Standing.WELL
    story.wait(1)
    assert story.health == EndpointHealth()


def test_a_shorter_pause_does_not_cut_a_longer_one(story: Story) -> None:
    """The last to end holds."""
    story.fail(1, LIMITED, 30)
    story.fail(1, LIMITED, 1)
    assert story.health.cooling_until_s == story.clock.now_s + 30


def test_rate_limits_do_not_end_a_row_of_failures(story: Story) -> None:
    """Failures before and after one still follow each other."""
    story.fail(3)
    story.fail(1, LIMITED)
    story.fail(2)
    assert story.health.ejected_until_s is not None


def test_an_answer_ends_a_pause_unless_it_was_under_way(story: Story) -> None:
    """What began after the pause was asked for shows that there is room again."""
    story.fail(1, LIMITED, 60)
    story.wait(5)
    story.succeed(latency_s=30)
    assert story.standing is Standing.COOLING
    story.succeed(latency_s=1)
    assert story.standing is Standing.WELL


def test_a_refused_key_is_quarantined_and_never_ejected(story: Story) -> None:
    """For a minute, however often; the endpoint itself may be well."""
    story.fail(50, KEY_REFUSED)
    assert (story.standing, story.health.ejected_until_s, story.health.requests) == (Standing.COOLING, None, 0)
    assert story.health.cooling_until_s == story.clock.now_s + page_rules.QUARANTINE_S
    story.wait(page_rules.QUARANTINE_S)
    assert story.standing is Standing.WELL


def test_an_overloaded_provider_both_fails_and_cools(story: Story) -> None:
    """Its wait is kept, and five of its failures eject it."""
    overloaded = ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED
    story.fail(4, overloaded, 20)
    assert (story.standing, story.health.unstable) == (Standing.COOLING, True)
    story.fail(1, overloaded, 20)
    assert story.standing is Standing.OUT


# ---- numbers ----


@pytest.mark.parametrize(
    ("failures", "successes", "unstable"), [(0, 9, False), (1, 4, False), (1, 3, True), (1, 0, True), (4, 4, True)]
)
def test_a_significant_outage(story: Story, failures: int, successes: int, unstable: bool) -> None:
    """A quarter of the calls of the last 30 s failed; after 30 s it is over."""
    story.fail(failures)
    story.succeed(successes)
    story.wait(1)
    assert story.health.unstable is unstable
    story.wait(31)
    assert story.health.unstable is False


def test_what_is_measured(story: Story) -> None:
    """Latency of every answer; first token and throughput of those that were streamed; rates of all that count."""
    story.succeed(20, latency_s=2.0, first_token_s=0.5, completion_tokens=300)
    story.succeed(20, latency_s=2.0)
    story.fail(2, LIMITED)
    story.fail(10)
    story.wait(5)
    health = story.health
    assert (health.requests, health.success_rate) == (50, 0.8)
    assert health.latency_s is not None
    assert health.first_token_s is not None
    assert health.throughput_tps is not None
    wanted = [pytest.approx(value, rel=0.03) for value in (2.0, 0.5, 200.0)]
    assert [health.latency_s.p99, health.first_token_s.p50, health.throughput_tps.p50] == wanted


@pytest.mark.parametrize(
    "facts",
    [{"first_token_s": None}, {"first_token_s": 0.5, "completion_tokens": 1}, {"first_token_s": 0.5, "latency_s": 0.5}],
)
def test_no_throughput_without_a_stretch_of_tokens(story: Story, facts: Mapping[str, Any]) -> None:
    """One token, or all at once, says nothing of speed."""
    story.succeed(**facts)
    story.wait(5)
    assert (story.health.requests, story.health.throughput_tps) == (1, None)


def test_the_window_rolls(story: Story) -> None:
    """After five minutes without a call nothing is known, and the page is gone."""
    story.succeed(3, first_token_s=0.1)
    story.wait(290)
    assert story.health.requests == 3
    story.wait(15)
    assert (story.health, story.book.snapshot().endpoints) == (EndpointHealth(), {})


def test_an_ejected_endpoint_is_remembered(story: Story) -> None:
    """For five minutes after its ejection has ended, with or without a call."""
    story.fail(5)
    story.wait(325)
    assert story.health.ejected_until_s is not None
    story.wait(10)
    assert story.health == EndpointHealth()


# ---- snapshots ----


def test_nothing_known(story: Story) -> None:
    """Before the first call the snapshot is the empty one."""
    assert story.book.snapshot() is EMPTY_HEALTH


def test_a_snapshot_is_one_object_until_something_changes(story: Story) -> None:
    """For a quarter of a second successes change nothing; a failure is in the next one."""
    story.succeed()
    first = story.book.snapshot()
    story.succeed(10)
    story.wait(0.2)
    assert story.book.snapshot() is first
    story.fail()
    assert story.book.snapshot() is not first


def test_a_snapshot_at_rest_stays_one_object(story: Story) -> None:
    """Once all that was held against endpoints is over and forgotten, time alone makes no new ones."""
    story.fail(5)
    story.wait(1)
    story.book.snapshot()
    story.wait(10_000)
    last = story.book.snapshot()
    story.wait(10)
    assert (last.endpoints, story.book.snapshot() is last) == ({}, True)


def test_a_snapshot_stays_what_it_was(story: Story) -> None:
    """It cannot be written to, and later events do not reach it."""
    story.succeed()
    story.wait(1)
    snapshot = story.book.snapshot()
    before = dict(snapshot.endpoints)
    story.fail(5)
    story.wait(10)
    story.book.snapshot()
    assert snapshot.endpoints == before
    with pytest.raises(TypeError):
        snapshot.endpoints[KEY] = EndpointHealth()  # type: ignore[index]  # what the test is about
    with pytest.raises(FrozenInstanceError):
        snapshot.endpoints = {}  # type: ignore[misc]  # what the test is about


def test_one_failure_touches_one_entry(story: Story) -> None:
    """The others of the snapshot stay the same objects: a failing endpoint does not cost all of them."""
    for number in range(50):
        story.succeed(key=("acme/one", f"p{number}"))
    story.wait(1)
    before = story.book.snapshot().endpoints
    story.fail()
    after = story.book.snapshot().endpoints
    assert [key for key, health in after.items() if before.get(key) is not health] == [KEY]


def test_reading_numbers_is_bounded(story: Story) -> None:
    """One snapshot reads those of so many endpoints, the others follow in the next ones: no call waits for them all."""
    keys = [("acme/one", f"p{number}") for number in range(rules.MOST_MEASURED * 3)]
    for key in keys:
        story.succeed(key=key)
    known = []
    for _ in range(4):
        known.append(len(story.book.snapshot().endpoints))
        story.wait(rules.REFRESH_S)
    assert known == [25, 50, 75, 75]


# ---- memory ----


def test_ten_thousand_endpoints_at_most(story: Story) -> None:
    """Beyond that the page begun first is torn out."""
    for number in range(rules.MOST_ENDPOINTS + 5):
        story.succeed(key=("acme/one", str(number)))
    book = story.book
    assert (len(book._pages), len(book._queue)) == (rules.MOST_ENDPOINTS, rules.MOST_ENDPOINTS)
    assert [("acme/one", str(number)) in book._pages for number in (4, 5)] == [False, True]


def size_after(count: int) -> int:
    """The bytes that a book of one endpoint holds after so many calls in five minutes."""
    tracemalloc.start()
    try:
        story = Story()
        for number in range(count):
            story.clock.now_s = 1000 + number * 300 / count
            latency_s = 0.01 * (1 + number % 997)
            if number % 7:
                story.succeed(latency_s=latency_s, first_token_s=latency_s / 3, completion_tokens=number % 500)
            else:
                story.fail()
            if number % 500 == 0:
                story.book.snapshot()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_memory_is_constant() -> None:
    """A hundred thousand calls take no more room than a thousand: under 40 kB."""
    small, large = size_after(1_000), size_after(100_000)
    assert abs(large - small) < 5_000
    assert large < 40_000


# ---- cost ----


def busy_book() -> Story:
    """A book of two hundred endpoints in the middle of their work, one of them in trouble."""
    story = Story()
    for number in range(200):
        story.succeed(20, key=("acme/one", f"p{number}"), first_token_s=0.1)
    story.fail(5)
    story.book.snapshot()
    story.wait(0.1)
    return story


@pytest.mark.parametrize("work", ["success", "failure", "snapshot", "snapshot after a failure"])
def test_cost(work: str, benchmark: Any) -> None:
    """Once a call each: a snapshot at rest is to take under a microsecond, a success under six."""
    story = busy_book()
    book = story.book
    works = {
        "success": lambda: book.note_success(KEY, latency_s=2.0, first_token_s=0.3, completion_tokens=200),
        "failure": lambda: book.note_failure(KEY, BROKEN),
        "snapshot": book.snapshot,
        "snapshot after a failure": lambda: (book.note_failure(KEY, BROKEN), book.snapshot()),
    }
    benchmark(works[work])
