# SPDX-License-Identifier: Apache-2.0
"""Refusals of the gateway's key in a row, and probes that showed nothing, in virtual time."""

import pytest

from support.health_story import KEY, KEY_REFUSED, Story
from trunkline_server.engine import health_page as page_rules
from trunkline_server.routing.health import Standing


@pytest.fixture
def story() -> Story:
    """A book in which nothing is written."""
    return Story()


def test_one_refusal_changes_nothing(story: Story) -> None:
    """One caller's prompt may have brought it about; with answers between, any number of them."""
    for _ in range(10):
        story.fail(1, KEY_REFUSED)
        assert (story.standing, story.health.cooling_until_s) == (Standing.WELL, None)
        story.wait(1)
        story.succeed(latency_s=0.5)


def test_refusals_in_a_row_are_counted_however_rare_calls_are(story: Story) -> None:
    """Snapshots between them do not forget the first; after a quarantine one is enough for the next."""
    story.fail(1, KEY_REFUSED)
    story.wait(page_rules.WINDOW_S - 1)
    assert story.standing is Standing.WELL
    story.fail(1, KEY_REFUSED)
    assert story.standing is Standing.COOLING
    story.wait(page_rules.QUARANTINE_S)
    assert story.standing is Standing.WELL
    story.fail(1, KEY_REFUSED)
    assert story.standing is Standing.COOLING


def test_an_answer_that_was_under_way_ends_no_row_of_refusals(story: Story) -> None:
    """It was let in before the key was refused."""
    story.fail(1, KEY_REFUSED)
    story.wait(1)
    story.succeed(latency_s=5)
    story.fail(1, KEY_REFUSED)
    assert story.standing is Standing.COOLING


def test_content_ends_a_row_of_refusals(story: Story) -> None:
    """A stream that begins was let in."""
    story.fail(1, KEY_REFUSED)
    story.wait(1)
    story.book.note_content(KEY, first_token_s=0.5)
    story.fail(1, KEY_REFUSED)
    assert story.standing is Standing.WELL


def test_a_probe_that_showed_nothing_is_given_back(story: Story) -> None:
    """The next call may probe at once, which is not given back again in the time of a probe; where nothing is ejected it changes nothing."""
    before = story.book.snapshot()
    story.book.give_back_probe(KEY)
    assert story.book.snapshot() is before
    story.fail(5)
    story.wait(15)
    story.book.begin_probe(KEY)
    assert story.standing is Standing.OUT
    story.book.give_back_probe(KEY)
    assert story.standing is Standing.DUE
    story.book.begin_probe(KEY)
    story.book.give_back_probe(KEY)
    assert story.standing is Standing.OUT
