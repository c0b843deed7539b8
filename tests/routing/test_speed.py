# SPDX-License-Identifier: Apache-2.0
"""How long a plan takes, beside the decoding of the request that it is for. Ratios are printed at the end; no test fails by a time.

An ordinary run executes each body once; `make test-all` measures.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.builders import MODEL, make_catalog, make_endpoint, make_function, make_message, make_request
from support.planning import DOLLAR_A_MILLION, NOW_S, speed, tags
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.provider_preferences_pb2 import ProviderPreferences
from trunkline_server.catalog.entry import Catalog
from trunkline_server.jsonshape import Codec, parse_json
from trunkline_server.routing.health import EMPTY_HEALTH, EndpointHealth, HealthSnapshot
from trunkline_server.routing.plan import Plan, Surroundings, make_plan

CODEC = Codec.compile([ChatCompletionRequest.DESCRIPTOR])
TEXT = "What is the weather like in Paris, and what do I pack for a trip of three days? "


def request_of(**preferences: Any) -> ChatCompletionRequest:
    """A request of two kilobytes: five turns, two tools, some parameters; `preferences` are its `provider`."""
    turns = [make_message(TEXT, role) for role in ("system", "user", "assistant", "user")]
    schema = '{"type":"object","properties":{' + ",".join(f'"field_{n}":{{"type":"string"}}' for n in range(12)) + "}}"
    return make_request(
        messages=[*turns, make_message(TEXT * 5)],
        tools=[make_function("get_weather", schema), make_function("get_forecast", schema)],
        temperature=0.7,
        max_tokens=512,
        stream=True,
        stop=["\n\n"],
        user="user-1234",
        provider=ProviderPreferences(**preferences) if preferences else None,
    )


def catalog_of(size: int) -> Catalog:
    """A model that many offer at several prices."""
    known = frozenset({"temperature", "tools", "max_tokens", "stop"})
    return make_catalog(
        *(
            make_endpoint(
                f"p{place}",
                prices_pusd={"prompt": (place % 7 + 1) * DOLLAR_A_MILLION, "completion": (place % 5 + 1) * 10**6},
                context_length=128_000,
                max_completion_tokens=8192,
                supported_parameters=known,
            )
            for place in range(size)
        )
    )


HEALTH = HealthSnapshot(
    endpoints={
        (MODEL, f"p{place}"): EndpointHealth(
            requests=100,
            success_rate=0.9,
            first_token_s=speed(0.5 + place / 10),
            throughput_tps=speed(20.0 + place),
            unstable=place % 10 == 0,
            ejected_until_s=NOW_S + 10 if place % 17 == 0 else None,
        )
        for place in range(50)
    }
)
EVERYTHING: dict[str, Any] = {
    "order": ["p7", "p9"],
    "ignore": ["p3"],
    "zdr": False,
    "require_parameters": True,
    "max_price": {"prompt_pusd": 6 * 10**12},
    "sort": {"by": "throughput"},
    "preferred_max_latency": {"percentiles": {"p50": 3.0, "p90": 4.0}},
}
PLAIN, WHOLE = make_request(), request_of()
BODY = CODEC.dump(WHOLE, answer=False)


def planning(
    request: ChatCompletionRequest, catalog: Catalog, health: HealthSnapshot = EMPTY_HEALTH
) -> Callable[[], Plan]:
    """The making of a plan."""
    surroundings = Surroundings(health=health, now_s=NOW_S, draw=random.Random(1).random)
    return lambda: make_plan(request, catalog, surroundings)


ONE, THREE, FIFTY = catalog_of(1), catalog_of(3), catalog_of(50)
DECODING = "request of 2 KB decoded"
WORK: dict[str, Callable[[], object]] = {
    DECODING: lambda: CODEC.decode(ChatCompletionRequest, parse_json(BODY)),
    "plan: plain request, 1 endpoint": planning(PLAIN, ONE),
    "plan: 2 KB, 1 endpoint": planning(WHOLE, ONE, HEALTH),
    "plan: 2 KB, 3 endpoints": planning(WHOLE, THREE, HEALTH),
    "plan: 2 KB, 50 endpoints": planning(WHOLE, FIFTY),
    "plan: 2 KB, 50 endpoints, health": planning(WHOLE, FIFTY, HEALTH),
    "plan: 2 KB, 50 endpoints, health, every preference": planning(request_of(**EVERYTHING), FIFTY, HEALTH),
}
MOST_TIMES = 6


@pytest.fixture(scope="module")
def measured(pytestconfig: pytest.Config) -> Iterator[dict[str, float]]:
    """Takes the shortest time of each work, in seconds, and prints it beside the decoding when all is done."""
    times: dict[str, float] = {}
    yield times
    reporter = pytestconfig.pluginmanager.getplugin("terminalreporter")
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    decoding_s = times.get(DECODING)
    for work, seconds in times.items():
        if reporter is not None and capture is not None and decoding_s is not None:
            line = (
                f"{work}: {seconds * 1e6:.1f} us, {seconds / decoding_s:.1f} times the decoding (at most {MOST_TIMES})"
            )
            with capture.global_and_fixture_disabled():
                reporter.write_line(f"\n{line}")


@pytest.mark.parametrize("work", WORK)
def test_speed(work: str, benchmark: Any, measured: dict[str, float]) -> None:
    """A request is decoded once and planned once."""
    benchmark(WORK[work])
    if benchmark.stats is not None:
        measured[work] = benchmark.stats.stats.min


def test_the_plans_are_those_that_were_meant() -> None:
    """Two kilobytes; fifty endpoints, of which preferences leave most, in the order that they say."""
    assert 1800 < len(BODY) < 2300
    assert len(planning(WHOLE, FIFTY, HEALTH)().endpoints) == 50
    asked = tags(planning(request_of(**EVERYTHING), FIFTY, HEALTH)().endpoints)
    assert asked.count(" ") == 41
    assert asked.startswith("p7 p9 p25 p24")
