# SPDX-License-Identifier: Apache-2.0
"""Models, providers, endpoints and the catalog that holds them. Immutable; money in 1e-12 USD."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_NO_PRICES: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a provider may take: to accept a connection, to begin its answer, between two reads of it. Seconds."""

    connect_s: float = 5.0
    first_byte_s: float = 300.0
    idle_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Who offers models, and how it is spoken to.

    `transport` names the upstream that reaches it ("http" or "simulator"), `dialect` its JSON language. `takes_extensions` says that it understands every
    field of the contract (OpenRouter's and the gateway's own), not only OpenAI's. `trains_on_prompts` and `keeps_prompts` are true where nothing better is
    known. `base_url` is None for the simulator.
    """

    slug: str
    name: str
    dialect: str = "openai_chat"
    transport: str = "http"
    base_url: str | None = None
    takes_extensions: bool = False
    trains_on_prompts: bool = True
    keeps_prompts: bool = True
    timeouts: Timeouts = field(default_factory=Timeouts)
    privacy_policy_url: str | None = None
    terms_of_service_url: str | None = None
    status_page_url: str | None = None
    headquarters: str | None = None
    datacenters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One model offered by one provider.

    `upstream_model` is the name by which the provider knows the model; `tag` the endpoint's own slug for routing preferences (the provider's slug, with a
    suffix where a provider offers a model more than once). `prices_pusd` maps the keys of `trunkline.v1.Pricing` without unit ("prompt", "completion",
    "request", ...) to 1e-12 USD per token or unit. None means unlimited or unknown.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model as clients name it, with its endpoints in catalog order.

    `created_s` is in Unix seconds; `default_parameters` maps request parameters to numbers. `takes_query` says that a request may add `?key=value` to the
    slug, which goes to the provider as part of the model's name. None means unknown.
    """

    slug: str
    canonical_slug: str
    name: str
    description: str = ""
    created_s: int = 0
    context_length: int | None = None
    input_modalities: tuple[str, ...] = ("text",)
    output_modalities: tuple[str, ...] = ("text",)
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

    @property
    def author(self) -> str:
        """The part of the slug before the stroke."""
        return self.slug.partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Everything on offer at one moment: models and providers by slug, in the order they are listed."""

    models: Mapping[str, Model]
    providers: Mapping[str, Provider]
    default_model: str | None = None
