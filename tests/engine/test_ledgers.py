# SPDX-License-Identifier: Apache-2.0
"""What the ledgers say of the endpoints of a plan."""

from support.builders import MODEL, make_request
from support.playbook import Play, Stage, say
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.call import Principal
from trunkline_server.engine.health import BASE_EJECTION_S, FAILURES_TO_EJECT
from trunkline_server.engine.ledgers import LEAST_WAIT_S
from trunkline_server.engine.waits import SUSPECT_S
from trunkline_server.routing.health import Standing
from trunkline_server.routing.plan import Plan

KEY_A, KEY_B = (MODEL, "a"), (MODEL, "b")
DOWN = ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE


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
    stage.ledgers.waits.begin(stage, KEY_B, stage.now_s)
    stage.now_s += SUSPECT_S
    assert stage.ledgers.standings(plan) == {KEY_A: Standing.OUT, KEY_B: Standing.UNSTABLE}


def test_the_next_chance() -> None:
    """The time until the first endpoint is back, and never less than what the budget takes."""
    stage = Stage(a=[Play(say(end=True))])
    plan = plan_of(stage)
    assert stage.ledgers.next_chance_s(plan) == LEAST_WAIT_S
    for _ in range(FAILURES_TO_EJECT):
        stage.ledgers.health.note_failure(KEY_A, DOWN)
    assert stage.ledgers.next_chance_s(plan) == BASE_EJECTION_S
