# SPDX-License-Identifier: Apache-2.0
"""The plan of a call: which endpoints, in which order, or why none."""

import traceback
from typing import Any

import pytest

from support.builders import (
    MODEL,
    make_catalog,
    make_catalog_of,
    make_endpoint,
    make_message,
    make_model,
    make_request,
)
from support.planning import DOLLAR_A_MILLION, make_health, plan_among, rejected, speed, tags
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.provider_preferences_pb2 import ProviderPreferences
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.core.errors import GatewayError
from trunkline_server.routing.candidates import Deployment
from trunkline_server.routing.health import EndpointHealth, HealthSnapshot, Standing
from trunkline_server.routing.plan import Plan


def priced(provider: str, model: str, price: int, **fields: Any) -> Endpoint:
    """An endpoint whose requests have a price: so far apart that the draw never takes a dearer one."""
    return make_endpoint(provider, model, prices_pusd={"request": price}, **fields)


ONE_A, ONE_B = priced("a", "acme/one", 1), priced("b", "acme/one", 10**9)
TWO_B, TWO_C = priced("b", "acme/two", 10**3), priced("c", "acme/two", 10**12)
CATALOG = make_catalog(ONE_A, ONE_B, TWO_B, TWO_C, empty_models=["acme/gone"], default_model="acme/two")


def plan(model: str | None, *models: str, deployment: Deployment | None = None, **preferences: Any) -> Plan:
    """The plan of a request for models."""
    request = make_request(model=model, models=models)
    return plan_among(CATALOG, request, deployment=deployment or Deployment(), **preferences)


@pytest.mark.parametrize(
    ("model", "models", "preferences", "expected"),
    [
        pytest.param("acme/one", [], {}, [ONE_A, ONE_B], id="one model"),
        pytest.param("acme/one", ["acme/two"], {}, [ONE_A, ONE_B, TWO_B, TWO_C], id="model, then models"),
        pytest.param(None, ["acme/two", "acme/one"], {}, [TWO_B, TWO_C, ONE_A, ONE_B], id="models alone"),
        pytest.param("acme/two", ["acme/one", "acme/two"], {}, [TWO_B, TWO_C, ONE_A, ONE_B], id="named twice"),
        pytest.param("acme/one", ["acme/one:nitro"], {}, [ONE_A, ONE_B], id="a variant is no second endpoint"),
        pytest.param(None, [], {}, [TWO_B, TWO_C], id="the default model"),
        pytest.param("", ["acme/one"], {}, [ONE_A, ONE_B], id="an empty name is passed over"),
        pytest.param("no/such", ["acme/one"], {}, [ONE_A, ONE_B], id="an unknown model is passed over"),
        pytest.param("acme/one", ["acme/gone"], {}, [ONE_A, ONE_B], id="a model without endpoints is passed over"),
        pytest.param("acme/one", ["acme/two"], {"only": ["b"]}, [ONE_B, TWO_B], id="preferences hold for every model"),
        pytest.param("acme/one", ["acme/two"], {"only": ["c"]}, [TWO_C], id="a model filtered away is passed over"),
        pytest.param(
            "acme/one", ["acme/two"], {"order": ["b"]}, [ONE_B, ONE_A, TWO_B, TWO_C], id="order within models"
        ),
        pytest.param("acme/one", ["acme/two"], {"allow_fallbacks": False}, [ONE_A, TWO_B], id="one endpoint a model"),
        pytest.param(
            "acme/one",
            ["acme/one:nitro"],
            {"allow_fallbacks": False},
            [ONE_A],
            id="one endpoint of a model named twice",
        ),
        pytest.param(
            "acme/one",
            ["acme/two"],
            {"order": ["c", "b"], "allow_fallbacks": False},
            [ONE_B, TWO_C, TWO_B],
            id="named alone",
        ),
    ],
)
def test_a_request_is_planned(
    model: str | None, models: list[str], preferences: dict[str, Any], expected: list[Endpoint]
) -> None:
    """Models are tried in the caller's order, each one's endpoints as the preferences say."""
    assert list(plan(model, *models, **preferences).endpoints) == expected


def sorted_by(by: str) -> dict[str, Any]:
    """`sort` over all models of the request together."""
    return {"sort": {"config": {"by": by, "partition": "none"}}}


@pytest.mark.parametrize(
    ("preferences", "expected"),
    [
        pytest.param(sorted_by("price"), [ONE_A, TWO_B, ONE_B, TWO_C], id="by price"),
        pytest.param(sorted_by("latency"), [TWO_C, ONE_A, ONE_B, TWO_B], id="by latency, the unmeasured last"),
        pytest.param({**sorted_by("price"), "order": ["c"]}, [TWO_C, ONE_A, TWO_B, ONE_B], id="order is stronger"),
        pytest.param({**sorted_by("price"), "ignore": ["b"]}, [ONE_A, TWO_C], id="filters filter"),
        pytest.param(
            {**sorted_by("price"), "preferred_max_latency": {"median": 1.0}},
            [TWO_B, ONE_B, TWO_C, ONE_A],
            id="the slow last",
        ),
        pytest.param({**sorted_by("latency"), "allow_fallbacks": False}, [TWO_C, ONE_A], id="the first of each model"),
        pytest.param({"sort": {"config": {"partition": "none"}}}, [ONE_A, ONE_B, TWO_B, TWO_C], id="no word"),
        pytest.param({"sort": {"config": {"by": "price"}}}, [ONE_A, ONE_B, TWO_B, TWO_C], id="within models"),
    ],
)
def test_models_are_sorted_together(preferences: dict[str, Any], expected: list[Endpoint]) -> None:
    """`partition: "none"` orders the endpoints of all models as those of one."""
    health = HealthSnapshot(
        endpoints={
            TWO_C.key: EndpointHealth(first_token_s=speed(0.1)),
            ONE_A.key: EndpointHealth(first_token_s=speed(3.0)),
        }
    )
    request = make_request(model="acme/one", models=["acme/two"])
    assert list(plan_among(CATALOG, request, health=health, **preferences).endpoints) == expected


def test_endpoints_out_of_service_come_after_other_models() -> None:
    """An endpoint of the next model that is in service is tried before one of the first model that is not."""
    health = HealthSnapshot(endpoints={ONE_A.key: EndpointHealth(cooling_until_s=10**6)})
    made = plan_among(CATALOG, make_request(model="acme/one", models=["acme/two"]), health=health)
    assert list(made.endpoints) == [ONE_B, TWO_B, TWO_C, ONE_A]
    assert made.standings == {ONE_A.key: Standing.COOLING}
    assert made.health is health


def test_a_plan_says_whom_it_left_out() -> None:
    """Excluded endpoints are in the plan with the reason, and so are the models asked for."""
    made = plan("acme/one", "acme/two", ignore=["c"], allow_fallbacks=False)
    assert [exclusion.endpoint for exclusion in made.exclusions] == [TWO_C, ONE_B]
    assert {exclusion.reason for exclusion in made.exclusions} == {"allowed_providers"}
    assert made.requested_models == ("acme/one", "acme/two")
    assert [wanted.model.slug for wanted in made.wanted] == ["acme/one", "acme/two"]
    assert made.error is None


def test_an_endpoint_is_kept_or_left_out_and_never_both() -> None:
    """What `:free` leaves out and the plain slug asks for is tried; free ones come first."""
    free, dear = priced("a", MODEL, 0), priced("b", MODEL, 1)
    made = plan_among([dear, free], make_request(model=f"{MODEL}:free", models=[MODEL]))
    assert (tags(made.endpoints), made.exclusions) == ("a b", ())


@pytest.mark.parametrize(
    ("model", "models", "strategy"),
    [
        ("acme/one", [], "direct"),
        ("acme/one:nitro", [], "direct"),
        ("~acme/one-latest", [], "latest"),
        ("openrouter/auto", [], "auto"),
        ("no/such", ["acme/one"], "fallback"),
        ("no/such", ["openrouter/auto"], "fallback"),
        ("no/such", [], "direct"),
    ],
)
def test_how_the_model_was_found(model: str, models: list[str], strategy: str) -> None:
    """In the words of `openrouter_metadata`; what a later name gives is a fallback."""
    assert plan(model, *models).strategy == strategy


@pytest.mark.parametrize(
    ("models", "preferences", "reason", "excluded_by"),
    [
        pytest.param(["no/such"], {}, ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, [], id="unknown"),
        pytest.param(["acme/gone"], {}, ErrorReason.ERROR_REASON_NO_ENDPOINTS, [], id="nobody offers it"),
        pytest.param(["acme/one:free"], {}, ErrorReason.ERROR_REASON_FREE_VARIANT_ENDED, ["free"], id="not for free"),
        pytest.param(
            ["acme/one"],
            {"only": ["c"]},
            ErrorReason.ERROR_REASON_CONSTRAINT_FILTERED,
            ["allowed_providers"],
            id="filtered by only",
        ),
        pytest.param(
            ["acme/one"],
            {"order": ["c"], "allow_fallbacks": False},
            ErrorReason.ERROR_REASON_CONSTRAINT_FILTERED,
            ["allowed_providers"],
            id="filtered by order",
        ),
        pytest.param(
            ["acme/one"],
            {"zdr": True},
            ErrorReason.ERROR_REASON_PRIVACY_RESTRICTED,
            ["data_policy:zdr"],
            id="filtered by privacy",
        ),
        pytest.param(
            ["acme/one"],
            {"zdr": True, "ignore": ["a"]},
            ErrorReason.ERROR_REASON_CONSTRAINT_FILTERED,
            ["allowed_providers", "data_policy:zdr"],
            id="filtered by privacy and something else",
        ),
        pytest.param(
            ["openrouter/auto"],
            {"only": ["x"]},
            ErrorReason.ERROR_REASON_NO_ENDPOINTS,
            [],
            id="the router finds nobody",
        ),
        pytest.param(
            ["acme/gone", "no/such"], {}, ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, [], id="the last model's error"
        ),
        pytest.param(
            ["no/such", "acme/one"],
            {"ignore": ["a", "b"]},
            ErrorReason.ERROR_REASON_CONSTRAINT_FILTERED,
            ["allowed_providers"],
            id="the last model's error, filtered",
        ),
    ],
)
def test_no_plan_says_why(
    models: list[str], preferences: dict[str, Any], reason: "ErrorReason.ValueType", excluded_by: list[str]
) -> None:
    """Without an endpoint the caller learns the reason, all models asked for, and what excluded them."""
    made = plan(None, *models, **preferences)
    error = made.error
    assert made.endpoints == ()
    assert error is not None
    assert error.reason == reason
    assert error.unavailability is not None
    assert list(error.unavailability.requested_models) == models
    assert list(error.unavailability.excluded_by) == excluded_by
    assert models[-1].removesuffix(":free") in error.message


def test_what_is_not_free_is_offered_otherwise() -> None:
    """The failure of `:free` names the model that costs."""
    error = plan("acme/one:free").error
    assert error is not None
    assert error.unavailability is not None
    assert error.unavailability.fallback_models == ["acme/one"]


def test_a_request_without_model_is_told_to_name_one() -> None:
    """Where the gateway has no default model, `model` is required."""
    with pytest.raises(GatewayError, match="model") as caught:
        plan_among([ONE_A], make_request(model=None))
    assert caught.value.reason == ErrorReason.ERROR_REASON_INVALID_REQUEST
    assert [fault.field for fault in caught.value.faults] == ["model"]


def test_a_failure_keeps_no_frames() -> None:
    """The failure of a plan holds no frame of its making, and with it the request."""
    error = plan("no/such", "no/other").error
    assert error is not None
    assert list(traceback.walk_tb(error.__traceback__)) == []


def test_a_long_name_is_cut_in_what_is_said() -> None:
    """Of a name of megabytes the details hold as much as helps."""
    error = plan("x" * 1_000_000).error
    assert error is not None
    assert error.unavailability is not None
    assert [len(name) for name in error.unavailability.requested_models] == [256]


@pytest.mark.parametrize(
    ("deployment", "model", "preferences", "expected", "words"),
    [
        pytest.param({"models": ("acme/one",)}, "acme/one", {}, "a b", {}, id="a model it serves"),
        pytest.param(
            {"models": ("acme/one",)}, "acme/two", {}, "", {"b": "allowed_models", "c": "allowed_models"}, id="another one"
        ),
        pytest.param({"models": ("acme/*",)}, "acme/two", {}, "b c", {}, id="patterns"),
        pytest.param({"models": ("acme/t*",)}, "openrouter/auto", {}, "b c", {}, id="the router keeps to it"),
        pytest.param({"ignore": ["a"]}, "acme/one", {}, "b", {"a": "allowed_providers"}, id="a provider it never uses"),
        pytest.param({"ignore": ["a"]}, "acme/one", {"order": ["a"]}, "b", {"a": "allowed_providers"}, id="order"),
        pytest.param({"ignore": ["a"]}, "openrouter/auto", {}, "b b c", {"a": "allowed_providers"}, id="not by the router"),
        pytest.param(
            {"max_price": {"request_pusd": 10}}, "acme/one", {"max_price": {"request_pusd": 10**9}}, "a", {"b": "max_price"},
            id="the lower price holds",
        ),
        pytest.param({"zdr": True}, "acme/one", {"zdr": False}, "", {"a": "data_policy:zdr", "b": "data_policy:zdr"}, id="privacy"),
    ],
)  # fmt: skip
def test_a_deployment_is_never_widened(
    deployment: dict[str, Any], model: str, preferences: dict[str, Any], expected: str, words: dict[str, str]
) -> None:
    """What holds for the gateway holds for each request, whatever it prefers."""
    filters = {name: value for name, value in deployment.items() if name != "models"}
    rules = Deployment(preferences=ProviderPreferences(**filters), models=deployment.get("models", ()))
    made = plan(model, deployment=rules, **preferences)
    assert sorted(tags(made.endpoints).split()) == expected.split()
    assert rejected(made.exclusions) == words


def test_a_pinned_model_of_a_router_comes_first() -> None:
    """A conversation with `openrouter/auto` stays at its endpoint."""
    request = make_request(model="openrouter/auto")
    assert plan_among(CATALOG, request, pin=TWO_C.key).endpoints[0] is TWO_C


def test_a_pin_does_not_change_the_order_of_models() -> None:
    """`models` is the caller's word, a pin the gateway's."""
    request = make_request(model="acme/one", models=["acme/two"])
    assert list(plan_among(CATALOG, request, pin=TWO_C.key).endpoints) == [ONE_A, ONE_B, TWO_C, TWO_B]


def test_a_query_goes_to_the_provider() -> None:
    """Two queries are two things to ask of one endpoint."""
    model = make_model("sim/fault", make_endpoint("sim", "sim/fault"), takes_query=True)
    made = plan_among(make_catalog_of(model), make_request(model="sim/fault?status=503", models=["sim/fault?text=a"]))
    assert [endpoint.upstream_model for endpoint in made.endpoints] == ["fault?status=503", "fault?text=a"]


def test_what_was_needed_is_told() -> None:
    """The plan holds what the request needs, for who explains it."""
    made = plan_among([ONE_A], make_request(model="acme/one", messages=[make_message("x" * 400)], max_tokens=9))
    assert (made.needs.prompt_tokens, made.needs.most_tokens) == (100, 9)


def test_health_is_that_of_the_moment() -> None:
    """An ejected endpoint comes last."""
    cheap, dear = make_endpoint("a"), make_endpoint("b", prices_pusd={"prompt": DOLLAR_A_MILLION})
    health = make_health(a=EndpointHealth(ejected_until_s=10**6))
    assert tags(plan_among([cheap, dear], health=health).endpoints) == "b a"
