# SPDX-License-Identifier: Apache-2.0
"""What clients may read of the catalog."""

from dataclasses import replace

import orjson
import pytest

from support.golden import Golden
from trunkline.v1 import model_service_pb2 as rpc
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.catalog.directory import Directory, render_model
from trunkline_server.catalog.entry import Catalog, Endpoint, Model, Provider
from trunkline_server.core.call import Principal
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.health import EndpointHealth, Percentiles
from trunkline_server.jsonshape import Codec

ANYBODY = Principal(name="anybody")
CHEAP = Provider(
    slug="cheap", name="Cheap", keeps_prompts=False, status_page_url="https://status.example", datacenters=("DE", "US")
)
DEAR = Provider(slug="dear", name="Dear")
LARGE = Model(
    slug="acme/large",
    canonical_slug="acme/large-1",
    name="Acme Large",
    description="Large.",
    created_s=1_700_000_000,
    context_length=1000,
    default_parameters={"temperature": 0.5, "top_k": 40.0},
    endpoints=(
        Endpoint(
            model="acme/large",
            provider=DEAR,
            upstream_model="l",
            tag="dear",
            prices_pusd={"prompt": 5, "completion": 7, "request": 9},
            context_length=900,
            max_completion_tokens=100,
            supported_parameters=frozenset({"tools", "seed"}),
        ),
        Endpoint(
            model="acme/large",
            provider=CHEAP,
            upstream_model="l",
            tag="cheap/fp8",
            prices_pusd={"prompt": 3, "completion": 8},
            quantization="fp8",
            supported_parameters=frozenset({"stop"}),
        ),
    ),
)
PAINTER = Model(
    slug="acme/painter",
    canonical_slug="acme/painter",
    name="Painter",
    input_modalities=("text", "image"),
    output_modalities=("text", "image"),
    supported_voices=("ada",),
)
SMALL = replace(LARGE, slug="other/small", canonical_slug="other/small", name="Small", endpoints=())
CATALOG = Catalog(
    models={model.slug: model for model in (LARGE, PAINTER, SMALL)}, providers={"cheap": CHEAP, "dear": DEAR}
)
DIRECTORY = Directory(lambda: CATALOG)


@pytest.mark.parametrize(
    ("request_", "slugs", "total", "next_page"),
    [
        (rpc.ListModelsRequest(), ["acme/large", "acme/painter", "other/small"], 3, None),
        (rpc.ListModelsRequest(limit=2), ["acme/large", "acme/painter"], 3, "/api/v1/models?limit=2&offset=2"),
        (rpc.ListModelsRequest(limit=2, offset=2), ["other/small"], 3, None),
        (rpc.ListModelsRequest(limit=3), ["acme/large", "acme/painter", "other/small"], 3, None),
        (rpc.ListModelsRequest(offset=1), ["acme/painter", "other/small"], 3, None),
        (rpc.ListModelsRequest(offset=9), [], 3, None),
        (rpc.ListModelsRequest(q=" ACME "), ["acme/large", "acme/painter"], 2, None),
        (rpc.ListModelsRequest(q="paint"), ["acme/painter"], 1, None),
        (rpc.ListModelsRequest(q="a m", limit=1), [], 0, None),
        (rpc.ListModelsRequest(q="e/", limit=1), ["acme/large"], 2, "/api/v1/models?q=e%2F&limit=1&offset=1"),
        (rpc.ListModelsRequest(supported_parameters="stop, tools"), ["acme/large"], 1, None),
        (rpc.ListModelsRequest(supported_parameters="stop,audio"), [], 0, None),
        (rpc.ListModelsRequest(output_modalities="image"), ["acme/painter"], 1, None),
        (rpc.ListModelsRequest(output_modalities="all"), ["acme/large", "acme/painter", "other/small"], 3, None),
        (rpc.ListModelsRequest(input_modalities="text,image"), ["acme/painter"], 1, None),
        (rpc.ListModelsRequest(input_modalities=","), ["acme/large", "acme/painter", "other/small"], 3, None),
    ],
)
async def test_listing_models(
    request_: rpc.ListModelsRequest, slugs: list[str], total: int, next_page: str | None
) -> None:
    """Filters narrow, limit and offset page, and the link leads to the next page with the same filters."""
    answer = await DIRECTORY.list_models(request_, ANYBODY)
    assert ([model.id for model in answer.data], answer.total_count) == (slugs, total)
    assert (answer.links.next if answer.links.HasField("next") else None) == next_page
    assert (answer.object, answer.HasField("links")) == ("list", True)


@pytest.mark.parametrize(("modalities", "count"), [("", 3), ("all", 3), ("image", 1), ("audio", 0)])
async def test_counting_models(modalities: str, count: int) -> None:
    """The count knows the same filter as the list."""
    answer = await DIRECTORY.count_models(rpc.CountModelsRequest(output_modalities=modalities), ANYBODY)
    assert answer.data.count == count


def test_a_model_has_its_lowest_prices_and_first_limits() -> None:
    """Prices are the lowest of each kind, parameters those of any endpoint, limits those of the first."""
    model = render_model(LARGE)
    assert (model.pricing.prompt_pusd, model.pricing.completion_pusd, model.pricing.request_pusd) == (3, 7, 9)
    assert list(model.supported_parameters) == ["seed", "stop", "tools"]
    assert (model.top_provider.context_length, model.top_provider.max_completion_tokens) == (900, 100)


def test_a_model_has_what_strict_clients_demand() -> None:
    """Messages that must be written are set even where they hold nothing; unknown numbers stay unset."""
    model = render_model(PAINTER)
    names = ("architecture", "pricing", "top_provider", "default_parameters", "links")
    assert [model.HasField(name) for name in names] == [True] * len(names)
    assert not model.HasField("context_length")
    assert not model.HasField("per_request_limits")
    assert (model.owned_by, model.object, model.architecture.modality) == ("acme", "model", "text+image->text+image")
    assert model.links.details == "/api/v1/models/acme/painter/endpoints"
    assert list(model.supported_voices) == ["ada"]


def test_default_parameters_keep_their_types() -> None:
    """A whole number of the contract is whole."""
    defaults = render_model(LARGE).default_parameters
    assert (defaults.temperature, defaults.top_k, defaults.HasField("top_p")) == (0.5, 40, False)


async def test_one_model() -> None:
    """A model is found by the two parts of its slug."""
    answer = await DIRECTORY.get_model(rpc.GetModelRequest(author="acme", slug="large"), ANYBODY)
    assert answer.data == render_model(LARGE)


@pytest.mark.parametrize(
    ("request_", "slugs", "total", "next_page"),
    [
        (rpc.ListUserModelsRequest(), ["acme/large", "acme/painter", "other/small"], 3, ""),
        (rpc.ListUserModelsRequest(limit=1), ["acme/large"], 3, "/api/v1/models/user?limit=1&offset=1"),
        (rpc.ListUserModelsRequest(limit=9, offset=2), ["other/small"], 3, ""),
        (rpc.ListUserModelsRequest(output_modalities="image"), ["acme/painter"], 1, ""),
    ],
)
async def test_models_of_the_caller(
    request_: rpc.ListUserModelsRequest, slugs: list[str], total: int, next_page: str
) -> None:
    """A caller may use every model; pages name the next one."""
    answer = await DIRECTORY.list_user_models(request_, ANYBODY)
    assert ([model.id for model in answer.data], answer.total_count, answer.links.next) == (slugs, total, next_page)


@pytest.mark.parametrize(
    "request_",
    [rpc.RetrieveModelRequest(model="acme/large"), rpc.RetrieveModelRequest(author="acme", slug="large")],
)
async def test_one_model_as_openai_has_it(request_: rpc.RetrieveModelRequest) -> None:
    """A model is found by its whole slug, or by its parts."""
    assert (await DIRECTORY.retrieve_model(request_, ANYBODY)).model == render_model(LARGE)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (rpc.RetrieveModelRequest(), ErrorReason.ERROR_REASON_INVALID_REQUEST),
        (rpc.RetrieveModelRequest(author="acme"), ErrorReason.ERROR_REASON_INVALID_REQUEST),
        (rpc.RetrieveModelRequest(slug="large"), ErrorReason.ERROR_REASON_INVALID_REQUEST),
        (rpc.RetrieveModelRequest(model="acme/large", slug="large"), ErrorReason.ERROR_REASON_INVALID_REQUEST),
        (
            rpc.RetrieveModelRequest(model="acme/large", author="acme", slug="large"),
            ErrorReason.ERROR_REASON_INVALID_REQUEST,
        ),
        (rpc.RetrieveModelRequest(model="large"), ErrorReason.ERROR_REASON_NOT_FOUND),
        (rpc.RetrieveModelRequest(model="acme/large/"), ErrorReason.ERROR_REASON_NOT_FOUND),
    ],
)
async def test_a_model_is_named_once(request_: rpc.RetrieveModelRequest, reason: int) -> None:
    """Two names, half a name and no name are faults; a name that nothing has is not found."""
    with pytest.raises(GatewayError) as caught:
        await DIRECTORY.retrieve_model(request_, ANYBODY)
    assert caught.value.reason == reason


async def test_endpoints_that_keep_nothing() -> None:
    """Only endpoints of providers that keep no prompts are listed."""
    answer = await DIRECTORY.list_zdr_endpoints(rpc.ListZdrEndpointsRequest(), ANYBODY)
    assert [(endpoint.tag, endpoint.model_name) for endpoint in answer.data] == [("cheap/fp8", "Acme Large")]


async def test_endpoints_of_a_model() -> None:
    """Each endpoint has its own prices and limits, in catalog order."""
    answer = await DIRECTORY.list_model_endpoints(rpc.ListModelEndpointsRequest(author="acme", slug="large"), ANYBODY)
    first, second = answer.data.endpoints
    assert (answer.data.id, answer.data.created, answer.data.description) == ("acme/large", 1_700_000_000, "Large.")
    assert (first.tag, first.pricing.prompt_pusd, first.context_length) == ("dear", 5, 900)
    assert (second.tag, second.pricing.prompt_pusd, second.context_length) == ("cheap/fp8", 3, 1000)
    assert (second.name, second.quantization, second.HasField("max_completion_tokens")) == (
        "Cheap | acme/large",
        "fp8",
        False,
    )


async def test_how_the_endpoints_are() -> None:
    """Status, share of successes in percent, milliseconds to the first token and tokens a second; what was not measured stays unset."""
    cheap = EndpointHealth(
        requests=8,
        success_rate=0.875,
        latency_s=Percentiles(p50=9, p75=9, p90=9, p99=9),
        first_token_s=Percentiles(p50=0.25, p75=0.5, p90=1.0, p99=2.0),
        throughput_tps=Percentiles(p50=61.23456, p75=50, p90=40, p99=30),
        unstable=True,
    )
    directory = Directory(lambda: CATALOG, lambda: {("acme/large", "cheap/fp8"): cheap})
    answer = await directory.list_model_endpoints(rpc.ListModelEndpointsRequest(author="acme", slug="large"), ANYBODY)
    private = await directory.list_zdr_endpoints(rpc.ListZdrEndpointsRequest(), ANYBODY)
    unknown, known = answer.data.endpoints
    names = ("uptime_last_5m", "latency_last_30m", "throughput_last_30m", "uptime_last_30m", "uptime_last_1d")
    assert (unknown.status, [unknown.HasField(name) for name in names]) == (0, [False] * 5)
    assert [known.HasField(name) for name in names] == [True] * 3 + [False] * 2
    assert (known.status, known.uptime_last_5m) == (-1, 87.5)
    latency, throughput = known.latency_last_30m, known.throughput_last_30m
    assert (latency.p50, latency.p75, latency.p90, latency.p99) == (250, 500, 1000, 2000)
    assert (throughput.p50, throughput.p99) == (61.235, 30)
    assert private.data[0] == known


async def test_who_knows_tool_choice_knows_all_of_it() -> None:
    """An endpoint that supports the parameter `tool_choice` is said to know each of its values, any other none."""
    knowing = replace(LARGE.endpoints[0], supported_parameters=frozenset({"tools", "tool_choice"}))
    model = replace(LARGE, endpoints=(knowing, LARGE.endpoints[1]))
    directory = Directory(lambda: Catalog(models={model.slug: model}, providers={}))
    answer = await directory.list_model_endpoints(rpc.ListModelEndpointsRequest(author="acme", slug="large"), ANYBODY)
    support = [endpoint.supports_tool_choice for endpoint in answer.data.endpoints]
    assert [(said.auto, said.function, said.none, said.required) for said in support] == [(True,) * 4, (False,) * 4]


@pytest.mark.parametrize("slug", ["nothing", "", "large:nitro"])
async def test_an_unknown_model_is_not_found(slug: str) -> None:
    """Reading about a model that is not there is a 404, unlike calling it."""
    with pytest.raises(GatewayError) as of_model:
        await DIRECTORY.get_model(rpc.GetModelRequest(author="acme", slug=slug), ANYBODY)
    with pytest.raises(GatewayError) as of_endpoints:
        await DIRECTORY.list_model_endpoints(rpc.ListModelEndpointsRequest(author="acme", slug=slug), ANYBODY)
    assert of_model.value.reason == of_endpoints.value.reason == ErrorReason.ERROR_REASON_NOT_FOUND


async def test_providers() -> None:
    """Providers are listed in catalog order with what is known of them."""
    answer = await DIRECTORY.list_providers(rpc.ListProvidersRequest(), ANYBODY)
    assert [(provider.slug, provider.name) for provider in answer.data] == [("cheap", "Cheap"), ("dear", "Dear")]
    assert (answer.data[0].status_page_url, list(answer.data[0].datacenters)) == (
        "https://status.example",
        ["DE", "US"],
    )
    assert not answer.data[1].HasField("status_page_url")


async def test_the_current_catalog_is_asked() -> None:
    """A catalog that is replaced shows at once."""
    catalogs = iter([CATALOG, Catalog(models={}, providers={})])
    directory = Directory(lambda: next(catalogs))
    counts = [(await directory.count_models(rpc.CountModelsRequest(), ANYBODY)).data.count for _ in range(2)]
    assert counts == [3, 0]


async def test_the_answers_in_json(golden: Golden) -> None:
    """Every key is written, with null for what is unknown; the model that OpenAI's SDKs retrieve is the answer itself."""
    answers = (
        ("models_user", await DIRECTORY.list_user_models(rpc.ListUserModelsRequest(limit=1), ANYBODY)),
        ("models_retrieve", await DIRECTORY.retrieve_model(rpc.RetrieveModelRequest(model="acme/painter"), ANYBODY)),
        ("endpoints_zdr", await DIRECTORY.list_zdr_endpoints(rpc.ListZdrEndpointsRequest(), ANYBODY)),
    )
    codec = Codec.compile([answer.DESCRIPTOR for _, answer in answers])
    for name, answer in answers:
        golden.check_json(f"routes/{name}.json", orjson.loads(codec.dump(answer)))
