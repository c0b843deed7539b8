# SPDX-License-Identifier: Apache-2.0
"""What is concluded from the loads on one worker and on two."""

import pytest

from bench.gateways import Wire
from bench.workers import Turn, confined_to, format_table


def turn(rps: float, *, gateway_us: float = 80, others_us: float = 20) -> Turn:
    """A turn of 1,000 requests."""
    return Turn(rps=rps, requests=1000, gateway_s=gateway_us / 1000, others_s=others_us / 1000)


def test_what_a_turn_cost() -> None:
    """CPU time is told for each request, and as the cores that were had."""
    made = turn(10_000)
    assert (made.gateway_us, made.others_us, made.whole_us) == pytest.approx((80, 20, 100))
    assert made.busy_cores == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("rps", "two_us", "words"),
    [
        (18_000, 80, "1.80 times what 1 does by the clock, 2.00 times by CPU time (target 1.7: reached)"),
        (15_000, 105, "1.50 times what 1 does by the clock, 1.60 times by CPU time (target 1.7: missed by the clock)"),
    ],
)
def test_the_best_turns_are_compared(rps: float, two_us: float, words: str) -> None:
    """A turn that was disturbed counts for nothing beside a better one."""
    turns = {(wire, 1): [turn(10_000), turn(2_000, gateway_us=400)] for wire in Wire}
    turns |= {(wire, 2): [turn(3_000, gateway_us=300), turn(rps, gateway_us=two_us)] for wire in Wire}
    table = format_table(turns)
    assert f"http: 2 workers serve {words}" in table
    assert f"| grpc | 2 | {rps:,.0f} | {two_us:.0f} | 20 |" in table


def test_cores_are_counted_from_the_first() -> None:
    """A program is put before the one that it confines."""
    assert confined_to(2) == ["taskset", "-c", "0,1"]
