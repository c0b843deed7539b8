# SPDX-License-Identifier: Apache-2.0
"""A target's judgement."""

import pytest

from bench.gateways import Wire
from bench.results import Key
from bench.targets import TARGETS, Target

MOST = Target(name="CPU", wire=Wire.HTTP, metric="cpu_us_per_request", beside="nginx", bound=14)
LEAST = Target(name="rate", wire=Wire.HTTP, metric="rps", beside="litellm", bound=40, least=True)
ALONE = Target(name="memory", wire=Wire.HTTP, metric="rss_idle_mb", bound=90, unit="MB")


def values(target: Target, ours: float | None, theirs: float | None = None) -> dict[Key, float]:
    """The results that a target asks for, as far as they are there."""
    both = {
        Key("trunkline", target.wire, target.metric): ours,
        Key(target.beside, target.wire, target.metric): theirs,
    }
    return {key: value for key, value in both.items() if value is not None}


@pytest.mark.parametrize(
    ("target", "ours", "theirs", "value", "verdict"),
    [
        (MOST, 280.0, 20.0, 14.0, "reached"),
        (MOST, 350.0, 20.0, 17.5, "missed by 25%"),
        (LEAST, 4000.0, 100.0, 40.0, "reached"),
        (LEAST, 3000.0, 100.0, 30.0, "missed by 25%"),
        (ALONE, 90.0, None, 90.0, "reached"),
        (ALONE, 99.0, None, 99.0, "missed by 10%"),
        (MOST, 280.0, None, None, "not measured: needs nginx"),
        (MOST, 280.0, 0.0, None, "not measured: needs nginx"),
        (MOST, None, 20.0, None, "not measured: needs trunkline"),
        (ALONE, None, None, None, "not measured: needs trunkline"),
    ],
)
def test_a_value_is_held_against_the_bound(
    target: Target, ours: float | None, theirs: float | None, value: float | None, verdict: str
) -> None:
    """On the bound is reached; beyond it the part of the bound is told."""
    measured = values(target, ours, theirs)
    assert (target.measure(measured), target.judge(measured)) == (value, verdict)


def test_targets_have_names_of_their_own() -> None:
    """Each is one row of the table."""
    assert len({target.name for target in TARGETS}) == len(TARGETS)
