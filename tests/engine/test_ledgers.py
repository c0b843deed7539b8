# SPDX-License-Identifier: Apache-2.0
"""What the ledgers say of the endpoints of a plan."""

import pytest

from support.builders import MODEL, make_answer_chunks, make_call, make_finish_chunk, make_request, make_text_chunk
from support.playbook import Hang, Play, Stage, Step, fail, say
from trunkline.v1.chat_response_pb2 import FinishReason
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.provider_preferences_pb2 import ProviderPreferences
from trunkline_server.core.call import Principal
from trunkline_server.engine.health import REFRESH_S
from trunkline_server.engine.health_page import BASE_EJECTION_S, FAILURES_TO_EJECT, PROBE_INTERVAL_S
from trunkline_server.engine.ledgers import LEAST_WAIT_S
from trunkline_server.engine.waits import SUSPECT_S
from trunkline_server.routing.health import Standing
from trunkline_server.routing.plan import Plan

KEY_A, KEY_B = (MODEL, "a"), (MODEL, "b")
DOWN = ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE
LIMITED = ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED
SILENT = ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT
GOOD = Play(say(*make_answer_chunks("hello there"), end=True))
SORRY = Play(say(make_text_chunk("Oh"), make_finish_chunk(FinishReason.FINISH_REASON_ERROR), end=True))
FOREVER_S = 1e9


def plan_of(stage: Stage) -> Plan:
    """The plan of this moment."""
    return stage.engine.prepare(make_request(), Principal(name="somebody"), None)()


def test_standings_are_those_of_the_moment() -> None:
    """What failed since the plan was made counts, and so does a stream that waits for its head."""
    stage = Stage(a=[Play(say(end=True))], b=[Play(say(end=True))])
    plan = plan_of(stage)
    assert stage.ledgers.standings(plan) == {}
    for _ in range(FAILURES_TO_EJECT):
        stage.ledgers.health.note_failure(KEY_A, DOWN)
    stage.ledgers.waits.begin(stage, KEY_B, stage.now_s, streamed=True)
    stage.now_s += SUSPECT_S
    assert stage.ledgers.standings(plan) == {KEY_A: Standing.OUT, KEY_B: Standing.UNSTABLE}


@pytest.mark.parametrize("ends", [[fail(DOWN)], [fail(SILENT)], [fail(LIMITED)], [*GOOD.steps], [*SORRY.steps]])
async def test_what_was_asked_at_another_address(ends: list[Step]) -> None:
    """A call that was under way when its endpoint became another one says nothing of that, however it ends; the next call does."""
    stage = Stage(a=[Play(Hang())], b=[GOOD])

    def mend() -> None:
        stage.now_s += 50.0
        stage.ledgers.forget([KEY_A])
        stage.now_s += 10.0

    stage.upstreams["a"].plays[:] = [Play(mend, *ends), Play(*ends)]
    for known in ([], [KEY_A]):
        await stage.listen(make_call(make_request(provider=ProviderPreferences(order=["a"])), deadline_s=FOREVER_S))
        stage.now_s += REFRESH_S
        assert [key for key in stage.ledgers.health.snapshot().endpoints if key == KEY_A] == known


def test_the_next_chance() -> None:
    """The time until the first endpoint may be tried, and never less than what the budget takes."""
    stage = Stage(a=[Play(say(end=True))])
    plan = plan_of(stage)
    assert stage.ledgers.next_chance_s(plan) == LEAST_WAIT_S
    stage.ledgers.health.note_failure(KEY_A, LIMITED, 40.0)
    assert stage.ledgers.next_chance_s(plan) == 40.0


def test_the_next_chance_is_a_probe() -> None:
    """However long an ejection is: a probe is due long before its end, and then at once. After that the next one is waited for."""
    stage = Stage(a=[Play(say(end=True))])
    plan, health = plan_of(stage), stage.ledgers.health
    for _ in range(FAILURES_TO_EJECT):
        health.note_failure(KEY_A, DOWN)
    assert stage.ledgers.next_chance_s(plan) == PROBE_INTERVAL_S
    stage.now_s += PROBE_INTERVAL_S
    assert stage.ledgers.next_chance_s(plan) == LEAST_WAIT_S
    assert health.begin_probe(KEY_A)
    assert stage.ledgers.next_chance_s(plan) == BASE_EJECTION_S - PROBE_INTERVAL_S
    health.note_failure(KEY_A, DOWN, 20.0)
    assert stage.ledgers.next_chance_s(plan) == 20.0
