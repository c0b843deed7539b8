# SPDX-License-Identifier: Apache-2.0
"""Models, providers, endpoints and the catalog that holds them. Immutable; money in 1e-12 USD."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from trunkline_server.catalog.tiers import STANDARD

EndpointKey = tuple[str, str]
"""What names an endpoint among all: the model's slug and the endpoint's tag. The same across reloads of the catalog."""

_CONTRACT = "trunkline"
_NO_PRICES: Mapping[str, int] = MappingProxyType({})
_NO_RENAMES: Mapping[str, str] = MappingProxyType({})
_NO_TIERS: Mapping[str, Endpoint] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a provider may take: to accept a connection, to begin its answer, to say the first of its content, between two reads after that, and for all of
    it. A stream's answer must begin within both `first_byte_s` and `stream_first_byte_s`. Seconds.
    """

    connect_s: float = 5.0
    first_byte_s: float = 300.0
    stream_first_byte_s: float = 60.0
    first_token_s: float = 300.0
    idle_s: float = 60.0
    total_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """What a provider's requests differ in from those of its dialect.

    `path` and `stream_path` are templates of the path for whole and streamed answers, in which `{model}` stands for the provider's name of the model (None: the
    dialect's own path). `adds` are top-level fields of the body, `removes` and `removes_headers` what the dialect writes and the provider does not take.
    `reads_urls` is false where the provider reads no URL in a message, whatever the dialect's own maker does.
    """

    path: str | None = None
    stream_path: str | None = None
    adds: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    removes: frozenset[str] = frozenset()
    removes_headers: frozenset[str] = frozenset()
    reads_urls: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Who offers models, and how it is spoken to.

    `transport` names the upstream that reaches it ("http" or "simulator"), `dialect` its JSON language. `takes_extensions` says that it understands every
    field of the contract (OpenRouter's and the gateway's own), not only OpenAI's. `renames` are fields of openai_chat that it has under another name,
    `refuses` those that it does not take, and `takes_developer_role` tells whether it knows the role `developer`. Of openai_chat, too: whether it
    `takes_images_in_results` of tools, the `tool_types` that it takes beside functions and custom tools, the form of `tool_ids` ("alphanumeric_9"; None:
    any), and the `forms` of answers, types of `response_format`, that it takes beside text (None: all). `wire` is what its requests differ in
    from its dialect's. `auth` is the way in which the gateway shows itself, `auth_header` the header for it where it is not the usual one, `region` the one of
    AWS that requests are signed for. `trains_on_prompts` and `keeps_prompts` are true where nothing better is known. `base_url` is None for the simulator.
    """

    slug: str
    name: str
    dialect: str = "openai_chat"
    transport: str = "http"
    base_url: str | None = None
    takes_extensions: bool = False
    renames: Mapping[str, str] = field(default_factory=lambda: _NO_RENAMES)
    refuses: frozenset[str] = frozenset()
    takes_developer_role: bool = True
    takes_images_in_results: bool = False
    tool_types: frozenset[str] = frozenset()
    tool_ids: str | None = None
    forms: frozenset[str] | None = None
    wire: Wire | None = None
    auth: str = "bearer"
    auth_header: str | None = None
    region: str | None = None
    trains_on_prompts: bool = True
    keeps_prompts: bool = True
    timeouts: Timeouts = field(default_factory=Timeouts)
    privacy_policy_url: str | None = None
    terms_of_service_url: str | None = None
    status_page_url: str | None = None
    headquarters: str | None = None
    datacenters: tuple[str, ...] = ()

    @property
    def is_gateway(self) -> bool:
        """Whether it may pass requests on to others: it is told how many gateways a request has passed."""
        return self.takes_extensions or self.dialect == _CONTRACT


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One model offered by one provider.

    `upstream_model` is the name by which the provider knows the model; `tag` the endpoint's own slug for routing preferences (the provider's slug, with a
    suffix where a provider offers a model more than once). `prices_pusd` maps the keys of `trunkline.v1.Pricing` without unit ("prompt", "completion",
    "request", ...) to 1e-12 USD per token or unit. `service_tier` is the tier it sells, None for the standard one; `exacto` says that it is known for good
    tool calls, `takes_prefill` that it goes on with a last message of the assistant. `cache_marks` is the mark of cached prefixes that it takes on content
    parts, "cache_control" or "prompt_cache_breakpoint" (None: none). `refused_parameters` are the fields of a request that its provider would not get: the
    dialect's and the provider's, set where the catalog is put together. `most_concurrent` bounds the calls that the gateway has there at once. None means
    unlimited or unknown elsewhere. The model sets `beside_tiers`, whether some endpoint of it sells a service tier, and `of_tiers`, what the same provider
    sells of it in each tier, this one's own among them: empty where none is sold.

    `prices_above` are the prices of calls whose prompts have more tokens than each number, in rising order; `price_source` says where prices come from that
    nobody gave for this endpoint, None for those that somebody did.

    What every plan looks at is made once: `key` names the endpoint among all; `names` are the slugs by which a preference may mean it, in lower case: its
    tag, each prefix of its tag up to a stroke, its provider's slug and name; `main_prices_pusd` are those for prompt, completion, request and image.
    """

    model: str
    provider: Provider
    upstream_model: str
    tag: str
    prices_pusd: Mapping[str, int] = field(default_factory=lambda: _NO_PRICES)
    context_length: int | None = None
    max_completion_tokens: int | None = None
    max_prompt_tokens: int | None = None
    quantization: str | None = None
    supported_parameters: frozenset[str] = frozenset()
    supports_implicit_caching: bool = False
    distillable: bool = False
    service_tier: str | None = None
    exacto: bool = False
    takes_prefill: bool = False
    cache_marks: str | None = None
    refused_parameters: frozenset[str] = frozenset()
    most_concurrent: int | None = None
    prices_above: tuple[tuple[int, Mapping[str, int]], ...] = ()
    price_source: str | None = None
    beside_tiers: bool = field(default=False, repr=False, compare=False)
    of_tiers: Mapping[str, Endpoint] = field(default_factory=lambda: _NO_TIERS, repr=False, compare=False)
    key: EndpointKey = field(init=False, repr=False, compare=False)
    names: frozenset[str] = field(init=False, repr=False, compare=False)
    main_prices_pusd: tuple[int, int, int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = self.tag.lower().split("/")
        prefixes = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
        object.__setattr__(self, "key", (self.model, self.tag))
        object.__setattr__(
            self, "names", frozenset([*prefixes, self.provider.slug.lower(), self.provider.name.lower()])
        )
        object.__setattr__(self, "main_prices_pusd", _main_prices(self.prices_pusd))

    @property
    def tier(self) -> str:
        """The service tier it sells, STANDARD for none."""
        return self.service_tier or STANDARD

    def prices_for(self, prompt_tokens: int) -> Mapping[str, int]:
        """The prices of a call with a prompt of so many tokens: all of its tokens have them."""
        prices = self.prices_pusd
        for tokens, higher in self.prices_above:
            if prompt_tokens > tokens:
                prices = higher
        return prices

    def main_prices_for(self, prompt_tokens: int) -> tuple[int, int, int, int]:
        """Those for prompt, completion, request and image, of a call with a prompt of so many tokens."""
        return _main_prices(self.prices_for(prompt_tokens))


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model as clients name it, with its endpoints in catalog order.

    `created_s` is in Unix seconds; `default_parameters` maps request parameters to numbers. `takes_query` says that a request may add `?key=value` to the
    slug, which goes to the provider as part of the model's name. None means unknown, and so do modalities without a word.

    What every plan looks at is made once: the least of the lengths that its endpoints name (None: none does), and whether one of them sells a service tier.
    """

    slug: str
    canonical_slug: str
    name: str
    description: str = ""
    created_s: int = 0
    context_length: int | None = None
    input_modalities: tuple[str, ...] = ()
    output_modalities: tuple[str, ...] = ()
    tokenizer: str | None = None
    instruct_type: str | None = None
    hugging_face_id: str | None = None
    knowledge_cutoff: str | None = None
    expiration_date: str | None = None
    is_moderated: bool = False
    supported_voices: tuple[str, ...] = ()
    default_parameters: Mapping[str, float] = field(default_factory=dict)
    takes_query: bool = False
    endpoints: tuple[Endpoint, ...] = ()
    least_context_length: int | None = field(init=False, repr=False, compare=False)
    least_prompt_tokens: int | None = field(init=False, repr=False, compare=False)
    least_completion_tokens: int | None = field(init=False, repr=False, compare=False)
    sells_tiers: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        sells_tiers = any(endpoint.service_tier is not None for endpoint in self.endpoints)
        if sells_tiers:
            offers = tuple(
                replace(endpoint, beside_tiers=True, of_tiers=_find_tiers(endpoint, self.endpoints))
                for endpoint in self.endpoints
            )
            object.__setattr__(self, "endpoints", offers)
        offers = self.endpoints
        object.__setattr__(self, "least_context_length", _least(endpoint.context_length for endpoint in offers))
        object.__setattr__(self, "least_prompt_tokens", _least(endpoint.max_prompt_tokens for endpoint in offers))
        object.__setattr__(
            self, "least_completion_tokens", _least(endpoint.max_completion_tokens for endpoint in offers)
        )
        object.__setattr__(self, "sells_tiers", sells_tiers)

    @property
    def reads(self) -> tuple[str, ...]:
        """What it reads, as lists show it: text where nothing is known."""
        return self.input_modalities or ("text",)

    @property
    def writes(self) -> tuple[str, ...]:
        """What it writes, as lists show it: text where nothing is known."""
        return self.output_modalities or ("text",)

    @property
    def author(self) -> str:
        """The part of the slug before the stroke."""
        return self.slug.partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Everything on offer at one moment: models and providers by slug, in the order they are listed.

    `aliases` are the canonical slugs that are no model's slug, each with the first model that has it.
    """

    models: Mapping[str, Model]
    providers: Mapping[str, Provider]
    default_model: str | None = None
    aliases: Mapping[str, Model] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        aliases: dict[str, Model] = {}
        for model in self.models.values():
            if model.canonical_slug not in self.models:
                aliases.setdefault(model.canonical_slug, model)
        object.__setattr__(self, "aliases", MappingProxyType(aliases))


def _find_tiers(endpoint: Endpoint, offers: Iterable[Endpoint]) -> Mapping[str, Endpoint]:
    """What an endpoint's provider sells in each tier: where that is several endpoints, the one whose tag differs by the tier alone."""
    sold: dict[str, list[Endpoint]] = {}
    for offer in offers:
        if offer.provider.slug == endpoint.provider.slug:
            sold.setdefault(offer.tier, []).append(offer)
    tag = _plain_tag(endpoint)
    found = {
        tier: [offer for offer in alike if len(alike) == 1 or _plain_tag(offer) == tag] for tier, alike in sold.items()
    }
    return MappingProxyType({tier: alike[0] for tier, alike in found.items() if alike} | {endpoint.tier: endpoint})


def _plain_tag(endpoint: Endpoint) -> str:
    return endpoint.tag.removesuffix(f"/{endpoint.tier}")


def _main_prices(prices: Mapping[str, int]) -> tuple[int, int, int, int]:
    return prices.get("prompt", 0), prices.get("completion", 0), prices.get("request", 0), prices.get("image", 0)


def _least(lengths: Iterable[int | None]) -> int | None:
    return min((length for length in lengths if length is not None), default=None)
