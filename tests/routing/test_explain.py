# SPDX-License-Identifier: Apache-2.0
"""A plan in words: each endpoint with the reason for its place, each rejected one with its rule."""

from typing import Any

import pytest

from support.builders import MODEL, make_catalog, make_endpoint, make_provider, make_request
from support.planning import COOLING, DOLLAR_A_MILLION, DUE, EJECTED, UNSTABLE, make_health, plan_among, speed
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.provider_preferences_pb2 import ProviderPreferences
from trunkline.v1.route_service_pb2 import RoutePlan
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.core.errors import ERROR_SHAPES
from trunkline_server.routing.candidates import EXCLUSION_WORDS
from trunkline_server.routing.explain import EXCLUSION_SENTENCES, describe_route, explain_plan, summarize
from trunkline_server.routing.health import EMPTY_HEALTH, EndpointHealth, HealthSnapshot


def priced(provider: str, dollars: int, model: str = MODEL, **fields: Any) -> Endpoint:
    """An endpoint whose prompts cost so many dollars a million."""
    return make_endpoint(provider, model, prices_pusd={"prompt": dollars * DOLLAR_A_MILLION}, **fields)


A, B, C = priced("a", 1), priced("b", 1000), priced("c", 2000)
SLOW = EndpointHealth(first_token_s=speed(9.0))


def explain(
    *offered: Endpoint,
    health: HealthSnapshot = EMPTY_HEALTH,
    pin: str | None = None,
    model: str = MODEL,
    fields: dict[str, Any] | None = None,
    **preferences: Any,
) -> RoutePlan:
    """The plan of a request in words; `fields` are its other fields."""
    request = make_request(model=model, provider=ProviderPreferences(**preferences), **(fields or {}))
    place = None if pin is None else (MODEL, pin)
    return explain_plan(plan_among(offered, request, health=health, pin=place), request, place)


def test_every_word_has_a_sentence() -> None:
    """What excludes an endpoint can be told, and nothing else is told."""
    assert set(EXCLUSION_SENTENCES) == set(EXCLUSION_WORDS)
    assert all(sentence[0].isupper() or sentence[0] == "`" for sentence in EXCLUSION_SENTENCES.values())
    assert all(sentence.endswith(".") for sentence in EXCLUSION_SENTENCES.values())
    assert len(set(EXCLUSION_SENTENCES.values())) == len(EXCLUSION_SENTENCES)


def test_a_plan_in_words() -> None:
    """Endpoints in order with price and standing, rejected ones with word and sentence."""
    told = explain(A, B, C, ignore=["c"], health=make_health(b=UNSTABLE), fields={"max_tokens": 9})
    assert list(told.requested_models) == [MODEL]
    assert (told.strategy, told.estimated_prompt_tokens, told.assumed_completion_tokens) == ("direct", 2, 9)
    first, second = told.endpoints
    assert (first.provider, first.provider_name, first.model, first.tag) == ("a", "A", MODEL, "a")
    assert (first.expected_cost_pusd, first.standing) == (2 * DOLLAR_A_MILLION, "well")
    assert (second.tag, second.standing) == ("b", "unstable")
    (rejected,) = told.rejected
    assert (rejected.provider, rejected.provider_name, rejected.model, rejected.tag) == ("c", "C", MODEL, "c")
    assert (rejected.excluded_by, rejected.reason) == ("allowed_providers", EXCLUSION_SENTENCES["allowed_providers"])
    assert not told.HasField("error")


SMALL = priced("s", 1, context_length=300)
PRIORITY = priced("p", 5, service_tier="priority")


@pytest.mark.parametrize(
    ("offered", "asked", "expected"),
    [
        pytest.param([A, B], {}, ["The draw", "A fallback"], id="the draw"),
        pytest.param([A], {}, ["No other"], id="no choice"),
        pytest.param([A, B], {"order": ["b"]}, ["`order`", "No other|A fallback"], id="order"),
        pytest.param([A, B, C], {"order": ["b"]}, ["`order`", "A fallback", "A fallback"], id="no draw behind order"),
        pytest.param([A, B], {"pin": "b"}, ["The conversation", "A fallback"], id="a pin"),
        pytest.param([A, B], {"sort": {"by": "price"}}, ['Sorted by "price"', 'Sorted by "price"'], id="sort"),
        pytest.param([A, B], {"model": f"{MODEL}:nitro"}, ['Sorted by "throughput"'] * 2, id="a variant"),
        pytest.param(
            [A, PRIORITY], {"fields": {"service_tier": "fast"}}, ["It sells", 'Sorted by "throughput"'], id="a tier"
        ),
        pytest.param(
            [SMALL, B], {"fields": {"max_tokens": 299}}, ["The draw|A fallback", "The prompt"], id="too small"
        ),
        pytest.param(
            [A, B],
            {"preferred_max_latency": {"median": 1.0}, "health": make_health(a=SLOW)},
            ["A fallback|The draw", "It misses"],
            id="too slow",
        ),
        pytest.param([A, B], {"health": make_health(a=UNSTABLE)}, ["The draw", "Many of its calls"], id="unstable"),
        pytest.param([A, B], {"health": make_health(b=DUE)}, ["It was ejected", "A fallback"], id="due"),
        pytest.param([A, B], {"health": make_health(a=COOLING)}, ["The draw", "Its provider asked"], id="cooling"),
        pytest.param(
            [A, B], {"health": make_health(a=EJECTED), "order": ["a"]}, ["A fallback", "It is ejected"], id="out"
        ),
    ],
)
def test_each_place_has_its_reason(offered: list[Endpoint], asked: dict[str, Any], expected: list[str]) -> None:
    """The strongest rule that put an endpoint where it is."""
    told = explain(*offered, **asked)
    beginnings = [tuple(text.split("|")) for text in expected]
    assert len(told.endpoints) == len(beginnings)
    assert [
        one.reason for one, texts in zip(told.endpoints, beginnings, strict=True) if not one.reason.startswith(texts)
    ] == []


def test_nothing_left_in_words() -> None:
    """The error is what the request itself would be answered."""
    told = explain(A, B, only=["nobody"])
    shape = ERROR_SHAPES[ErrorReason.ERROR_REASON_CONSTRAINT_FILTERED]
    assert (len(told.endpoints), len(told.rejected), told.error.code) == (0, 2, shape.http_status)
    assert list(told.error.availability.excluded_by) == ["allowed_providers"]
    assert told.summary == f"Nobody may serve `{MODEL}`; 2 endpoints rejected."


def test_a_price_beyond_64_bits() -> None:
    """Where a price does not fit the contract, the highest one stands for it."""
    endpoint = make_endpoint("a", prices_pusd={"prompt": 2**62})
    assert explain(endpoint).endpoints[0].expected_cost_pusd == 2**63 - 1


@pytest.mark.parametrize(
    ("offered", "preferences", "expected"),
    [
        ([A], {}, f"`{MODEL}`: A serves `{MODEL}` first, 0 endpoints to fall back on, 0 rejected."),
        ([A, B], {"order": ["b"]}, f"`{MODEL}`: B serves `{MODEL}` first, 1 endpoint to fall back on, 0 rejected."),
        ([A, B], {"only": ["a"]}, f"`{MODEL}`: A serves `{MODEL}` first, 0 endpoints to fall back on, 1 rejected."),
    ],
)
def test_the_summary(offered: list[Endpoint], preferences: dict[str, Any], expected: str) -> None:
    """Who serves first, and how many are left."""
    assert summarize(plan_among(offered, **preferences)) == expected


OTHER = priced("a", 3, "acme/two")
CATALOG = make_catalog(A, B, OTHER)


def test_the_route_of_a_call() -> None:
    """What was asked for, who could have served, who was tried and who served."""
    made = plan_among(CATALOG, make_request(models=["acme/two"]), order=["a"])
    route = describe_route(made, [(A, 503), (OTHER, 200)], OTHER)
    assert (route.requested, route.strategy, route.attempt) == (MODEL, "fallback", 2)
    assert route.summary == summarize(made)
    assert [(one.provider, one.model, one.status) for one in route.attempts] == [
        ("A", MODEL, 503),
        ("A", "acme/two", 200),
    ]
    assert route.endpoints.total == 3
    assert [(one.provider, one.model, one.selected) for one in route.endpoints.available] == [
        ("A", MODEL, False),
        ("B", MODEL, False),
        ("A", "acme/two", True),
    ]


@pytest.mark.parametrize(
    ("model", "served", "strategy"),
    [
        (MODEL, A, "direct"),
        (MODEL, B, "direct"),
        (MODEL, OTHER, "fallback"),
        ("~acme/one-latest", OTHER, "fallback"),
        ("openrouter/auto", OTHER, "auto"),
        (MODEL, None, "direct"),
    ],
)
def test_the_strategy_of_a_call(model: str, served: Endpoint | None, strategy: str) -> None:
    """Another model than the one found first is a fallback, unless a router model stands for both."""
    made = plan_among(CATALOG, make_request(model=model, models=["acme/two"]))
    assert describe_route(made, [], served).strategy == strategy


def test_the_route_of_a_call_without_a_plan() -> None:
    """Where nobody may serve there is a route all the same."""
    route = describe_route(plan_among(CATALOG, make_request(model="no/such")), [], None)
    assert (route.requested, route.attempt, route.endpoints.total) == ("no/such", 0, 0)


def test_the_provider_s_name_is_for_people() -> None:
    """Slug and name both are told."""
    endpoint = make_endpoint(make_provider("acme", name="Acme, Inc."))
    planned = explain(endpoint).endpoints[0]
    assert (planned.provider, planned.provider_name) == ("acme", "Acme, Inc.")


def test_an_unknown_price_is_no_cost() -> None:
    """What a call costs there is not told, rather than told as nothing; nothing is told where nothing is the price."""
    unknown, gratis = make_endpoint("u"), make_endpoint("g", prices_pusd={"prompt": 0})
    planned = explain(unknown, gratis).endpoints
    assert [(one.tag, one.HasField("expected_cost_pusd")) for one in planned] == [("g", True), ("u", False)]
