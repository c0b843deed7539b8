# SPDX-License-Identifier: Apache-2.0
"""The plan of a call: which endpoints, in which order, or why none."""

import traceback
from typing import Any

import pytest

from support.builders import make_catalog, make_endpoint, make_request
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.provider_preferences_pb2 import ProviderPreferences
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.core.errors import GatewayError
from trunkline_server.routing.plan import make_plan

ONE_A, ONE_B = make_endpoint("a", "acme/one"), make_endpoint("b", "acme/one")
TWO_B, TWO_C = make_endpoint("b", "acme/two"), make_endpoint("c", "acme/two")
CATALOG = make_catalog(ONE_A, ONE_B, TWO_B, TWO_C, empty_models=["acme/gone"], default_model="acme/two")
WITHOUT_DEFAULT = make_catalog(ONE_A)


def plan_error(model: str | None, *models: str, **preferences: Any) -> GatewayError:
    """The error of a request for which there is no plan."""
    request = make_request(model=model, models=models, provider=ProviderPreferences(**preferences))
    with pytest.raises(GatewayError) as caught:
        make_plan(request, CATALOG)
    return caught.value


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
    ],
)
def test_a_request_is_planned(
    model: str | None, models: list[str], preferences: dict[str, Any], expected: list[Endpoint]
) -> None:
    """Models are tried in the caller's order, each one's endpoints as the preferences say."""
    request = make_request(model=model, models=models, provider=ProviderPreferences(**preferences))
    assert list(make_plan(request, CATALOG).endpoints) == expected


def test_a_plan_says_whom_it_left_out() -> None:
    """Excluded endpoints are in the plan with the reason, and so are the models asked for."""
    request = make_request(
        model="acme/one", models=["acme/two"], provider=ProviderPreferences(ignore=["c"], allow_fallbacks=False)
    )
    plan = make_plan(request, CATALOG)
    assert [exclusion.endpoint for exclusion in plan.exclusions] == [ONE_B, TWO_C]
    assert {exclusion.reason for exclusion in plan.exclusions} == {"allowed_providers"}
    assert plan.requested_models == ("acme/one", "acme/two")


@pytest.mark.parametrize(
    ("models", "preferences", "reason", "excluded_by"),
    [
        pytest.param(["no/such"], {}, ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, [], id="unknown"),
        pytest.param(["acme/gone"], {}, ErrorReason.ERROR_REASON_NO_ENDPOINTS, [], id="nobody offers it"),
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
    error = plan_error(None, *models, **preferences)
    assert error.reason == reason
    assert error.unavailability is not None
    assert list(error.unavailability.requested_models) == models
    assert list(error.unavailability.excluded_by) == excluded_by
    assert models[-1] in error.message


def test_a_request_without_model_is_told_to_name_one() -> None:
    """Where the gateway has no default model, `model` is required."""
    with pytest.raises(GatewayError, match="model") as caught:
        make_plan(make_request(model=None), WITHOUT_DEFAULT)
    assert caught.value.reason == ErrorReason.ERROR_REASON_INVALID_REQUEST
    assert [fault.field for fault in caught.value.faults] == ["model"]


def test_a_failure_is_held_by_nobody() -> None:
    """The failure that is raised is in no list that its own traceback holds: it ends with its last user, and the request with it."""
    error = plan_error("no/such", "no/other")
    frames = [frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__)]
    lists = [held for local in frames for held in local.values() if isinstance(held, list)]
    assert [held for held in lists if error in held] == []


def test_a_long_name_is_cut_in_what_is_said() -> None:
    """Of a name of megabytes the details hold as much as helps."""
    details = plan_error("x" * 1_000_000).unavailability
    assert details is not None
    assert [len(name) for name in details.requested_models] == [256]
