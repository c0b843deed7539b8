# SPDX-License-Identifier: Apache-2.0
"""In which order candidates are tried."""

from typing import Any

import pytest

from support.builders import MODEL, make_endpoint, make_provider, make_request
from support.planning import (
    COOLING,
    DOLLAR_A_MILLION,
    DUE,
    EJECTED,
    NOW_S,
    UNSTABLE,
    make_ask,
    make_health,
    seeded,
    speed,
    tags,
)
from trunkline.v1.provider_preferences_pb2 import PreferredCutoff, ProviderPreferences
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.routing.candidates import Ask
from trunkline_server.routing.health import EMPTY_HEALTH, EndpointHealth, HealthSnapshot, Percentiles, find_standings
from trunkline_server.routing.order import (
    Moment,
    draw_first,
    misses_cutoff,
    order_candidates,
    rank_in_service,
    sorting,
    sorts_across_models,
)

VERTEX = make_provider("vertex")


def priced(provider: str, dollars: float, **fields: Any) -> Endpoint:
    """An endpoint whose tokens cost so many dollars a million."""
    price = int(dollars * DOLLAR_A_MILLION)
    return make_endpoint(provider, prices_pusd={"prompt": price, "completion": price}, **fields)


A, B, C = priced("a", 1), priced("b", 2), priced("c", 3)


def order(
    candidates: list[Endpoint],
    ask: Ask,
    health: HealthSnapshot = EMPTY_HEALTH,
    *,
    pin: str | None = None,
    draw: float = 0.0,
) -> str:
    """The tags of the candidates in order; the draw is always the same."""
    moment = Moment(
        health=health,
        standings=find_standings(candidates, health, NOW_S),
        pin=None if pin is None else (MODEL, pin),
        draw=lambda: draw,
    )
    return tags(order_candidates(candidates, ask, moment))


@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        # Weights 1, 1/4, 1/9: of their sum 1.3611 the first ends at 0.7347, the second at 0.9184.
        (0.0, "a b c"),
        (0.73, "a b c"),
        (0.74, "b a c"),
        (0.91, "b a c"),
        (0.92, "c a b"),
        (0.999_999_999, "c a b"),
    ],
)
def test_the_draw(draw: float, expected: str) -> None:
    """One is drawn with weight 1/price², the others follow by price."""
    assert order([A, B, C], make_ask(), draw=draw) == expected


@pytest.mark.parametrize(
    ("preferences", "expected"),
    [
        pytest.param({}, "a b vertex/east vertex/west", id="nothing asked, drawn"),
        pytest.param({"allow_fallbacks": True}, "a b vertex/east vertex/west", id="fallbacks are the default"),
        pytest.param({"allow_fallbacks": False}, "a", id="the first alone"),
        pytest.param({"order": ["b"]}, "b a vertex/east vertex/west", id="named first"),
        pytest.param({"order": ["b", "a"]}, "b a vertex/east vertex/west", id="in the order named"),
        pytest.param({"order": ["vertex"]}, "vertex/east vertex/west a b", id="a base slug names all its variants"),
        pytest.param(
            {"order": ["vertex/west", "vertex"]}, "vertex/west vertex/east a b", id="a variant before its base"
        ),
        pytest.param({"order": ["b", "b"]}, "b a vertex/east vertex/west", id="named twice, tried once"),
        pytest.param(
            {"order": ["nobody", "x", "b"]}, "b a vertex/east vertex/west", id="unknown slugs are passed over"
        ),
    ],
)
def test_candidates_are_ordered(preferences: dict[str, Any], expected: str) -> None:
    """Those that `order` names come first; what ties stays in catalog order."""
    free = [make_endpoint("a"), make_endpoint(VERTEX, tag="vertex/east"), make_endpoint("b")]
    candidates = [free[0], free[2], free[1], make_endpoint(VERTEX, tag="vertex/west")]
    assert order(candidates, make_ask(**preferences)) == expected


@pytest.mark.parametrize(
    ("preferences", "expected"),
    [
        pytest.param({"order": ["c"]}, "c a b vertex/west vertex/east", id="the rest by price"),
        pytest.param({"order": ["vertex"]}, "vertex/west vertex/east a b c", id="one slug's endpoints by price"),
        pytest.param({"order": ["c"], "sort": {"by": "exacto"}}, "c b a vertex/east vertex/west", id="the rest sorted"),
    ],
)
def test_order_switches_the_draw_off(preferences: dict[str, Any], expected: str) -> None:
    """What `order` does not decide is decided by `sort`, or by price."""
    dear_to_cheap = [priced("c", 3), priced("b", 2, exacto=True), priced("a", 1)]
    candidates = [*dear_to_cheap, priced("vertex", 9, tag="vertex/east"), priced("vertex", 8, tag="vertex/west")]
    assert order(candidates, make_ask(**preferences), draw=0.99) == expected


FAST = EndpointHealth(first_token_s=speed(0.1), throughput_tps=speed(50))
SLOW = EndpointHealth(first_token_s=speed(2.0), throughput_tps=speed(5))
STEADY = EndpointHealth(first_token_s=speed(0.2, p90=0.3), throughput_tps=speed(40, p90=30))
UNEVEN = EndpointHealth(first_token_s=speed(0.2, p90=9.0), throughput_tps=speed(40, p90=2))


@pytest.mark.parametrize(
    ("by", "expected"),
    [("price", "c b a"), ("throughput", "b a c"), ("latency", "b a c"), ("exacto", "a c b")],
)
def test_sorting_by_a_word(by: str, expected: str) -> None:
    """Cheapest, fastest, soonest, or best at tools first; the unmeasured last."""
    candidates = [priced("a", 3, exacto=True), priced("b", 2), priced("c", 1, exacto=True)]
    health = make_health(a=SLOW, b=FAST)
    assert order(candidates, make_ask(sort={"by": by}), health) == expected
    assert order(candidates, make_ask(sort={"config": {"by": by, "partition": "model"}}), health) == expected


@pytest.mark.parametrize(
    ("sort", "variant", "tier", "expected"),
    [
        pytest.param({}, None, None, None, id="nothing"),
        pytest.param({"by": "latency"}, "nitro", "flex", "latency", id="its own word"),
        pytest.param({"config": {"by": "price"}}, "nitro", None, "price", id="the object's word"),
        pytest.param({"config": {"partition": "none"}}, None, None, None, id="a partition is no word"),
        pytest.param({"config": {"partition": "none"}}, "floor", None, "price", id="a partition and a variant"),
        pytest.param({}, "nitro", "flex", "throughput", id="nitro"),
        pytest.param({}, "floor", "priority", "price", id="floor"),
        pytest.param({}, "exacto", None, "exacto", id="exacto"),
        pytest.param({}, "free", None, None, id="free"),
        pytest.param({}, None, "priority", "throughput", id="the tier priority"),
        pytest.param({}, None, "flex", "price", id="the tier flex"),
    ],
)
def test_what_sorts(sort: dict[str, Any], variant: str | None, tier: str | None, expected: str | None) -> None:
    """The request's word before the variant's, the variant's before the tier's."""
    request = make_request(service_tier=tier, provider=ProviderPreferences(sort=sort))
    assert sorting(make_ask(request, variant)) == expected


@pytest.mark.parametrize(
    ("sort", "across"),
    [
        ({}, False),
        ({"by": "price"}, False),
        ({"config": {"by": "price"}}, False),
        ({"config": {"partition": "model"}}, False),
        ({"config": {"partition": "none"}}, True),
    ],
)
def test_the_partition(sort: dict[str, Any], across: bool) -> None:
    """Only `partition: "none"` takes the models together."""
    assert sorts_across_models(ProviderPreferences(sort=sort)) is across


@pytest.mark.parametrize(
    ("preferences", "expected"),
    [
        pytest.param({"preferred_max_latency": {"median": 1.0}}, "b c a", id="latency"),
        pytest.param({"preferred_min_throughput": {"median": 10.0}}, "b c a", id="throughput"),
        pytest.param({"preferred_min_throughput": {"median": 45.0}}, "b a c", id="two miss it"),
        pytest.param({"preferred_max_latency": {"percentiles": {"p50": 1.0, "p90": 0.25}}}, "b a c", id="p90"),
        pytest.param({"preferred_max_latency": {"median": 0.0}}, "a b c", id="all miss it"),
        pytest.param(
            {"preferred_max_latency": {"median": 1.0}, "preferred_min_throughput": {"median": 45.0}}, "b a c", id="both"
        ),
        pytest.param({"preferred_max_latency": {"median": 1.0}, "order": ["a"]}, "a b c", id="order is stronger"),
        pytest.param({"preferred_max_latency": {"median": 1.0}, "sort": {"by": "price"}}, "b c a", id="sort is weaker"),
        pytest.param({"preferred_max_latency": {}}, "a b c", id="no number"),
    ],
)
def test_thresholds_move_to_the_end(preferences: dict[str, Any], expected: str) -> None:
    """Endpoints that miss a preferred speed come behind those that do not; nobody is left out."""
    assert order([A, B, C], make_ask(**preferences), make_health(a=SLOW, b=FAST, c=STEADY)) == expected


@pytest.mark.parametrize(
    ("measured", "cutoff", "least", "misses"),
    [
        pytest.param(None, {"median": 1.0}, False, False, id="unmeasured"),
        pytest.param(speed(1.0), {"median": 1.0}, False, False, id="just soon enough"),
        pytest.param(speed(1.1), {"median": 1.0}, False, True, id="too late"),
        pytest.param(speed(1.0), {"median": 1.0}, True, False, id="just fast enough"),
        pytest.param(speed(0.9), {"median": 1.0}, True, True, id="too slow"),
        pytest.param(UNEVEN.throughput_tps, {"percentiles": {"p50": 10.0}}, True, False, id="the median alone"),
        pytest.param(UNEVEN.throughput_tps, {"percentiles": {"p50": 10.0, "p99": 10.0}}, True, True, id="any of them"),
        pytest.param(UNEVEN.first_token_s, {"percentiles": {"p75": 1.0}}, False, False, id="p75"),
        pytest.param(UNEVEN.first_token_s, {"percentiles": {"p90": 1.0}}, False, True, id="p90"),
        pytest.param(speed(5.0), {}, False, False, id="no number"),
    ],
)
def test_cutoffs(measured: Percentiles | None, cutoff: dict[str, Any], least: bool, misses: bool) -> None:
    """Any percentile that is missed counts; what was not measured misses nothing."""
    assert misses_cutoff(measured, PreferredCutoff(**cutoff), least=least) is misses


PRIORITY = priced("b", 5, tag="b/priority", service_tier="priority")
FLEX = priced("b", 1, tag="b/flex", service_tier="flex")


@pytest.mark.parametrize(
    ("request_", "variant", "preferences", "expected"),
    [
        pytest.param({"service_tier": "priority"}, None, {}, "b/priority b c", id="priority first"),
        pytest.param({"service_tier": "fast"}, None, {"sort": {"by": "price"}}, "b/priority b c", id="and then sorted"),
        pytest.param({"service_tier": "fast"}, None, {"order": ["c"]}, "c b/priority b", id="order is stronger"),
        pytest.param({"service_tier": "fast"}, None, {"order": ["b"]}, "b/priority b c", id="a base slug means it too"),
        pytest.param({}, "nitro", {}, "b c b/priority", id="nitro sorts by speed alone"),
        pytest.param({}, None, {"order": ["b", "b/priority"]}, "b b/priority c", id="named by its tag"),
        pytest.param({}, None, {"order": ["b/priority", "b"]}, "b/priority b c", id="named by its tag first"),
    ],
)
def test_tiers_come_first(
    request_: dict[str, Any], variant: str | None, preferences: dict[str, Any], expected: str
) -> None:
    """Endpoints of the tier asked for come before the others."""
    ask = make_ask(make_request(**request_, provider=ProviderPreferences(**preferences)), variant)
    assert order([B, PRIORITY, C], ask, make_health(b=FAST, c=SLOW)) == expected


@pytest.mark.parametrize(
    ("preferences", "health", "expected"),
    [
        pytest.param({}, EMPTY_HEALTH, "c a b", id="before the draw"),
        pytest.param({"sort": {"by": "price"}}, EMPTY_HEALTH, "c a b", id="before sort"),
        pytest.param({"preferred_max_latency": {"median": 1.0}}, make_health(c=SLOW), "c a b", id="although slow"),
        pytest.param({"order": ["b"]}, EMPTY_HEALTH, "b c a", id="behind order"),
        pytest.param({"allow_fallbacks": False}, EMPTY_HEALTH, "c", id="alone"),
        pytest.param({}, make_health(c=UNSTABLE), "c a b", id="although unstable"),
        pytest.param({}, make_health(c=COOLING), "a b c", id="not while it cools"),
        pytest.param({}, make_health(c=EJECTED), "a b c", id="not while it is out"),
        pytest.param({}, make_health(c=DUE), "c a b", id="when it may be tried again"),
    ],
)
def test_a_conversation_stays(preferences: dict[str, Any], health: HealthSnapshot, expected: str) -> None:
    """The endpoint that a conversation is at stays first while it is in service."""
    assert order([A, B, C], make_ask(**preferences), health, pin="c") == expected


def test_a_pin_to_nobody() -> None:
    """A pin to an endpoint that may not serve changes nothing."""
    assert order([A, B, C], make_ask(), pin="gone") == "a b c"


@pytest.mark.parametrize(
    ("health", "preferences", "expected"),
    [
        pytest.param(make_health(a=UNSTABLE), {}, "b c a", id="unstable behind stable"),
        pytest.param(make_health(a=UNSTABLE), {"sort": {"by": "price"}}, "a b c", id="sort is stronger"),
        pytest.param(make_health(a=UNSTABLE), {"order": ["a"]}, "a b c", id="order is stronger"),
        pytest.param(make_health(a=UNSTABLE), {"order": ["c"]}, "c b a", id="also in the rest behind order"),
        pytest.param(make_health(a=COOLING), {"sort": {"by": "price"}}, "b c a", id="cooling behind sort"),
        pytest.param(make_health(a=COOLING, b=EJECTED), {}, "c a b", id="cooling before out"),
        pytest.param(make_health(a=EJECTED), {"order": ["a", "b"]}, "b c a", id="out behind order"),
        pytest.param(make_health(a=EJECTED), {"allow_fallbacks": False}, "b", id="the first in service alone"),
        pytest.param(make_health(c=DUE), {}, "c a b", id="a probe that is due"),
        pytest.param(make_health(c=DUE), {"sort": {"by": "price"}}, "a b c", id="a probe, sorted"),
        pytest.param(make_health(a=EJECTED, b=EJECTED, c=EJECTED), {}, "a b c", id="panic"),
        pytest.param(make_health(a=UNSTABLE, b=UNSTABLE, c=UNSTABLE), {}, "a b c", id="all unstable, drawn"),
    ],
)
def test_health_orders(health: HealthSnapshot, preferences: dict[str, Any], expected: str) -> None:
    """Those in service come first whatever was asked; unstable ones are last where nothing else decides."""
    assert order([A, B, C], make_ask(**preferences), health) == expected


def test_the_ranks_of_service() -> None:
    """Well, due and unstable are alike; nobody is below them."""
    standings = find_standings([A, B, C], make_health(a=COOLING, b=UNSTABLE, c=DUE), NOW_S)
    ranks = {tag: rank_in_service(standing) for (_, tag), standing in standings.items()}
    assert ranks["b"] == ranks["c"] == rank_in_service(None) < ranks["a"]


def test_probably_too_small_comes_last() -> None:
    """An estimate that may be wrong moves an endpoint behind the larger ones; a pin is stronger."""
    small = priced("s", 0.01, context_length=1000)
    ask = make_ask(make_request("x" * 6000))
    assert order([small, A, B], ask) == "a b s"
    assert order([small, A, B], make_ask(make_request("x" * 600))) == "s a b"
    assert order([small, A, B], ask, pin="s") == "s a b"


@pytest.mark.parametrize(
    ("prices", "draw", "first"),
    [
        pytest.param([0, 0, 5], 0.0, 0, id="free, the first"),
        pytest.param([0, 0, 5], 0.99, 1, id="free, the last, never one that costs"),
        pytest.param([5, 0], 0.0, 1, id="only one is free"),
        pytest.param([7, 7], 0.49, 0, id="alike, below the half"),
        pytest.param([7, 7], 0.5, 1, id="alike, from the half"),
        pytest.param([1, 10**17], 0.999_999_999, 0, id="prices far apart"),
        pytest.param([10**30, 10**30], 0.75, 1, id="huge prices"),
    ],
)
def test_draws_at_the_rims(prices: list[int], draw: float, first: int) -> None:
    """No price is too small, too large or too far from the others for the draw."""
    endpoints = [make_endpoint(f"p{place}", prices_pusd={"request": price}) for place, price in enumerate(prices)]
    assert draw_first(endpoints, make_ask(), lambda: draw)[0] is endpoints[first]


def test_one_or_none_is_not_drawn() -> None:
    """Where there is no choice the request is not even read."""
    assert draw_first([A], make_ask(), seeded()) == [A]
    assert order([], make_ask(order=["a"], allow_fallbacks=False)) == ""


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.99])
def test_unknown_prices_are_drawn_last(draw: float) -> None:
    """They are no low ones: however the draw falls, the dearest known price comes before them, and `sort` by price does alike."""
    unknown, dear = make_endpoint("u"), priced("d", 10**6)
    assert [endpoint.tag for endpoint in draw_first([unknown, dear], make_ask(), lambda: draw)] == ["d", "u"]
    assert order([unknown, dear], make_ask(sort={"by": "price"})) == "d u"
    assert order([unknown, make_endpoint("v")], make_ask()) in {"u v", "v u"}
