# SPDX-License-Identifier: Apache-2.0
"""Which models a request names: slugs, variants, aliases and router models."""

from collections.abc import Sequence
from typing import Any

import pytest

from support.builders import (
    make_catalog_of,
    make_endpoint,
    make_function,
    make_message,
    make_model,
    make_provider,
    make_request,
)
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.message_pb2 import ChatMessage
from trunkline_server.catalog.entry import Catalog, Endpoint, Model
from trunkline_server.core.errors import GatewayError
from trunkline_server.routing.models import (
    AUTO,
    FREE_ROUTER,
    MOST_ROUTED_MODELS,
    TIER_SHARES,
    Wanted,
    find_tier,
    find_wanted,
    requested_slugs,
)
from trunkline_server.routing.needs import read_needs


def priced(slug: str, price: int, **fields: Any) -> Model:
    """A model with one endpoint whose requests have that price."""
    return make_model(slug, make_endpoint("p", slug, prices_pusd={"request": price}), **fields)


SIMULATED = Endpoint(
    model="sim/echo", provider=make_provider("simulator", transport="simulator"), upstream_model="echo", tag="simulator"
)
MODELS = [
    priced("acme/mid", 50, created_s=10, canonical_slug="acme/mid-2025"),
    priced("acme/cheap", 10, created_s=20),
    priced("beta/dear-1", 90, created_s=30),
    priced("beta/dear-2.5", 100, created_s=40),
    priced("beta/dear-2.5:extra", 95, created_s=50),
    priced("acme/free", 0),
    make_model("sim/echo", SIMULATED),
]
CATALOG = make_catalog_of(*MODELS)
ONLY_SIMULATED = make_catalog_of(MODELS[-1])


def offer_all(model: Model, _variant: str | None) -> Sequence[int]:
    """Everybody serves at the price of a request."""
    return [endpoint.prices_pusd.get("request", 0) for endpoint in model.endpoints]


def wanted(slug: str, catalog: Catalog = CATALOG, pin: str | None = None, **fields: Any) -> list[Wanted]:
    """What a slug stands for in a request with those fields."""
    request = make_request(model=slug, **fields)
    place = None if pin is None else (pin, "p")
    return find_wanted(slug, request, catalog, read_needs(request), offer_all, place)


def auto(pin: str | None = None, messages: list[ChatMessage] | None = None, **settings: Any) -> list[str]:
    """The models that `openrouter/auto` stands for with those settings of its plugin."""
    plugins = [{"auto_router": settings}] if settings else []
    return [found.model.slug for found in wanted(AUTO, pin=pin, plugins=plugins, messages=messages)]


@pytest.mark.parametrize(
    ("slug", "model", "variant", "strategy"),
    [
        ("acme/mid", "acme/mid", None, "direct"),
        ("acme/mid:floor", "acme/mid", "floor", "direct"),
        ("acme/mid:nitro", "acme/mid", "nitro", "direct"),
        ("acme/mid:exacto", "acme/mid", "exacto", "direct"),
        ("acme/mid:free", "acme/mid", "free", "direct"),
        ("beta/dear-2.5:extra", "beta/dear-2.5:extra", None, "direct"),
        ("acme/mid-2025", "acme/mid", None, "alias"),
        ("acme/mid-2025:floor", "acme/mid", "floor", "alias"),
        ("~beta/dear-latest", "beta/dear-2.5", None, "latest"),
        ("~beta/dear-latest:floor", "beta/dear-2.5", "floor", "latest"),
        ("~acme/mid-latest", "acme/mid", None, "latest"),
    ],
)
def test_a_slug_stands_for_a_model(slug: str, model: str, variant: str | None, strategy: str) -> None:
    """Slugs, canonical slugs and the latest of a family, each with its variant."""
    found = wanted(slug)
    assert [(one.model.slug, one.variant, one.strategy) for one in found] == [(model, variant, strategy)]


@pytest.mark.parametrize(
    ("slug", "reason", "text"),
    [
        ("acme/none", ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, "no model `acme/none`"),
        ("acme/mid:turbo", ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, "no variant `turbo`"),
        ("acme/mid:thinking", ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, '"reasoning"'),
        ("acme/mid:extended", ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, "whole context"),
        ("acme/mid:online", ErrorReason.ERROR_REASON_FEATURE_UNAVAILABLE, "web plugin"),
        ("openrouter/auto:online", ErrorReason.ERROR_REASON_FEATURE_UNAVAILABLE, "web plugin"),
        ("openrouter/auto:turbo", ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, "no variant `turbo`"),
        ("~beta/dear-latest:turbo", ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, "no variant `turbo`"),
        ("~beta/none-latest", ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, "~beta/none-latest"),
        ("beta/dear-latest", ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, "no model"),
    ],
)
def test_a_slug_that_stands_for_nothing(slug: str, reason: "ErrorReason.ValueType", text: str) -> None:
    """The failure says what there is not, and what serves instead where that is known."""
    with pytest.raises(GatewayError) as caught:
        wanted(slug)
    assert caught.value.reason == reason
    assert text in caught.value.message


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({"cost_tier": "low"}, "acme/free", id="the cheapest"),
        pytest.param({"cost_tier": "medium"}, "acme/mid", id="medium"),
        pytest.param({"cost_tier": "high"}, "beta/dear-1", id="high"),
        pytest.param({"cost_tier": "max"}, "beta/dear-2.5", id="the dearest"),
        pytest.param({"cost_quality_tradeoff": 10}, "acme/free", id="price before quality"),
        pytest.param({"cost_quality_tradeoff": 0}, "beta/dear-2.5", id="quality before price"),
        pytest.param({"cost_tier": "max", "cost_quality_tradeoff": 10}, "beta/dear-2.5", id="the tier is stronger"),
        pytest.param({"cost_tier": "max", "allowed_models": ["acme/*"]}, "acme/mid", id="allowed"),
        pytest.param({"cost_tier": "max", "excluded_models": ["*DEAR*"]}, "acme/mid", id="excluded"),
        pytest.param(
            {"cost_tier": "low", "allowed_models": ["*"], "excluded_models": ["acme/free"]}, "acme/cheap", id="both"
        ),
        pytest.param({"allowed_models": ["sim/*"]}, "sim/echo", id="the simulator where it alone is allowed"),
    ],
)
def test_auto_takes_a_place_in_the_ranking(settings: dict[str, Any], expected: str) -> None:
    """The settings of the plugin say which models, and how dear a one."""
    assert auto(**settings)[0] == expected


def test_auto_has_fallbacks() -> None:
    """Its neighbours in the ranking follow, the cheaper of two first; the simulator is not among them."""
    assert auto(cost_tier="medium") == ["acme/mid", "acme/cheap", "beta/dear-1", "acme/free", "beta/dear-2.5:extra"]
    assert len(auto(cost_tier="medium")) == MOST_ROUTED_MODELS
    assert [found.model.slug for found in wanted(AUTO, ONLY_SIMULATED)] == ["sim/echo"]


def test_auto_s_plugin_may_be_off() -> None:
    """Settings of a plugin that is switched off do not count; those of the beta router do."""
    off = {"auto_router": {"cost_tier": "max"}, "enabled": False}
    beta = {"auto_beta_router": {"cost_tier": "max"}, "enabled": True}
    assert wanted(AUTO, plugins=[off])[0].model.slug == "acme/free"
    assert wanted(AUTO, plugins=[{"web": {}}, off, beta])[0].model.slug == "beta/dear-2.5"


def test_auto_keeps_the_variant() -> None:
    """A variant holds for the model chosen."""
    assert {found.variant for found in wanted(f"{AUTO}:nitro")} == {"nitro"}
    assert {found.strategy for found in wanted(AUTO)} == {"auto"}


def turn_of(model: str) -> list[ChatMessage]:
    """A conversation in which a model has spoken."""
    spoken = make_message("hi", "assistant")
    spoken.assistant.model = model
    return [make_message(), spoken, make_message()]


@pytest.mark.parametrize(
    ("pin", "writer", "pinned", "first"),
    [
        pytest.param(None, None, None, "acme/free", id="nothing to keep"),
        pytest.param("beta/dear-1", None, None, "beta/dear-1", id="the model of the session"),
        pytest.param("gone/one", None, None, "acme/free", id="a model that is gone"),
        pytest.param(None, "beta/dear-2.5", None, "acme/free", id="the writer where nobody asks for it"),
        pytest.param(None, "beta/dear-2.5", True, "beta/dear-2.5", id="the writer, asked for"),
        pytest.param("acme/mid", "beta/dear-2.5", True, "beta/dear-2.5", id="the writer before the session"),
        pytest.param("acme/mid", None, True, "acme/mid", id="no writer"),
    ],
)
def test_auto_keeps_a_conversation(pin: str | None, writer: str | None, pinned: bool | None, first: str) -> None:
    """A conversation stays with the model of its session, or with the writer of its last turn where `pin_model` says so."""
    settings = {} if pinned is None else {"pin_model": pinned}
    messages = [make_message()] if writer is None else turn_of(writer)
    assert auto(pin, messages, **settings)[0] == first


@pytest.mark.parametrize(
    ("text", "fields", "tier"),
    [
        pytest.param("hello", {}, "low", id="short and plain"),
        pytest.param("x" * 2001, {}, "medium", id="longer"),
        pytest.param("hello", {"tools": [make_function()]}, "medium", id="tools"),
        pytest.param("hello", {"response_format": {"json_object": {}}}, "medium", id="a format"),
        pytest.param("hello", {"reasoning_effort": "low"}, "medium", id="thinks"),
        pytest.param("hello", {"reasoning_effort": "high"}, "high", id="thinks hard"),
        pytest.param("hello", {"reasoning": {"effort": "xhigh"}}, "high", id="thinks very hard"),
        pytest.param("x" * 80_001, {}, "high", id="long"),
    ],
)
def test_the_weight_of_a_request(text: str, fields: dict[str, Any], tier: str) -> None:
    """Length, thought and what the answer must do, in the words of TIER_SHARES."""
    request = make_request(text, **fields)
    assert find_tier(request, read_needs(request)) == tier
    assert tier in TIER_SHARES


def test_the_free_router() -> None:
    """Every model with a free endpoint, and only its free endpoints."""
    assert [(one.model.slug, one.variant, one.strategy) for one in wanted(FREE_ROUTER)] == [
        ("acme/free", "free", "free")
    ]


@pytest.mark.parametrize("slug", [AUTO, FREE_ROUTER])
def test_a_router_without_models(slug: str) -> None:
    """Where nobody may serve the request, the router says so."""
    request = make_request(model=slug)
    with pytest.raises(GatewayError, match="no model here") as caught:
        find_wanted(slug, request, CATALOG, read_needs(request), lambda _model, _variant: ())
    assert caught.value.reason == ErrorReason.ERROR_REASON_NO_ENDPOINTS


def test_a_listed_model_is_no_router() -> None:
    """A catalog that lists `openrouter/auto` sends it to who offers it."""
    listed = make_catalog_of(priced(AUTO, 1), *MODELS)
    assert [(one.model.slug, one.strategy) for one in wanted(AUTO, listed)] == [(AUTO, "direct")]


@pytest.mark.parametrize(
    ("model", "models", "default", "expected"),
    [
        pytest.param("a/b", [], None, ("a/b",), id="model"),
        pytest.param("a/b", ["c/d", "a/b", "c/d"], None, ("a/b", "c/d"), id="each once"),
        pytest.param(None, ["c/d"], "e/f", ("c/d",), id="models alone"),
        pytest.param(None, [], "e/f", ("e/f",), id="the default"),
        pytest.param("", [], "e/f", ("",), id="an empty name is a name"),
    ],
)
def test_the_names_of_a_request(
    model: str | None, models: list[str], default: str | None, expected: tuple[str, ...]
) -> None:
    """`model` before `models`, the default where both are silent."""
    catalog = make_catalog_of(*MODELS, default_model=default)
    assert requested_slugs(make_request(model=model, models=models), catalog) == expected


def test_the_latest_that_somebody_may_serve() -> None:
    """Where the newest of a family is forbidden to all, the newest of the others is meant; where all are, the newest."""
    request = make_request(model="~beta/dear-latest")
    needs = read_needs(request)

    def latest(*served: str) -> str:
        def offer(model: Model, _variant: str | None) -> Sequence[int]:
            return [1] if model.slug in served else []

        return find_wanted(request.model, request, CATALOG, needs, offer)[0].model.slug

    assert latest("beta/dear-1", "beta/dear-2.5") == "beta/dear-2.5"
    assert latest("beta/dear-1") == "beta/dear-1"
    assert latest() == "beta/dear-2.5"


def test_a_model_of_unknown_price_is_chosen_last() -> None:
    """It may be the dearest of all: only where no other is offered."""
    request = make_request(model=AUTO)

    def chosen(*models: str) -> list[str]:
        def offer(model: Model, _variant: str | None) -> Sequence[float]:
            return [float("inf") if model.slug == "acme/cheap" else 1] if model.slug in models else []

        return [one.model.slug for one in find_wanted(AUTO, request, CATALOG, read_needs(request), offer)]

    assert chosen("acme/cheap", "acme/mid") == ["acme/mid"]
    assert chosen("acme/cheap") == ["acme/cheap"]
