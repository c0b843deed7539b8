# SPDX-License-Identifier: Apache-2.0
"""What makes a row of failures an outage, and what is not, in virtual time."""

import pytest

from support.health_story import KEY, Story


@pytest.fixture
def story() -> Story:
    """A book in which nothing is written."""
    return Story()


def busy(story: Story, seconds: int, latency_s: float, failing_share: float) -> None:
    """Twenty calls a second, of which so many fail at once; the others were all begun so long ago."""
    for number in range(seconds * 20):
        story.wait(0.05)
        if number * failing_share % 1 < failing_share:
            story.fail()
        else:
            story.succeed(latency_s=latency_s)


@pytest.mark.parametrize("failing_share", [0.01, 0.05, 0.2])
def test_a_few_failures_among_long_answers_are_no_outage(story: Story, failing_share: float) -> None:
    """Answers that take longer than five failures to come end no row, and are counted beside it."""
    busy(story, 9, 10.0, failing_share)
    assert story.health.ejected_until_s is None
    story.succeed(latency_s=8)
    story.fail(4)
    assert story.health.ejected_until_s is None


def test_an_outage_among_long_answers_is_found_soon(story: Story) -> None:
    """As many of those that began before it still end as now fail; the failures before were long ago."""
    busy(story, 90, 100.0, 0.01)
    busy(story, 5, 100.0, 0.5)
    assert story.health.ejected_until_s is not None


@pytest.mark.parametrize(
    ("callers", "others", "waited_s", "is_out"),
    [
        pytest.param("aaaaaaaa", 0, 0.0, False, id="one caller"),
        pytest.param("aaaaa", 0, 31.0, True, id="one caller, and nothing was heard since"),
        pytest.param("aaaab", 0, 0.0, True, id="two callers"),
        pytest.param("aaaa", 1, 0.0, True, id="another failure"),
        pytest.param("aab", 1, 0.0, False, id="four in all"),
    ],
)
def test_silences_that_hurry_ended(story: Story, callers: str, others: int, waited_s: float, is_out: bool) -> None:
    """One caller's long prompts are no outage."""
    story.succeed()
    story.wait(2 + waited_s)
    for caller in callers:
        story.book.note_silence(KEY, caller, began_s=story.clock.now_s - 1)
    story.fail(others)
    assert (story.health.ejected_until_s is not None) is is_out


def test_one_callers_hurry_does_not_end_a_trial(story: Story) -> None:
    """An endpoint that has just come back is not put out by it again; by another failure it is."""
    story.fail(5)
    story.wait(20)
    story.book.note_content(KEY, first_token_s=2)
    story.wait(3)
    story.book.note_silence(KEY, "a", began_s=story.clock.now_s - 2.5)
    assert story.health.ejected_until_s is None
    story.fail()
    assert story.health.ejected_until_s is not None


@pytest.mark.parametrize("note", ["content", "success"])
def test_a_silence_beside_an_answer_changes_nothing(story: Story, note: str) -> None:
    """The endpoint works: the call that got none was long work."""
    story.succeed()
    story.wait(5)
    began_s = story.clock.now_s
    story.wait(3)
    story.book.note_content(KEY, first_token_s=9) if note == "content" else story.succeed(latency_s=9)
    before = story.book.snapshot()
    for caller in "abcdef":
        story.book.note_silence(KEY, caller, began_s=began_s)
    assert story.book.snapshot() is before


def test_an_ejected_endpoints_times_are_remembered(story: Story) -> None:
    """As long as it is out and nothing newer is known: a probe is to have that time."""
    story.succeed(latency_s=45.0, first_token_s=20.0)
    story.wait(5)
    story.book.snapshot()
    story.fail(5)
    for _ in range(50):
        story.wait(15)
        story.book.begin_probe(KEY)
        story.fail()
        story.book.snapshot()
    health = story.health
    assert health.latency_s is not None
    assert health.first_token_s is not None
    assert [health.latency_s.p99, health.first_token_s.p99] == pytest.approx([45.0, 20.0], rel=0.03)
    story.succeed(latency_s=0.5)
    story.wait(5)
    assert story.health.latency_s is not None
    assert (story.health.latency_s.p99 < 1, story.health.first_token_s) == (True, None)
