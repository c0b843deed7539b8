# SPDX-License-Identifier: Apache-2.0
"""The laws of routing, each for whatever Hypothesis finds, and the place of every preference."""

import random
from collections import Counter
from math import sqrt
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import assume, given
from hypothesis import strategies as st

from support.builders import MODEL, make_endpoint, make_function, make_provider, make_request
from support.planning import (
    DOLLAR_A_MILLION,
    FILTERS,
    NOW_S,
    ORDERS,
    SORTS,
    THRESHOLDS,
    endpoints,
    make_ask,
    make_health,
    plan_among,
    preferences,
    rejected,
    requests,
    seeded,
    snapshots,
    speed,
    tags,
)
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.provider_preferences_pb2 import MaxPrice, PercentileCutoffs, ProviderPreferences
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.routing.candidates import EXCLUSION_WORDS, Deployment
from trunkline_server.routing.health import EndpointHealth, HealthSnapshot, Standing, find_standings
from trunkline_server.routing.order import Moment, order_candidates, rank_in_service

NARROWING = preferences(FILTERS)
ANY = preferences(FILTERS, ORDERS)
SEEDS = st.integers(0, 2**32)


def asking(request: ChatCompletionRequest, *more: ProviderPreferences) -> ChatCompletionRequest:
    """The request with preferences, those of a later one in place of an earlier one's."""
    asked = ChatCompletionRequest()
    asked.CopyFrom(request)
    for given_ in more:
        for field, _ in given_.ListFields():
            asked.provider.ClearField(field.name)
        asked.provider.MergeFrom(given_)
    return asked


@given(
    offered=endpoints(), request=requests(soft=False), some=NARROWING, name=st.sampled_from([*FILTERS]), data=st.data()
)
def test_filters_only_narrow(
    offered: list[Endpoint], request: ChatCompletionRequest, some: ProviderPreferences, name: str, data: st.DataObject
) -> None:
    """One more preference never adds a candidate."""
    some.ClearField(name)
    added = ProviderPreferences(**{name: data.draw(FILTERS[name])})
    before = plan_among(offered, asking(request, some)).endpoints
    after = plan_among(offered, asking(request, some, added)).endpoints
    assert set(tags(after).split()) <= set(tags(before).split())


@given(offered=endpoints(), request=requests(), ruling=NARROWING, asked=ANY)
def test_a_request_never_widens_the_deployment(
    offered: list[Endpoint], request: ChatCompletionRequest, ruling: ProviderPreferences, asked: ProviderPreferences
) -> None:
    """Whoever serves a request is one whom the deployment's preferences leave to a plain one, and knows what they require."""
    requires = ruling.require_parameters
    ruling.ClearField("require_parameters")
    allowed = plan_among(offered, make_request(), deployment=Deployment(preferences=ruling)).endpoints
    ruling.require_parameters = requires
    made = plan_among(offered, asking(request, asked), deployment=Deployment(preferences=ruling))
    assert set(tags(made.endpoints).split()) <= set(tags(allowed).split())
    assert not requires or all(made.needs.parameters <= one.supported_parameters for one in made.endpoints)


@given(offered=endpoints(), request=requests(), asked=ANY, health=snapshots(), seed=SEEDS)
def test_everybody_is_planned_or_rejected(
    offered: list[Endpoint],
    request: ChatCompletionRequest,
    asked: ProviderPreferences,
    health: HealthSnapshot,
    seed: int,
) -> None:
    """Each endpoint of the model is either tried once or rejected once, with a word that can be told."""
    made = plan_among(offered, asking(request, asked), health=health, draw=seeded(seed))
    told = [endpoint.tag for endpoint in made.endpoints] + [one.endpoint.tag for one in made.exclusions]
    assert sorted(told) == sorted(endpoint.tag for endpoint in offered)
    assert set(rejected(made.exclusions).values()) <= set(EXCLUSION_WORDS)
    assert (made.error is None) == bool(made.endpoints)


@given(offered=endpoints(), request=requests(), asked=ANY, health=snapshots(), seed=SEEDS)
def test_a_plan_is_a_function(
    offered: list[Endpoint],
    request: ChatCompletionRequest,
    asked: ProviderPreferences,
    health: HealthSnapshot,
    seed: int,
) -> None:
    """The same request, catalog, health, time and draw give the same plan."""
    request = asking(request, asked)
    first, second = (plan_among(offered, request, health=health, draw=seeded(seed)) for _ in range(2))
    assert (first.endpoints, first.exclusions, first.standings) == (
        second.endpoints,
        second.exclusions,
        second.standings,
    )


@given(offered=endpoints(), request=requests(), asked=ANY, health=snapshots(), seed=SEEDS, pin=st.sampled_from("abe"))
def test_order_is_a_prefix(
    offered: list[Endpoint],
    request: ChatCompletionRequest,
    asked: ProviderPreferences,
    health: HealthSnapshot,
    seed: int,
    pin: str,
) -> None:
    """Among the endpoints in service those that `order` names come first, in its order, whatever else is asked."""
    made = plan_among(offered, asking(request, asked), health=health, draw=seeded(seed), pin=(MODEL, pin))
    ranks = [rank_in_service(made.standings.get(endpoint.key)) for endpoint in made.endpoints]
    serving = [endpoint for endpoint, rank in zip(made.endpoints, ranks, strict=True) if rank <= Standing.UNSTABLE]
    last = len(asked.order)
    places = [
        next((place for place, slug in enumerate(asked.order) if slug.lower() in endpoint.names), last)
        for endpoint in serving
    ]
    assert ranks == sorted(ranks)
    assert places == sorted(places)


@given(offered=endpoints(), request=requests(), asked=ANY, cutoffs=preferences(THRESHOLDS), health=snapshots())
def test_thresholds_never_exclude(
    offered: list[Endpoint],
    request: ChatCompletionRequest,
    asked: ProviderPreferences,
    cutoffs: ProviderPreferences,
    health: HealthSnapshot,
) -> None:
    """Preferred speeds change places, not the company."""
    before = plan_among(offered, asking(request, asked), health=health)
    after = plan_among(offered, asking(request, asked, cutoffs), health=health)
    assert sorted(tags(after.endpoints).split()) == sorted(tags(before.endpoints).split())
    assert rejected(after.exclusions) == rejected(before.exclusions)


@given(offered=endpoints(), request=requests(), by=SORTS, health=snapshots())
def test_sorts_are_stable(
    offered: list[Endpoint], request: ChatCompletionRequest, by: str, health: HealthSnapshot
) -> None:
    """A sort that finds all alike leaves them as they are in the catalog, and never asks for the draw."""
    alike = [
        make_endpoint(endpoint.provider, tag=endpoint.tag, supported_parameters=endpoint.supported_parameters)
        for endpoint in offered
    ]
    known = {key: EndpointHealth(unstable=found.unstable) for key, found in health.endpoints.items()}
    made = plan_among(alike, asking(request), health=HealthSnapshot(endpoints=known), sort={"by": by}, draw=refuse)
    left = [endpoint for endpoint in alike if endpoint.key in {kept.key for kept in made.endpoints}]
    assert tags(made.endpoints) == tags(left)


def refuse() -> float:
    """A draw that must not happen."""
    pytest.fail("drawn")


@given(
    offered=endpoints(least=1),
    request=requests(),
    asked=preferences(FILTERS, {"sort": ORDERS["sort"], **THRESHOLDS}),
    health=snapshots(),
    pin=st.sampled_from(["a", "b", "c", "d/x", "e"]),
    seed=SEEDS,
)
def test_sessions_stay(
    offered: list[Endpoint],
    request: ChatCompletionRequest,
    asked: ProviderPreferences,
    health: HealthSnapshot,
    pin: str,
    seed: int,
) -> None:
    """The endpoint that a conversation is at comes first as long as it may serve and is in service."""
    made = plan_among(offered, asking(request, asked), health=health, pin=(MODEL, pin), draw=seeded(seed))
    assume(pin in {endpoint.tag for endpoint in made.endpoints})
    serves = rank_in_service(made.standings.get((MODEL, pin))) <= Standing.UNSTABLE
    assert (made.endpoints[0].tag == pin) or not serves


@given(offered=endpoints(least=1), request=requests(), asked=ANY, health=snapshots(), seed=SEEDS)
def test_at_most_half_are_out(
    offered: list[Endpoint],
    request: ChatCompletionRequest,
    asked: ProviderPreferences,
    health: HealthSnapshot,
    seed: int,
) -> None:
    """Ejections never take more than half of those who may serve, and none of the last one."""
    made = plan_among(offered, asking(request, asked), health=health, draw=seeded(seed))
    out = [key for key, standing in made.standings.items() if standing is Standing.OUT]
    assert len(out) <= len(made.endpoints) // 2
    assert [endpoint.key for endpoint in made.endpoints[: len(made.endpoints) - len(out)] if endpoint.key in out] == []


DRAWS = 100_000


@pytest.mark.parametrize(
    ("prices", "unstable"),
    [
        pytest.param([1, 2, 3], [], id="one, two, three"),
        pytest.param([1, 3, 2], ["p2"], id="the example of the reference"),
        pytest.param([5, 5, 5, 5], [], id="alike"),
        pytest.param([100, 101, 150, 1000], [], id="close and far"),
    ],
)
def test_weights_follow_the_price(prices: list[int], unstable: list[str]) -> None:
    """Each stable endpoint is first with a share of 1/price², within three standard deviations; the unstable never is."""
    offered = [
        make_endpoint(f"p{place}", prices_pusd={"prompt": price * DOLLAR_A_MILLION})
        for place, price in enumerate(prices)
    ]
    health = make_health(**dict.fromkeys(unstable, EndpointHealth(unstable=True)))
    moment = Moment(
        health=health, standings=find_standings(offered, health, NOW_S), pin=None, draw=random.Random(20261122).random
    )
    ask = make_ask()
    firsts = Counter(order_candidates(offered, ask, moment)[0].tag for _ in range(DRAWS))
    weights = {one.tag: 1 / price**2 for one, price in zip(offered, prices, strict=True) if one.tag not in unstable}
    shares = {tag: weight / sum(weights.values()) for tag, weight in weights.items()}
    sigmas = {tag: sqrt(share * (1 - share) / DRAWS) for tag, share in shares.items()}
    misses = {tag: (firsts[tag] / DRAWS - share) / sigmas[tag] for tag, share in shares.items()}
    assert {tag: miss for tag, miss in misses.items() if abs(miss) > 3} == {}
    assert set(firsts) <= set(shares)


def test_the_example_of_the_reference() -> None:
    """$1, $3 and $2 but unstable: the first before the third, or the other way round, the unstable one last."""
    offered = [make_endpoint(tag, prices_pusd={"prompt": price}) for tag, price in (("a", 100), ("b", 200), ("c", 300))]
    health = make_health(b=EndpointHealth(unstable=True))
    plans = {tags(plan_among(offered, health=health, draw=seeded(seed)).endpoints) for seed in range(100)}
    assert plans == {"a c b", "c a b"}


KIND = make_provider("kind", trains_on_prompts=False, keeps_prompts=False)
GOOD = make_endpoint(
    KIND,
    prices_pusd={"prompt": 2, "completion": 2, "request": 2, "image": 2, "audio": 2},
    quantization="bf16",
    distillable=True,
    supported_parameters=frozenset({"seed"}),
)
POOR = make_endpoint(
    "poor", prices_pusd={"prompt": 1, "completion": 1, "request": 1, "image": 1, "audio": 1}, quantization="fp4"
)
MEASURED = make_health(
    poor=EndpointHealth(first_token_s=speed(1.0, p90=2.0), throughput_tps=speed(10.0, p90=5.0)),
    kind=EndpointHealth(first_token_s=speed(0.5), throughput_tps=speed(50.0)),
)
BY_RULE: dict[str, dict[str, Any]] = {
    "only": {"only": ["kind"]},
    "ignore": {"ignore": ["poor"]},
    "allow_fallbacks": {"allow_fallbacks": False},
    "require_parameters": {"require_parameters": True},
    "data_collection": {"data_collection": "DATA_COLLECTION_DENY"},
    "zdr": {"zdr": True},
    "enforce_distillable_text": {"enforce_distillable_text": True},
    "quantizations": {"quantizations": ["bf16"]},
    "max_price": {"max_price": {"prompt_pusd": 10**6}},
}
"""Preferences that leave one of two endpoints."""
BY_ORDER: dict[str, dict[str, Any]] = {
    "order": {"order": ["kind"]},
    "sort": {"sort": {"by": "throughput"}},
    "preferred_min_throughput": {"preferred_min_throughput": {"median": 20.0}},
    "preferred_max_latency": {"preferred_max_latency": {"median": 0.7}},
}
"""Preferences that turn the order of two endpoints round."""
ELSEWHERE = {"mid_stream": "what follows a failure after the first content: the engine reads it"}
"""Preferences that say nothing of who serves, and who reads them."""


def names_of(message: Any) -> set[str]:
    """The fields of a message."""
    fields: list[FieldDescriptor] = message.DESCRIPTOR.fields
    return {field.name for field in fields}


def test_every_preference_has_its_place() -> None:
    """A new field of ProviderPreferences fails here until a rule or an order reads it, or somebody else is named who does."""
    assert names_of(ProviderPreferences) - {*BY_RULE, *BY_ORDER, *ELSEWHERE} == set()
    assert {*BY_RULE, *BY_ORDER} <= names_of(ProviderPreferences)


def plan_two(**asked: Any) -> str:
    """Who serves, of the dear good one and the cheap poor one; without a preference the poor one is first."""
    request = make_request(seed=1)
    return tags(plan_among([GOOD, POOR], request, health=MEASURED, draw=lambda: 0.99, **asked).endpoints)


@pytest.mark.parametrize("name", BY_RULE)
def test_a_preference_that_filters(name: str) -> None:
    """It leaves one endpoint of two."""
    assert plan_two() == "poor kind"
    assert len(plan_two(**BY_RULE[name]).split()) == 1


@pytest.mark.parametrize("name", BY_ORDER)
def test_a_preference_that_orders(name: str) -> None:
    """It turns two endpoints round and keeps both."""
    assert plan_two(**BY_ORDER[name]) == "kind poor"


@pytest.mark.parametrize("field", sorted(names_of(MaxPrice)))
def test_every_price_has_a_limit(field: str) -> None:
    """Each field of `max_price` leaves out who costs more; a new one fails here until a rule reads it."""
    million = 10**6 if field in ("prompt_pusd", "completion_pusd") else 1
    assert plan_two(max_price={field: 1 * million}) == "poor"
    assert plan_two(max_price={field: 2 * million}) == "poor kind"


@pytest.mark.parametrize("name", sorted(names_of(PercentileCutoffs)))
def test_every_percentile_counts(name: str) -> None:
    """Each field of the cutoffs moves who misses it."""
    assert plan_two(preferred_max_latency={"percentiles": {name: 0.7}}) == "kind poor"
    assert plan_two(preferred_min_throughput={"percentiles": {name: 20.0}}) == "kind poor"


def test_now_counts() -> None:
    """A pause that has passed is no pause."""
    health = make_health(poor=EndpointHealth(cooling_until_s=NOW_S))
    assert tags(plan_among([GOOD, POOR], health=health, draw=lambda: 0.99).endpoints) == "poor kind"


def test_soft_parameters_are_the_exception_of_narrowing() -> None:
    """They prefer among those who are left, so to leave out who knows them lets in who does not: a model is never removed by them."""
    knowing = make_endpoint("a", supported_parameters=frozenset({"tools"}))
    request = make_request(tools=[make_function()])
    assert tags(plan_among([knowing, POOR], request).endpoints) == "a"
    assert tags(plan_among([knowing, POOR], request, ignore=["a"]).endpoints) == "poor"
