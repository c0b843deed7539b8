# SPDX-License-Identifier: Apache-2.0
"""Explaining where a request would go, by plans of the real planner and without anything else of the engine."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from support.builders import make_catalog, make_endpoint, make_provider, make_request
from support.golden import Golden
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.provider_preferences_pb2 import ProviderPreferences
from trunkline.v1.route_service_pb2 import ExplainRouteResponse, RoutePlan
from trunkline_server.catalog.entry import EndpointKey
from trunkline_server.core.call import Principal
from trunkline_server.core.errors import GatewayError
from trunkline_server.engine.explain import Explainer
from trunkline_server.jsonshape import Codec
from trunkline_server.routing.health import EndpointHealth, HealthSnapshot
from trunkline_server.routing.plan import Plan, Surroundings, make_plan

TESTER = Principal(name="tester")
CHEAP = {"prompt": 1_000_000, "completion": 2_000_000}
DEAR = {"prompt": 3_000_000, "completion": 6_000_000}
ACME, ZETA = (make_provider(slug, keeps_prompts=False) for slug in ("acme", "zeta"))
KEEPER = make_provider("keeper", keeps_prompts=True)
CATALOG = make_catalog(
    make_endpoint(ACME, prices_pusd=CHEAP),
    make_endpoint(ZETA, prices_pusd=DEAR, tag="zeta/fp8", quantization="fp8"),
    make_endpoint(KEEPER, prices_pusd=CHEAP),
    make_endpoint(ACME, model="acme/two", prices_pusd=DEAR),
)


@dataclass(slots=True)
class Planner:
    """Plans with fixed surroundings, and remembers who asked in which session."""

    pin: EndpointKey | None = None
    health: HealthSnapshot = field(default_factory=HealthSnapshot)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def prepare(
        self, request: ChatCompletionRequest, principal: Principal, session_id: str | None
    ) -> Callable[[], Plan]:
        """Makes the plan of a moment at which the draw is 0, and remembers in which thread."""
        self.asked.append((principal.name, session_id))
        around = Surroundings(health=self.health, now_s=1000.0, draw=lambda: 0.0, pin=self.pin)

        def make() -> Plan:
            self.threads.append(threading.get_ident())
            return make_plan(request, CATALOG, around)

        return make


async def explain(planner: Planner | None = None, **fields: Any) -> RoutePlan:
    """The plan of a request, explained to the tester."""
    answer = await Explainer((planner or Planner()).prepare).explain_route(make_request(**fields), TESTER)
    return answer.data


async def test_the_plan_in_order() -> None:
    """Each endpoint has its place, its price, how it stands, and a reason; nothing is an error."""
    plan = await explain()
    assert [endpoint.tag for endpoint in plan.endpoints] == ["acme", "keeper", "zeta/fp8"]
    assert [endpoint.standing for endpoint in plan.endpoints] == ["well"] * 3
    assert all(endpoint.reason and endpoint.expected_cost_pusd for endpoint in plan.endpoints)
    assert (list(plan.requested_models), plan.strategy, plan.HasField("error")) == (["acme/one"], "direct", False)


async def test_the_rejected_with_the_words_of_excluded_by() -> None:
    """An endpoint that is left out bears the word that an error would have, and a sentence."""
    plan = await explain(provider=ProviderPreferences(zdr=True, quantizations=["fp8"]))
    assert [endpoint.tag for endpoint in plan.endpoints] == ["zeta/fp8"]
    assert [(rejected.tag, rejected.excluded_by) for rejected in plan.rejected] == [
        ("acme", "quantization"),
        ("keeper", "data_policy:zdr"),
    ]
    assert all(rejected.reason for rejected in plan.rejected)


async def test_nothing_left_is_an_answer() -> None:
    """Where nobody may serve, the answer has the error that the request itself would get."""
    plan = await explain(provider=ProviderPreferences(quantizations=["int4"]))
    assert (len(plan.endpoints), len(plan.rejected)) == (0, 3)
    assert plan.error.code == 404
    assert list(plan.error.availability.excluded_by) == ["quantization"]


async def test_an_unknown_model_is_an_answer_too() -> None:
    """A model that nobody has is told as an error of the plan."""
    plan = await explain(model="acme/none")
    assert (plan.error.code, plan.error.availability.code) == (400, "model_not_found")
    assert "acme/none" in plan.summary


@pytest.mark.parametrize(("session", "known"), [({}, None), ({"session_id": "s"}, "s")], ids=["none", "one"])
async def test_the_session_counts(session: dict[str, str], known: str | None) -> None:
    """The plan is made for the caller and the session; the endpoint that the conversation is at comes first."""
    planner = Planner(pin=CATALOG.models["acme/one"].endpoints[1].key)
    plan = await explain(planner, **session)
    assert planner.asked == [("tester", known)]
    assert (plan.endpoints[0].tag, plan.endpoints[0].reason) == ("zeta/fp8", "The conversation is at it.")


async def test_health_counts() -> None:
    """An endpoint that is ejected comes last and says so."""
    first = CATALOG.models["acme/one"].endpoints[0]
    health = HealthSnapshot(endpoints={first.key: EndpointHealth(ejected_until_s=1030.0)})
    plan = await explain(Planner(health=health))
    assert (plan.endpoints[-1].tag, plan.endpoints[-1].standing) == ("acme", "out")


@pytest.mark.parametrize(("size", "beside"), [(10, False), (100_000, True)], ids=["small", "large"])
async def test_large_requests_are_planned_beside_the_event_loop(size: int, beside: bool) -> None:
    """What takes long to look through holds up nobody else's call."""
    planner = Planner()
    plan = await explain(planner, text="x" * size)
    assert [thread != threading.get_ident() for thread in planner.threads] == [beside]
    assert len(plan.endpoints) == 3


REFUSED: dict[str, ChatCompletionRequest] = {
    "contradiction": make_request(reasoning_effort="low", reasoning={"effort": "high"}),
    "no model": make_request(model=None),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_a_chat_refuses_is_refused(name: str) -> None:
    """A request that would be refused whatever the catalog is has no plan."""
    with pytest.raises(GatewayError) as caught:
        await Explainer(Planner().prepare).explain_route(REFUSED[name], TESTER)
    assert caught.value.reason == ErrorReason.ERROR_REASON_INVALID_REQUEST


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("route_explain", {"models": ["acme/two"], "provider": ProviderPreferences(zdr=True)}),
        ("route_explain_nothing", {"provider": ProviderPreferences(only=["nobody"])}),
    ],
    ids=["some left", "nothing left"],
)
async def test_the_answer_in_json(golden: Golden, name: str, fields: dict[str, Any]) -> None:
    """The whole answer as HTTP has it: money as decimal numbers, null for no error."""
    codec = Codec.compile([ExplainRouteResponse.DESCRIPTOR])
    answer = ExplainRouteResponse(data=await explain(**fields))
    golden.check_json(f"routes/{name}.json", codec.encode(answer))
