# SPDX-License-Identifier: Apache-2.0
"""What passes with time in a health book of thousands of endpoints, and what is forgotten at once."""

import pytest

from support.health_story import BROKEN, ENDPOINTS, KEY, KEY_REFUSED, LIMITED, Story
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.catalog.entry import EndpointKey
from trunkline_server.core.health import EndpointHealth, EndpointStatus
from trunkline_server.engine import health as rules
from trunkline_server.engine import health_page as page_rules
from trunkline_server.routing.health import EMPTY_HEALTH, Standing

MANY: list[EndpointKey] = [("acme/one", f"p{number}") for number in range(3_000)]


@pytest.fixture
def story() -> Story:
    """A book in which nothing is written."""
    return Story()


def trouble(story: Story, reason: ErrorReason.ValueType, times: int = 1, wait_s: float | None = None) -> None:
    """So many failures of each of thousands of endpoints, seen by a snapshot."""
    for key in MANY * times:
        story.book.note_failure(key, reason, wait_s)
    story.book.snapshot()


def look_again(story: Story, renewals: int = 1) -> list[int]:
    """How many endpoints each of so many snapshots looks at, a renewal after the other."""
    counts = []
    for _ in range(renewals):
        before = story.book.snapshot().endpoints
        story.wait(rules.REFRESH_S)
        after = story.book.snapshot().endpoints
        counts.append(sum(after.get(key) is not health for key, health in before.items()))
    return counts


def statuses(story: Story) -> set[EndpointStatus]:
    """How the endpoints are, by the snapshot."""
    return {health.status for health in story.book.snapshot().endpoints.values()}


def test_endpoints_whose_trouble_lasts_are_not_looked_at(story: Story) -> None:
    """Thousands that cool down for a minute cost a snapshot nothing before that is over."""
    trouble(story, LIMITED, wait_s=60.0)
    story.wait(rules.MEASURED_S * 0.1)
    assert max(look_again(story, 4)) <= rules.MOST_MEASURED
    assert statuses(story) == {EndpointStatus.COOLING}


@pytest.mark.parametrize(
    ("reason", "times", "wait_s", "passes_s", "then"),
    [
        pytest.param(LIMITED, 1, 60.0, 60.0, EndpointStatus.WELL, id="cooling"),
        pytest.param(BROKEN, 1, None, page_rules.OUTAGE_S + 5, EndpointStatus.WELL, id="unstable"),
    ],
)
def test_one_snapshot_looks_at_few_of_many(
    story: Story, reason: ErrorReason.ValueType, times: int, wait_s: float | None, passes_s: float, then: EndpointStatus
) -> None:
    """Where the trouble of thousands passes at one moment, each snapshot looks at some of them, and soon all were looked at."""
    trouble(story, reason, times, wait_s)
    story.wait(passes_s)
    renewals = len(MANY) // rules.MOST_SHOWN + 1
    assert max(look_again(story, renewals)) <= rules.MOST_SHOWN + rules.MOST_MEASURED
    assert statuses(story) == {then}


def test_the_ones_that_are_due_for_a_probe_are_found(story: Story) -> None:
    """Of thousands that are out each is due soon after its 15 seconds."""
    trouble(story, BROKEN, page_rules.FAILURES_TO_EJECT)
    story.wait(page_rules.PROBE_INTERVAL_S)
    look_again(story, len(MANY) // rules.MOST_SHOWN + 1)
    assert all(health.probe_due for health in story.book.snapshot().endpoints.values())


@pytest.mark.parametrize(
    ("reason", "times"), [pytest.param(BROKEN, 5, id="ejected"), pytest.param(KEY_REFUSED, 2, id="in quarantine")]
)
def test_a_changed_endpoint_is_a_new_one(story: Story, reason: ErrorReason.ValueType, times: int) -> None:
    """What was held against it and what was measured of it are gone at once; the others stay, and so does what comes later."""
    other = ENDPOINTS[1].key
    story.succeed(key=other)
    story.fail(times, reason)
    assert story.standing is not Standing.WELL
    story.book.forget([KEY, ("acme/one", "never heard of")])
    assert (story.health, story.standing) == (EndpointHealth(), Standing.WELL)
    story.wait(rules.MEASURED_S)
    assert set(story.book.snapshot().endpoints) == {other}
    story.fail(times - 1, reason)
    assert story.health.ejected_until_s is None
    story.fail(1, reason)
    assert story.standing is not Standing.WELL


def test_calls_of_before_a_change_say_nothing(story: Story) -> None:
    """They were under way when the endpoint became another one: neither their failures nor their answers count; those of later calls do."""
    story.book.forget([KEY])
    changed_s = story.clock.now_s
    before = story.book.snapshot()
    story.wait(20)
    for caller in "abcdef":
        story.book.note_failure(KEY, BROKEN, began_s=changed_s - 1)
        story.book.note_silence(KEY, caller, began_s=changed_s - 1)
    story.succeed(latency_s=30)
    story.book.note_content(KEY, first_token_s=30)
    assert story.book.snapshot() is before
    for _ in range(page_rules.FAILURES_TO_EJECT):
        story.book.note_failure(KEY, BROKEN, began_s=changed_s + 1)
    assert story.standing is Standing.OUT


def test_what_is_remembered_of_changes_is_bounded(story: Story) -> None:
    """However many endpoints come and go."""
    for number in range(rules.MOST_ENDPOINTS + 5):
        story.book.forget([("acme/one", str(number))])
    assert len(story.book._changed_s) == rules.MOST_ENDPOINTS


def test_to_forget_nothing_changes_nothing(story: Story) -> None:
    """A reload that mends no provider leaves the book alone."""
    story.book.forget([KEY])
    assert story.book.snapshot() is EMPTY_HEALTH
