# SPDX-License-Identifier: Apache-2.0
"""Fifty endpoints of one model at prices of their own, some of them unwell, and the plan of the guard's request among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from bench.guard.payload import MODEL
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.entry import Catalog, Endpoint, Model, Provider
from trunkline_server.core.health import EndpointHealth, Percentiles
from trunkline_server.routing.health import HealthSnapshot
from trunkline_server.routing.plan import Surroundings, make_plan

ENDPOINTS: Final = 50
_NOW_S: Final = 1000.0
_DOLLAR_A_MILLION_PUSD: Final = 1_000_000


def make_planning(request: ChatCompletionRequest) -> Callable[[], Sequence[Endpoint]]:
    """The making of one plan of the request, with the health of every endpoint known; it returns the endpoints in order."""
    catalog = _make_catalog()
    health = HealthSnapshot(
        endpoints={endpoint.key: _make_health(place) for place, endpoint in enumerate(catalog.models[MODEL].endpoints)}
    )
    surroundings = Surroundings(health=health, now_s=_NOW_S, draw=lambda: 0.5)
    return lambda: make_plan(request, catalog, surroundings).endpoints


def _make_catalog() -> Catalog:
    providers = {f"p{place}": Provider(slug=f"p{place}", name=f"P{place}") for place in range(ENDPOINTS)}
    endpoints = tuple(
        Endpoint(
            model=MODEL,
            provider=provider,
            upstream_model="upstream-one",
            tag=slug,
            prices_pusd={
                "prompt": (place % 7 + 1) * _DOLLAR_A_MILLION_PUSD,
                "completion": (place % 5 + 1) * _DOLLAR_A_MILLION_PUSD,
            },
            context_length=128_000,
            max_completion_tokens=8192,
            supported_parameters=frozenset({"temperature", "tools", "tool_choice", "max_tokens", "stop"}),
        )
        for place, (slug, provider) in enumerate(providers.items())
    )
    model = Model(slug=MODEL, canonical_slug=MODEL, name="One", input_modalities=("text", "image"), endpoints=endpoints)
    return Catalog(models={MODEL: model}, providers=providers)


def _make_health(place: int) -> EndpointHealth:
    speed = 20.0 + place
    return EndpointHealth(
        requests=100,
        success_rate=0.9,
        first_token_s=Percentiles(p50=0.5, p75=1.0, p90=1.5, p99=2.0),
        throughput_tps=Percentiles(p50=speed, p75=speed * 0.9, p90=speed * 0.8, p99=speed * 0.5),
        unstable=place % 10 == 0,
        ejected_until_s=_NOW_S + 10 if place % 17 == 0 else None,
    )
