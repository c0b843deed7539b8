# SPDX-License-Identifier: Apache-2.0
"""Plans for tests of routing: a request, some endpoints and their health in, tags in order out; and Hypothesis strategies for what a plan depends on."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from support.builders import MODEL, make_catalog, make_endpoint, make_message, make_provider, make_request
from trunkline.v1.provider_preferences_pb2 import DataCollection, ProviderPreferences
from trunkline_server.catalog.entry import Catalog, Endpoint
from trunkline_server.routing.candidates import ANYTHING, Ask, Deployment, read_ask
from trunkline_server.routing.health import EMPTY_HEALTH, EndpointHealth, HealthSnapshot, Percentiles
from trunkline_server.routing.needs import read_needs
from trunkline_server.routing.plan import Plan, Surroundings, make_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

    from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
    from trunkline_server.catalog.entry import EndpointKey
    from trunkline_server.routing.candidates import Exclusion

NOW_S = 1000.0
DOLLAR_A_MILLION = 1_000_000
"""The price in 1e-12 USD of a token where a million cost one dollar."""


def seeded(seed: int = 1) -> Callable[[], float]:
    """Numbers in [0, 1), the same ones each time."""
    return random.Random(seed).random


def plan_among(
    offered: Catalog | Sequence[Endpoint],
    request: ChatCompletionRequest | None = None,
    *,
    health: HealthSnapshot = EMPTY_HEALTH,
    pin: EndpointKey | None = None,
    draw: Callable[[], float] | None = None,
    deployment: Deployment = ANYTHING,
    **preferences: Any,
) -> Plan:
    """The plan of a request (None: a plain one for MODEL) at NOW_S; `preferences` are fields of its `provider`."""
    catalog = offered if isinstance(offered, Catalog) else make_catalog(*offered)
    asked = make_request() if request is None else request
    if preferences:
        asked.provider.MergeFrom(ProviderPreferences(**preferences))
    surroundings = Surroundings(health=health, now_s=NOW_S, draw=draw or seeded(), pin=pin, deployment=deployment)
    return make_plan(asked, catalog, surroundings)


def make_ask(
    request: ChatCompletionRequest | None = None,
    variant: str | None = None,
    deployment: Deployment = ANYTHING,
    **preferences: Any,
) -> Ask:
    """What a request (None: a plain one) and the deployment say of endpoints; `preferences` in place of its own."""
    asked = make_request() if request is None else request
    own = ProviderPreferences(**preferences) if preferences else asked.provider
    return read_ask(own, read_needs(asked), deployment).of_variant(variant)


def tags(endpoints: Iterable[Endpoint]) -> str:
    """The tags of endpoints, in one line."""
    return " ".join(endpoint.tag for endpoint in endpoints)


def rejected(exclusions: Iterable[Exclusion]) -> dict[str, str]:
    """Tag to the word that excludes it."""
    return {exclusion.endpoint.tag: exclusion.reason for exclusion in exclusions}


def make_health(**by_tag: EndpointHealth) -> HealthSnapshot:
    """A snapshot for endpoints of MODEL."""
    return HealthSnapshot(endpoints={(MODEL, tag): health for tag, health in by_tag.items()})


def speed(median: float, p90: float | None = None) -> Percentiles:
    """Percentiles: the median and p75, p90 and p99 (None: the median as well)."""
    return Percentiles(p50=median, p75=median, p90=p90 or median, p99=p90 or median)


UNSTABLE = EndpointHealth(unstable=True)
COOLING = EndpointHealth(cooling_until_s=NOW_S + 10)
EJECTED = EndpointHealth(ejected_until_s=NOW_S + 20)
DUE = EndpointHealth(ejected_until_s=NOW_S + 20, probe_due=True)

_SLUGS = ["a", "b", "c", "d/x", "d/y", "e"]
_PROVIDERS = {
    slug: make_provider(slug, trains_on_prompts=slug in "ab", keeps_prompts=slug in "bc")
    for slug in ["a", "b", "c", "d", "e"]
}
_NAMES = st.sampled_from([*_SLUGS, "d", "A", "nobody"])


@st.composite
def endpoints(draw: DrawFn, *, least: int = 0) -> list[Endpoint]:
    """Endpoints of MODEL, all of the standard tier."""
    chosen = draw(st.lists(st.sampled_from(_SLUGS), min_size=least, max_size=len(_SLUGS), unique=True))
    return [draw(_endpoint(tag)) for tag in chosen]


@st.composite
def _endpoint(draw: DrawFn, tag: str) -> Endpoint:
    price = st.integers(0, 5).map(lambda dollars: dollars * DOLLAR_A_MILLION)
    known = st.frozensets(st.sampled_from(["temperature", "seed", "tools", "response_format"]))
    return make_endpoint(
        _PROVIDERS[tag.partition("/")[0]],
        tag=tag,
        prices_pusd={"prompt": draw(price), "completion": draw(price)},
        quantization=draw(st.sampled_from([None, "fp8", "bf16"])),
        supported_parameters=draw(known),
        distillable=draw(st.booleans()),
        context_length=draw(st.sampled_from([None, 2, 4096])),
        max_completion_tokens=draw(st.sampled_from([None, 100])),
        exacto=draw(st.booleans()),
    )


FILTERS: dict[str, SearchStrategy[Any]] = {
    "only": st.lists(_NAMES, max_size=3),
    "ignore": st.lists(_NAMES, max_size=3),
    "require_parameters": st.booleans(),
    "data_collection": st.sampled_from(DataCollection.values()),
    "zdr": st.booleans(),
    "enforce_distillable_text": st.booleans(),
    "quantizations": st.lists(st.sampled_from(["fp8", "bf16", "unknown"]), max_size=2),
    "max_price": st.fixed_dictionaries(
        {}, optional={"prompt_pusd": st.integers(0, 5 * 10**12), "completion_pusd": st.integers(0, 5 * 10**12)}
    ),
}
"""The preferences that filter."""
_CUTOFF = st.one_of(
    st.fixed_dictionaries({"median": st.floats(0, 100)}),
    st.fixed_dictionaries({"percentiles": st.fixed_dictionaries({"p50": st.floats(0, 100), "p90": st.floats(0, 100)})}),
)
THRESHOLDS: dict[str, SearchStrategy[Any]] = {"preferred_min_throughput": _CUTOFF, "preferred_max_latency": _CUTOFF}
"""The preferences that move endpoints to the end."""
SORTS = st.sampled_from(["price", "throughput", "latency", "exacto"])
ORDERS: dict[str, SearchStrategy[Any]] = {
    "order": st.lists(_NAMES, max_size=4),
    "sort": st.one_of(st.fixed_dictionaries({"by": SORTS}), st.just({"config": {"partition": "none"}})),
    **THRESHOLDS,
}
"""The preferences that order and leave nobody out."""


def preferences(*tables: dict[str, SearchStrategy[Any]]) -> SearchStrategy[ProviderPreferences]:
    """Preferences with some of the fields of the tables."""
    fields = {name: strategy for table in tables for name, strategy in table.items()}
    return st.fixed_dictionaries({}, optional=fields).map(lambda chosen: ProviderPreferences(**chosen))


def requests(*, soft: bool = True) -> SearchStrategy[ChatCompletionRequest]:
    """Plain requests for MODEL, some with parameters and lengths; `soft`: with parameters that are preferences as well."""
    fields: dict[str, SearchStrategy[Any]] = {
        "temperature": st.just(0.5),
        "seed": st.just(7),
        "max_tokens": st.sampled_from([1, 100, 101, 5000]),
        "messages": st.sampled_from([10, 30, 40_000]).map(lambda size: [make_message("x" * size)]),
    }
    if soft:
        fields["response_format"] = st.just({"json_object": {}})
        fields["service_tier"] = st.sampled_from(["flex", "priority", "auto"])
    return st.fixed_dictionaries({}, optional=fields).map(lambda chosen: make_request(**chosen))


@st.composite
def snapshots(draw: DrawFn) -> HealthSnapshot:
    """What is known of the endpoints above, some of them in trouble."""
    moment = st.one_of(st.none(), st.floats(NOW_S - 50, NOW_S + 50))
    measured = st.one_of(st.none(), st.floats(0.01, 100).map(speed))
    health = st.builds(
        EndpointHealth,
        unstable=st.booleans(),
        ejected_until_s=moment,
        probe_due=st.booleans(),
        cooling_until_s=moment,
        first_token_s=measured,
        throughput_tps=measured,
    )
    known = draw(st.dictionaries(st.sampled_from(_SLUGS), health))
    return HealthSnapshot(endpoints={(MODEL, tag): found for tag, found in known.items()})
