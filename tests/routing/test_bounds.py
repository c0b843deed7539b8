# SPDX-License-Identifier: Apache-2.0
"""How much of a plan's work one request may cause: names are bounded in number and in length, and read once for all of its models."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from support.builders import make_catalog, make_endpoint, make_request
from support.planning import plan_among
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.plugin_pb2 import AutoRouterPlugin, Plugin
from trunkline.v1.provider_preferences_pb2 import ProviderPreferences
from trunkline_server.jsonshape import Codec, ShapeFaults
from trunkline_server.routing import candidates, models
from trunkline_server.routing.candidates import Deployment
from trunkline_server.routing.explain import explain_plan

CODEC = Codec.compile([ChatCompletionRequest.DESCRIPTOR])
BODY = {"messages": [{"role": "user", "content": "hi"}]}
MANY = make_catalog(*(make_endpoint("p", f"acme/m{number}") for number in range(50)))
AUTOS = ["openrouter/auto", "openrouter/auto:nitro", "openrouter/auto:floor", "openrouter/auto:exacto"]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        pytest.param({"provider": {"order": ["p"] * 101}}, "provider.order", id="order, too many"),
        pytest.param({"provider": {"only": ["p"] * 101}}, "provider.only", id="only, too many"),
        pytest.param({"provider": {"ignore": ["p"] * 101}}, "provider.ignore", id="ignore, too many"),
        pytest.param({"provider": {"quantizations": ["fp8"] * 21}}, "provider.quantizations", id="quantizations"),
        pytest.param({"provider": {"order": ["é" * 257]}}, "provider.order[0]", id="order, too long"),
        pytest.param({"provider": {"only": ["é" * 257]}}, "provider.only[0]", id="only, too long"),
        pytest.param({"provider": {"ignore": ["é" * 257]}}, "provider.ignore[0]", id="ignore, too long"),
        pytest.param({"model": "x" * 257}, "model", id="model"),
        pytest.param({"models": ["a", "x" * 257]}, "models[1]", id="models"),
        *[
            pytest.param({"plugins": [{"id": kind, name: patterns}]}, f"plugins[0].{name}{place}", id=f"{kind} {name}")
            for kind in ("auto-router", "auto-beta-router")
            for name in ("allowed_models", "excluded_models")
            for patterns, place in ((["a*"] * 101, ""), (["a", "a" * 257], "[1]"))
        ],
    ],
)
def test_names_are_bounded(given: dict[str, Any], fault: str) -> None:
    """The codec refuses what is beyond, on both wires, before anything is planned or kept by a name."""
    with pytest.raises(ShapeFaults) as caught:
        CODEC.decode(ChatCompletionRequest, {**BODY, **given})
    assert [one.path for one in caught.value.faults] == [fault]


@pytest.mark.parametrize(
    "given",
    [
        {"provider": {"order": ["é" * 256] * 100, "only": ["p"] * 100, "ignore": ["p"] * 100}},
        {"provider": {"quantizations": ["fp8"] * 20}},
        {"model": "x" * 256, "models": ["é" * 256] * 10},
        {"plugins": [{"id": "auto-router", "allowed_models": ["é" * 256] * 100, "excluded_models": ["*"] * 100}]},
    ],
)
def test_names_at_their_bounds(given: dict[str, Any]) -> None:
    """They are taken."""
    assert CODEC.decode(ChatCompletionRequest, {**BODY, **given}).ByteSize() > 40


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each rule of preferences was made."""
    counts: Counter[str] = Counter()

    def counting(word: str, make: Callable[..., Any]) -> Callable[..., Any]:
        def count(*given: Any) -> Any:
            counts[word, make] += 1
            return make(*given)

        return count

    rules = [(word, counting(word, make)) for word, make in candidates._PREFERENCE_RULES]
    monkeypatch.setattr(candidates, "_PREFERENCE_RULES", rules)
    return counts


def test_preferences_are_read_once(reads: Counter[str]) -> None:
    """Not for each model: four routers among fifty models make each rule one time; an explanation reads them one time more."""
    request = make_request(model=AUTOS[0], models=AUTOS[1:], provider=ProviderPreferences(only=["p"], order=["p"]))
    plan = plan_among(MANY, request)
    assert plan.endpoints
    assert set(reads.values()) == {1}
    explain_plan(plan, request)
    assert set(reads.values()) == {2}


def test_patterns_are_held_against_models_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each name of the auto router."""
    asked = Counter[str]()

    def make(patterns: Sequence[str]) -> Callable[[str], bool]:
        return lambda slug: bool(patterns) and not asked.update([f"{patterns[0]} {slug}"])

    monkeypatch.setattr(models, "make_matcher", make)
    plugin = Plugin(auto_router=AutoRouterPlugin(allowed_models=["acme/*"]))
    plan = plan_among(MANY, make_request(model=AUTOS[0], models=AUTOS[1:], plugins=[plugin]))
    assert plan.endpoints
    assert (len(asked), set(asked.values())) == (50, {1})


def test_the_deployment_s_patterns_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is made, and not for each request or model."""
    deployment = Deployment(models=("acme/m1*",))
    made = Counter[str]()
    monkeypatch.setattr(candidates, "make_matcher", lambda _: made.update(["made"]))
    plan = plan_among(MANY, make_request(model="acme/m11", models=["acme/m2"]), deployment=deployment)
    assert [endpoint.model for endpoint in plan.endpoints] == ["acme/m11"]
    assert not made
