# SPDX-License-Identifier: Apache-2.0
"""The plan of a call: the endpoints to try, in order. A pure function of request and catalog."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.catalog.entry import Catalog, Endpoint
from trunkline_server.catalog.query import brief_slug, find_model
from trunkline_server.core.errors import FieldFault, GatewayError, Unavailability
from trunkline_server.routing.candidates import (
    ALLOWED_PROVIDERS,
    PRIVACY_RULES,
    Exclusion,
    find_candidates,
    sent_parameters,
)
from trunkline_server.routing.order import order_candidates


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The endpoints to try, in order, never empty; those left out and why; the models that the caller asked for."""

    endpoints: tuple[Endpoint, ...]
    exclusions: tuple[Exclusion, ...]
    requested_models: tuple[str, ...]


def make_plan(request: ChatCompletionRequest, catalog: Catalog) -> Plan:
    """The plan for a request.

    Models are tried in the caller's order: `model`, then `models`. A model that is unknown or that nobody may serve is passed over as long as another one is
    left. Raises the GatewayError of the last model otherwise: NO_ENDPOINTS, PRIVACY_RESTRICTED, CONSTRAINT_FILTERED, INVALID_REQUEST
    where no model is named, or what `find_model` raises.
    """
    wanted = _requested_models(request, catalog)
    requested = tuple(map(brief_slug, wanted))
    endpoints: list[Endpoint] = []
    exclusions: list[Exclusion] = []
    failures: list[GatewayError] = []
    for slug in wanted:
        try:
            found, excluded = _plan_model(slug, request, catalog)
        except GatewayError as error:
            if error.unavailability is not None:
                error.unavailability = replace(error.unavailability, requested_models=requested)
            failures.append(error.with_traceback(None))
            continue
        # Two names of one model, such as a slug and its variant, are no reason to ask an endpoint twice.
        endpoints.extend(endpoint for endpoint in found if endpoint not in endpoints)
        exclusions.extend(exclusion for exclusion in excluded if exclusion not in exclusions)
        if not found:
            failures.append(_no_endpoint(slug, requested, excluded))
    if not endpoints:
        raise _take_last(failures)
    return Plan(endpoints=tuple(endpoints), exclusions=tuple(exclusions), requested_models=requested)


def _take_last(failures: list[GatewayError]) -> GatewayError:
    """The last failure, out of the list: one that is raised while a name of its traceback holds it stays, request and all, until garbage is collected."""
    last = failures[-1]
    failures.clear()
    return last


def _requested_models(request: ChatCompletionRequest, catalog: Catalog) -> tuple[str, ...]:
    named = [*([request.model] if request.HasField("model") else ()), *request.models]
    if not named and catalog.default_model is not None:
        named.append(catalog.default_model)
    if not named:
        message = "the name of a model is required; GET /v1/models lists them"
        raise GatewayError(
            ErrorReason.ERROR_REASON_INVALID_REQUEST,
            f"model: {message}.",
            faults=[FieldFault(field="model", description=message)],
        )
    return tuple(dict.fromkeys(named))


def _plan_model(slug: str, request: ChatCompletionRequest, catalog: Catalog) -> tuple[list[Endpoint], list[Exclusion]]:
    model = find_model(catalog, slug)
    if not request.HasField("provider"):
        return list(model.endpoints), []
    candidates, exclusions = find_candidates(model.endpoints, request.provider, sent_parameters(request))
    ordered = order_candidates(candidates, request.provider)
    exclusions.extend(
        Exclusion(endpoint=endpoint, reason=ALLOWED_PROVIDERS) for endpoint in candidates if endpoint not in ordered
    )
    return ordered, exclusions


def _no_endpoint(slug: str, requested: tuple[str, ...], excluded: list[Exclusion]) -> GatewayError:
    details = Unavailability(
        requested_models=requested, excluded_by=sorted({exclusion.reason for exclusion in excluded})
    )
    if excluded:
        rules = ", ".join(details.excluded_by)
        text = f"The provider preferences leave no endpoint of {slug!r} ({rules}); loosen them in `provider`."
        reason = (
            ErrorReason.ERROR_REASON_PRIVACY_RESTRICTED
            if PRIVACY_RULES.issuperset(details.excluded_by)
            else ErrorReason.ERROR_REASON_CONSTRAINT_FILTERED
        )
        return GatewayError(reason, text, unavailability=details)
    return GatewayError(
        ErrorReason.ERROR_REASON_NO_ENDPOINTS, f"Nobody offers {slug!r} at the moment.", unavailability=details
    )
