# SPDX-License-Identifier: Apache-2.0
"""What clients may read of the catalog: the RPCs of `trunkline.v1.ModelService`, one method each, the same on every wire."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, urlencode

from trunkline.v1 import model_pb2
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.model_service_pb2 import (
    CountModelsRequest,
    CountModelsResponse,
    GetModelRequest,
    GetModelResponse,
    ListLinks,
    ListModelEndpointsRequest,
    ListModelEndpointsResponse,
    ListModelsRequest,
    ListModelsResponse,
    ListProvidersRequest,
    ListProvidersResponse,
    ListUserModelsRequest,
    ListUserModelsResponse,
    ListZdrEndpointsRequest,
    ListZdrEndpointsResponse,
    ModelCount,
    RetrieveModelRequest,
    RetrieveModelResponse,
)
from trunkline_server.catalog.entry import Catalog, Endpoint, EndpointKey, Model, Provider
from trunkline_server.catalog.query import brief_slug
from trunkline_server.core.call import Principal
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.health import EndpointHealth, Percentiles

_MODELS_PATH: Final = "/api/v1/models"
_EVERY_MODALITY: Final = "all"
_MS_PER_S: Final = 1000.0
_PERCENT: Final = 100.0
_NOTHING_KNOWN: Final = EndpointHealth()

HealthByEndpoint = Mapping[EndpointKey, EndpointHealth]
_NO_ENDPOINTS: Final[HealthByEndpoint] = MappingProxyType({})


class Directory:
    """Answers questions about the catalog that `current` returns. Every principal sees the same.

    `health` returns what is known of endpoints at the moment; one that is not in it was not called lately.
    """

    def __init__(
        self, current: Callable[[], Catalog], health: Callable[[], HealthByEndpoint] = lambda: _NO_ENDPOINTS
    ) -> None:
        self._current = current
        self._health = health

    async def list_models(self, request: ListModelsRequest, _principal: Principal) -> ListModelsResponse:
        """The models that pass the request's filters, one page of them."""
        found = [model for model in self._current().models.values() if _passes(model, request)]
        start = request.offset
        end = start + request.limit if request.HasField("limit") else len(found)
        return ListModelsResponse(
            object="list",
            data=[render_model(model) for model in found[start:end]],
            links=ListLinks(next=_next_page(_MODELS_PATH, request, end) if end < len(found) else None),
            total_count=len(found),
        )

    async def list_user_models(self, request: ListUserModelsRequest, _principal: Principal) -> ListUserModelsResponse:
        """The models that the caller may use, one page of them: no key is kept from any model."""
        found = [
            model
            for model in self._current().models.values()
            if _has_modalities(model.writes, request.output_modalities)
        ]
        start = request.offset
        end = start + request.limit if request.HasField("limit") else len(found)
        return ListUserModelsResponse(
            data=[render_model(model) for model in found[start:end]],
            links=ListLinks(next=_next_page(f"{_MODELS_PATH}/user", request, end) if end < len(found) else None),
            total_count=len(found),
        )

    async def count_models(self, request: CountModelsRequest, _principal: Principal) -> CountModelsResponse:
        """How many models write the wanted modalities."""
        models = self._current().models.values()
        count = sum(_has_modalities(model.writes, request.output_modalities) for model in models)
        return CountModelsResponse(data=ModelCount(count=count))

    async def get_model(self, request: GetModelRequest, _principal: Principal) -> GetModelResponse:
        """One model. Raises GatewayError (NOT_FOUND)."""
        return GetModelResponse(data=render_model(self._find(f"{request.author}/{request.slug}")))

    async def retrieve_model(self, request: RetrieveModelRequest, _principal: Principal) -> RetrieveModelResponse:
        """One model by its slug, or by both parts of it. Raises GatewayError (INVALID_REQUEST, NOT_FOUND)."""
        whole, parts = request.model, (request.author, request.slug)
        if bool(whole) is any(parts) or any(parts) is not all(parts):
            raise GatewayError(
                ErrorReason.ERROR_REASON_INVALID_REQUEST, "Either `model` is due, or both `author` and `slug`."
            )
        return RetrieveModelResponse(model=render_model(self._find(whole or "/".join(parts))))

    async def list_model_endpoints(
        self, request: ListModelEndpointsRequest, _principal: Principal
    ) -> ListModelEndpointsResponse:
        """One model with its endpoints, and how they are. Raises GatewayError (NOT_FOUND)."""
        model, health = self._find(f"{request.author}/{request.slug}"), self._health()
        return ListModelEndpointsResponse(
            data=model_pb2.ModelEndpoints(
                id=model.slug,
                name=model.name,
                created=model.created_s,
                description=model.description,
                architecture=_render_architecture(model),
                endpoints=[_render_endpoint(endpoint, model, health) for endpoint in model.endpoints],
            )
        )

    async def list_zdr_endpoints(
        self, _request: ListZdrEndpointsRequest, _principal: Principal
    ) -> ListZdrEndpointsResponse:
        """The endpoints of providers that keep no prompts, in catalog order."""
        health = self._health()
        return ListZdrEndpointsResponse(
            data=[
                _render_endpoint(endpoint, model, health)
                for model in self._current().models.values()
                for endpoint in model.endpoints
                if not endpoint.provider.keeps_prompts
            ]
        )

    async def list_providers(self, _request: ListProvidersRequest, _principal: Principal) -> ListProvidersResponse:
        """All providers."""
        return ListProvidersResponse(
            data=[_render_provider(provider) for provider in self._current().providers.values()]
        )

    def _find(self, slug: str) -> Model:
        model = self._current().models.get(slug)
        if model is None:
            raise GatewayError(
                ErrorReason.ERROR_REASON_NOT_FOUND,
                f"Not found: there is no model `{brief_slug(slug)}`. {_MODELS_PATH} lists those there are.",
            )
        return model


def render_model(model: Model) -> model_pb2.Model:
    """The model as the contract has it."""
    first = model.endpoints[0] if model.endpoints else None
    return model_pb2.Model(
        id=model.slug,
        object="model",
        created=model.created_s,
        owned_by=model.author,
        canonical_slug=model.canonical_slug,
        name=model.name,
        description=model.description,
        context_length=model.context_length,
        architecture=_render_architecture(model),
        pricing=_render_pricing(model.endpoints),
        top_provider=model_pb2.TopProvider(
            context_length=first.context_length if first else None,
            max_completion_tokens=first.max_completion_tokens if first else None,
            is_moderated=model.is_moderated,
        ),
        supported_parameters=sorted({name for endpoint in model.endpoints for name in endpoint.supported_parameters}),
        supported_voices=model.supported_voices,
        default_parameters=_render_default_parameters(model),
        links=model_pb2.ModelLinks(details=f"{_MODELS_PATH}/{quote(model.slug, safe='/:@~')}/endpoints"),
        hugging_face_id=model.hugging_face_id,
        knowledge_cutoff=model.knowledge_cutoff,
        expiration_date=model.expiration_date,
    )


def _render_default_parameters(model: Model) -> model_pb2.DefaultParameters:
    rendered = model_pb2.DefaultParameters()
    for name, value in model.default_parameters.items():
        is_whole = isinstance(getattr(rendered, name), int)
        setattr(rendered, name, int(value) if is_whole else value)
    return rendered


def _render_architecture(model: Model) -> model_pb2.Architecture:
    return model_pb2.Architecture(
        input_modalities=model.reads,
        output_modalities=model.writes,
        modality="+".join(model.reads) + "->" + "+".join(model.writes),
        tokenizer=model.tokenizer,
        instruct_type=model.instruct_type,
    )


def _render_pricing(endpoints: Iterable[Endpoint]) -> model_pb2.Pricing:
    """For each kind of price the lowest that an endpoint has; 0 for prompt and completion where nobody names one."""
    lowest: dict[str, int] = {}
    for endpoint in endpoints:
        for key, price_pusd in endpoint.prices_pusd.items():
            lowest[key] = min(price_pusd, lowest.get(key, price_pusd))
    pricing = model_pb2.Pricing()
    for key, price_pusd in lowest.items():
        setattr(pricing, f"{key}_pusd", price_pusd)
    return pricing


def _render_endpoint(endpoint: Endpoint, model: Model, health: HealthByEndpoint) -> model_pb2.Endpoint:
    known = health.get(endpoint.key, _NOTHING_KNOWN)
    return model_pb2.Endpoint(
        name=f"{endpoint.provider.name} | {model.slug}",
        model_id=model.slug,
        model_name=model.name,
        provider_name=endpoint.provider.name,
        tag=endpoint.tag,
        context_length=endpoint.context_length or model.context_length or 0,
        max_completion_tokens=endpoint.max_completion_tokens,
        max_prompt_tokens=endpoint.max_prompt_tokens,
        pricing=_render_pricing([endpoint]),
        quantization=endpoint.quantization,
        supported_parameters=sorted(endpoint.supported_parameters),
        supports_implicit_caching=endpoint.supports_implicit_caching,
        status=known.status,
        uptime_last_5m=None if known.success_rate is None else known.success_rate * _PERCENT,
        latency_last_30m=_render_percentiles(known.first_token_s, _MS_PER_S),
        throughput_last_30m=_render_percentiles(known.throughput_tps),
        service_tier=endpoint.service_tier,
        supports_tool_choice=_render_tool_choice(endpoint),
    )


def _render_percentiles(measured: Percentiles | None, factor: float = 1.0) -> model_pb2.PercentileStats | None:
    """In the contract's unit, which is `factor` times finer. Rounded to a thousandth of it: a percentile is no more exact than some per cent."""
    if measured is None:
        return None
    p50, p75, p90, p99 = (
        round(value * factor, 3) for value in (measured.p50, measured.p75, measured.p90, measured.p99)
    )
    return model_pb2.PercentileStats(p50=p50, p75=p75, p90=p90, p99=p99)


def _render_tool_choice(endpoint: Endpoint) -> model_pb2.ToolChoiceSupport:
    """Who knows `tool_choice` is taken to know each of its values: the catalog does not tell them apart."""
    knows = "tool_choice" in endpoint.supported_parameters
    return model_pb2.ToolChoiceSupport(auto=knows, function=knows, none=knows, required=knows)


def _render_provider(provider: Provider) -> model_pb2.Provider:
    return model_pb2.Provider(
        name=provider.name,
        slug=provider.slug,
        privacy_policy_url=provider.privacy_policy_url,
        terms_of_service_url=provider.terms_of_service_url,
        status_page_url=provider.status_page_url,
        headquarters=provider.headquarters,
        datacenters=provider.datacenters,
    )


def _passes(model: Model, request: ListModelsRequest) -> bool:
    parameters = {name for endpoint in model.endpoints for name in endpoint.supported_parameters}
    text = request.q.strip().casefold()
    return (
        parameters.issuperset(_words(request.supported_parameters))
        and _has_modalities(model.writes, request.output_modalities)
        and _has_modalities(model.reads, request.input_modalities)
        and (text in model.slug.casefold() or text in model.name.casefold())
    )


def _has_modalities(modalities: Sequence[str], wanted: str) -> bool:
    words = _words(wanted)
    return _EVERY_MODALITY in words or words.issubset(modalities)


def _words(text: str) -> set[str]:
    return {word.strip() for word in text.split(",") if word.strip()}


def _next_page(path: str, request: ListModelsRequest | ListUserModelsRequest, offset: int) -> str:
    """The path of the page that begins at an offset, with the same filters."""
    given = {field.name: value for field, value in request.ListFields()}
    return f"{path}?{urlencode({**given, 'offset': offset})}"
