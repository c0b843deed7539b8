# SPDX-License-Identifier: Apache-2.0
"""How endpoints stand by their health."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.builders import MODEL, make_endpoint
from support.planning import COOLING, DUE, EJECTED, NOW_S, UNSTABLE, endpoints, make_health, snapshots
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.routing.health import EMPTY_HEALTH, EndpointHealth, HealthSnapshot, Standing, find_standings

A, B, C, D = (make_endpoint(slug) for slug in "abcd")


def ejected(seconds: float, **fields: Any) -> EndpointHealth:
    """An endpoint that is ejected for some more seconds."""
    return EndpointHealth(ejected_until_s=NOW_S + seconds, **fields)


@pytest.mark.parametrize(
    ("health", "standing"),
    [
        pytest.param(EndpointHealth(), None, id="nothing known"),
        pytest.param(EndpointHealth(requests=9, success_rate=0.1), None, id="failures long ago"),
        pytest.param(UNSTABLE, Standing.UNSTABLE, id="unstable"),
        pytest.param(COOLING, Standing.COOLING, id="cooling"),
        pytest.param(EndpointHealth(cooling_until_s=NOW_S), None, id="has cooled"),
        pytest.param(EndpointHealth(cooling_until_s=NOW_S, unstable=True), Standing.UNSTABLE, id="cooled and unstable"),
        pytest.param(EJECTED, Standing.OUT, id="ejected"),
        pytest.param(ejected(0), Standing.UNSTABLE, id="its time is over"),
        pytest.param(DUE, Standing.DUE, id="due for a probe"),
        pytest.param(ejected(-5, probe_due=True), Standing.DUE, id="due after its time"),
        pytest.param(
            ejected(20, probe_due=True, cooling_until_s=NOW_S + 5), Standing.COOLING, id="due, but asked for a pause"
        ),
        pytest.param(ejected(20, cooling_until_s=NOW_S + 5), Standing.OUT, id="out and cooling"),
    ],
)
def test_an_endpoint_s_standing(health: EndpointHealth, standing: Standing | None) -> None:
    """What is held against an endpoint now, the worst of it; nothing for the others of its model."""
    standings = find_standings([A, B, C], make_health(a=health), NOW_S)
    assert standings == ({} if standing is None else {A.key: standing})


@pytest.mark.parametrize(
    ("offered", "health", "expected"),
    [
        pytest.param([A], {"a": ejected(9)}, {"a": "UNSTABLE"}, id="the only one is let in"),
        pytest.param([A, B], {"a": ejected(9)}, {"a": "OUT"}, id="one of two"),
        pytest.param([A, B, C], {"a": ejected(9), "b": ejected(5)}, {"a": "OUT", "b": "UNSTABLE"}, id="two of three"),
        pytest.param([A, B, C, D], {"a": ejected(9), "b": ejected(5)}, {"a": "OUT", "b": "OUT"}, id="two of four"),
        pytest.param([A, B], {"a": ejected(9), "b": ejected(5)}, {"a": "UNSTABLE", "b": "UNSTABLE"}, id="panic"),
        pytest.param([A, B], {"a": ejected(9), "b": DUE}, {"a": "OUT", "b": "DUE"}, id="one is due"),
        pytest.param([A], {"a": ejected(9), "b": ejected(9)}, {"a": "UNSTABLE"}, id="only candidates count"),
        pytest.param([], {"a": ejected(9)}, {}, id="no candidates"),
    ],
)
def test_at_most_half_are_out(
    offered: list[Endpoint], health: dict[str, EndpointHealth], expected: dict[str, str]
) -> None:
    """Those with the longest time left stay out; where none would be left, all are let in."""
    standings = find_standings(offered, make_health(**health), NOW_S)
    assert {tag: standing.name for (_, tag), standing in standings.items()} == expected


@given(offered=endpoints(), health=snapshots(), now_s=st.floats(NOW_S - 60, NOW_S + 60))
def test_never_more_than_half_are_out(offered: list[Endpoint], health: HealthSnapshot, now_s: float) -> None:
    """Whatever is known: at most half of a model's endpoints are out, and somebody is not where there is anybody."""
    standings = find_standings(offered, health, now_s)
    out = [key for key, standing in standings.items() if standing is Standing.OUT]
    assert len(out) <= len(offered) // 2
    assert len(out) < len(offered) or not offered
    assert Standing.WELL not in standings.values()
    assert set(standings) <= {endpoint.key for endpoint in offered}


def test_an_unknown_endpoint_is_a_blank_page() -> None:
    """Nothing is held against what was never tried."""
    assert EMPTY_HEALTH.of(A) == EndpointHealth()
    assert HealthSnapshot(endpoints={(MODEL, "a"): UNSTABLE}).of(A) is UNSTABLE
