# SPDX-License-Identifier: Apache-2.0
"""The rows of the data files and of the settings file: what may be written about providers, models and endpoints.

One schema for both, so that a provider is data in either place. A row says nothing about other rows: `load.py` checks them together, `merge.py` puts those of
the settings file over those that ship with the gateway.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, StringConstraints
from pydantic_core import PydanticCustomError

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.model_pb2 import DefaultParameters, Pricing

_PUSD_PER_USD: Final = 10**12
_HIGHEST_PUSD: Final = 2**63 - 1
PRICE_KEYS: Final = tuple(
    name.removesuffix("_pusd") for name in Pricing.DESCRIPTOR.fields_by_name if name.endswith("_pusd")
)
"""What a price may be for: the keys of `trunkline.v1.Pricing` without unit."""
PARAMETER_KEYS: Final = tuple(DefaultParameters.DESCRIPTOR.fields_by_name)
"""Which request parameters a model may prefer."""

REQUEST_KEYS: Final = tuple(name for name in ChatCompletionRequest.DESCRIPTOR.fields_by_name if name != "extra")
"""The fields of a request."""
REFUSED_KEYS: Final = (*REQUEST_KEYS, "includeServerSideToolInvocations")
"""What a provider may not take: the fields of a request, and a word that the dialect `gemini` says on its own."""
RENAMED_KEYS: Final = (*REQUEST_KEYS, "messages.reasoning")
"""The fields of a request that a provider may have under another name."""


def read_price(value: object) -> int:
    """The price in 1e-12 USD of a decimal in USD, written as a string or a number. Raises PydanticCustomError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise PydanticCustomError("price", 'a price is a decimal of USD in quotes, such as "0.0000025"')
    try:
        # repr of a float is the shortest text that reads back as it, so what was written in the file.
        price = Decimal(value if isinstance(value, str) else repr(value))
        pusd = price * _PUSD_PER_USD
    except ArithmeticError:
        raise PydanticCustomError("price", 'a price is a decimal of USD in quotes, such as "0.0000025"') from None
    if not pusd.is_finite() or not 0 <= pusd <= _HIGHEST_PUSD:
        raise PydanticCustomError("price", "a price is 0 USD or more, and at most 9 million")
    if pusd != pusd.to_integral_value():
        raise PydanticCustomError("price", "a price has at most 12 decimal places")
    return int(pusd)


def text_like(pattern: str, expected: str) -> AfterValidator:
    """A check that a text has a form. `expected` completes the sentence of a fault: "must be ..."."""
    form = re.compile(pattern)

    def check(text: str) -> str:
        if form.fullmatch(text) is None:
            raise PydanticCustomError("text_form", "must be {expected}", {"expected": expected})
        return text

    return AfterValidator(check)


def read_day(value: object) -> date:
    """The day of a date, written as TOML writes dates or as the same in quotes. Raises PydanticCustomError."""
    # A datetime is a date, too, but not a day.
    if type(value) is date:
        return value
    try:
        if isinstance(value, str):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise PydanticCustomError("day", "a date is written YYYY-MM-DD")


Day = Annotated[date, BeforeValidator(read_day, json_schema_input_type=str)]
Price = Annotated[int, BeforeValidator(read_price, json_schema_input_type=str)]
Whole = Annotated[int, Strict(), Field(ge=0)]
Tokens = Annotated[int, Strict(), Field(ge=1)]
Seconds = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
Switch = Annotated[bool, Strict()]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
ProviderSlug = Annotated[
    str, text_like(r"[a-z0-9][a-z0-9._-]*", "made of lower-case letters, digits, `.`, `_` and `-`")
]
ModelSlug = Annotated[
    str, text_like(r"~?[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.:@+-]*", "written `author/name`, such as `openai/gpt-4o`")
]
Tag = Annotated[str, text_like(r"[a-z0-9][a-z0-9._/-]*", "made of lower-case letters, digits, `.`, `_`, `-` and `/`")]

PathTemplate = Annotated[
    str, text_like(r"/[!-\"$-~]*", "a path that begins with `/`, of printable ASCII without spaces and `#`")
]
HeaderName = Annotated[str, text_like(r"[A-Za-z0-9-]+", "the name of a header")]
PlaceValue = Annotated[
    str,
    text_like(r"[A-Za-z0-9][A-Za-z0-9._-]*", "made of letters, digits, `.`, `_` and `-`: it is part of an address"),
]

Prices = Mapping[Literal[PRICE_KEYS], Price]  # type: ignore[valid-type] # the keys are the contract's
"""USD for one token, request or unit, by what it is for."""


class Row(BaseModel):
    """A table of a file. Unknown keys are faults."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class PricesAboveRow(Row):
    """What a long prompt costs: all of the call's tokens have these prices where the prompt has more than `tokens`."""

    tokens: Tokens
    """The length of the longest prompt that does not cost this."""
    prices: Prices
    """As those of the endpoint, in their place."""


class TimeoutsRow(Row):
    """How long a provider may take, in seconds."""

    connect_s: Seconds = 5.0
    """To accept a connection."""
    first_byte_s: Seconds = 300.0
    """To begin its answer."""
    stream_first_byte_s: Seconds = 60.0
    """To begin a streamed answer, where that is less: the head of a stream comes at once, however long the model thinks then."""
    first_token_s: Seconds = 300.0
    """To say the first of its content. Until then silence is bounded by this and not by `idle_s`: a model may think for minutes."""
    idle_s: Seconds = 60.0
    """Between two reads of its answer, once it has said something."""
    total_s: Seconds = 600.0
    """For all of its answer."""


class WireRow(Row):
    """What a provider's requests differ in from those of its dialect."""

    path: PathTemplate | None = None
    """The path of requests, which follows `base_url`; `{model}` stands for the provider's name of the model: `"/deployments/{model}/chat/completions?api-version=2024-10-21"`. Unset: the dialect's."""
    stream_path: PathTemplate | None = None
    """The path of requests whose answer is streamed; unset: as `path`."""
    adds: Mapping[Text, str | int | float | bool] = {}
    """Top-level fields that it wants beside the dialect's: `{ anthropic_version = "vertex-2023-10-16" }`."""
    removes: tuple[Text, ...] = ()
    """Top-level fields of the dialect that it does not take: `["model"]`."""
    removes_headers: tuple[Text, ...] = ()
    """Headers of the dialect that it does not take: `["anthropic-version"]`."""
    reads_urls: Switch = True
    """It reads URLs in messages where the dialect says so; false: the gateway fetches what is there, see `[fetch]`."""


class ProviderRow(Row):
    """A provider: who offers models, and how it is spoken to."""

    slug: ProviderSlug
    """How `provider.order` and the endpoints name it: lower-case letters, digits, `.`, `_`, `-`."""
    name: Text | None = None
    """Its name for people; unset: the slug."""
    base_url: str | None = None
    """Where its API begins, up to and without `/chat/completions`; not for the transport `simulator`."""
    dialect: Text = "openai_chat"
    """The JSON language it speaks."""
    transport: Literal["http", "grpc", "simulator"] = "http"
    """What reaches it. For `grpc`, `base_url` is `http://host:port` (plain text) or `https://host:port`."""
    takes_extensions: Switch = False
    """It understands every field of the contract, not only OpenAI's; false: the gateway's own fields are not sent."""
    renames: Mapping[Literal[RENAMED_KEYS], Text] = {}  # type: ignore[valid-type] # the keys are the contract's
    """Fields of the dialect `openai_chat` that it has under another name: `{ max_tokens = "max_completion_tokens" }`. `"messages.reasoning"` stands for the reasoning of past turns, which is else not sent."""
    refuses: tuple[Literal[REFUSED_KEYS], ...] = ()  # type: ignore[valid-type] # as above
    """Fields of a request in the dialect `openai_chat` that it does not take: they are left out and reported."""
    takes_developer_role: Switch = True
    """It knows messages of the role `developer`; false: they become messages of the role `system`, in the dialect `openai_chat`."""
    takes_images_in_results: Switch = False
    """It takes images, sound and files in tools' results, in the dialect `openai_chat`; false: they go into the user's message behind them."""
    tool_types: tuple[Text, ...] = ()
    """Types of tools that it takes in the dialect `openai_chat` beside `function` and `custom`: `["browser_search"]`. Tools of others are left out and reported."""
    tool_ids: Literal["alphanumeric_9"] | None = None
    """The form of tool calls' ids that it takes, in the dialect `openai_chat`: `alphanumeric_9` is nine letters and digits. Ids of another form are sent as others, made of them. Unset: any."""
    forms: tuple[Literal["json_object", "json_schema"], ...] | None = None
    """The types of `response_format` that it takes beside `text`, in the dialect `openai_chat`. A form of another type is asked for by an instruction, with `json_object` where it takes that. Unset: all."""
    wire: WireRow | None = None
    """What its requests differ in from those of its dialect; unset: nothing."""
    auth: Literal["bearer", "x-api-key", "azure", "query", "google", "aws", "none"] = "bearer"
    """How the gateway shows itself: the key as a bearer's, in the header `x-api-key` or (`azure`) `api-key`, or in the query as `key`; a token of a Google account (`google`, needs the extra `vertex`); a signature of an AWS account (`aws`, needs the extra `bedrock`; with an `api_key` of Bedrock's own, that one as a bearer's); or not at all."""
    auth_header: HeaderName | None = None
    """The header that shows the key, where it is another one than `auth` means."""
    values: Mapping[Text, PlaceValue] = {}
    """What stands for each `{name}` in `base_url` and in the paths of `wire`: `{ resource = "my-resource" }`. Requests to AWS are signed for its `region`."""
    value_variables: Mapping[Text, Text] = {}
    """The environment variables that hold those `values` which are not written: `{ resource = "AZURE_OPENAI_RESOURCE" }`."""
    trains_on_prompts: Switch = True
    """It may train on prompts; false: `data_collection: "deny"` allows it."""
    keeps_prompts: Switch = True
    """It may keep prompts; false: it retains nothing, and `zdr: true` allows it."""
    allow_plain_http: Switch = False
    """`base_url` may begin with `http://` although its host is not this machine: keys and prompts then travel unencrypted."""
    timeouts: TimeoutsRow = TimeoutsRow()
    """How long it may take, in seconds."""
    privacy_policy_url: Text | None = None
    """Its privacy policy."""
    terms_of_service_url: Text | None = None
    """Its terms."""
    status_page_url: Text | None = None
    """Its status page."""
    headquarters: Text | None = None
    """Its country, as two letters of ISO 3166-1."""
    datacenters: tuple[Text, ...] = ()
    """The countries of its data centres."""
    key_variables: tuple[Text, ...] = ()
    """Environment variables with the gateway's key there, for a provider whose `api_key` is unset; the first that is set counts."""
    account_variables: tuple[Text, ...] = ()
    """Environment variables that hold the keys of the account which `auth` names, for a shipped provider: where all of them are set, it is on."""
    price_list: Text | None = None
    """The shipped price list (`openai`, `mistral`, ...) that holds for those of its endpoints that name no `prices`; `none`: no list. Unset: the list of the API that `base_url` points at, where there is one."""
    source: Text | None = None
    """Where this row was taken from."""
    date: Day | None = None
    """When it was taken from there: `YYYY-MM-DD`."""


class EndpointRow(Row):
    """An endpoint: the model of the table above it, offered by one provider."""

    provider: ProviderSlug
    """The provider's slug."""
    upstream_model: Text
    """The name by which the provider knows the model."""
    tag: Tag | None = None
    """The endpoint's own slug for `provider.order`; unset: the provider's. Needed where a provider offers the model twice."""
    prices: Prices | None = None
    """USD per token, request or unit, as decimals in quotes: `{ prompt = "0.0000025", completion = "0.00001" }`. Unset: those of the provider's price list, where it has the model; else unknown, and a call costs what the provider says that it does."""
    prices_above: tuple[PricesAboveRow, ...] = ()
    """Other prices for long prompts; unset: none, or the price list's where `prices` are."""
    context_length: Tokens | None = None
    """Most tokens of prompt and answer together; unset: the model's, else the price list's."""
    max_completion_tokens: Tokens | None = None
    """Most tokens of the answer; unset: unknown."""
    max_prompt_tokens: Tokens | None = None
    """Most tokens of the prompt; unset: unknown."""
    quantization: Text | None = None
    """The precision of its weights, such as `fp8`; unset: unknown."""
    supported_parameters: tuple[Text, ...] = ()
    """The request parameters it knows."""
    supports_implicit_caching: Switch = False
    """It caches prefixes by itself."""
    distillable: Switch = False
    """Its answers may be used to train other models; false: `enforce_distillable_text: true` excludes it."""
    service_tier: Literal["priority", "flex"] | None = None
    """The service tier it sells, for requests that ask for it; unset: the standard one, for all. Such an endpoint needs a `tag` of its own."""
    exacto: Switch = False
    """It is known for good tool calls, which `:exacto` and `sort: "exacto"` put first."""
    takes_prefill: Switch = False
    """It goes on with a last message of the assistant as if it had written it itself; needed by `mid_stream: "continue"`."""
    cache_marks: Literal["cache_control", "prompt_cache_breakpoint"] | None = None
    """The mark by which content parts end a cached prefix there, for the dialect `openai_chat`: requests may bear either, and are translated. Unset: none, and marks are left out."""
    most_concurrent: Tokens | None = None
    """Most calls that the gateway has there at once; further ones wait a little or go elsewhere. Unset: any number."""


class ModelRow(Row):
    """A model as clients name it."""

    slug: ModelSlug
    """How requests name it: `author/name`."""
    name: Text | None = None
    """Its name for people; unset: the slug."""
    canonical_slug: ModelSlug | None = None
    """The slug that never changes its meaning; unset: the slug."""
    description: str = ""
    """What it is."""
    created_s: Whole = 0
    """When it was published, in Unix seconds; 0: unknown."""
    context_length: Tokens | None = None
    """Most tokens of prompt and answer together; unset: what its endpoints have."""
    input_modalities: tuple[Text, ...] = ()
    """What it reads: `text`, `image`, `file`, `audio`, `video`; requests with others are refused. Unset: unknown, and none is refused."""
    output_modalities: tuple[Text, ...] = ()
    """What it writes: `text`, `image`, `audio`; requests for others are refused. Unset: unknown, and none is refused."""
    tokenizer: Text | None = None
    """The family of its tokenizer."""
    instruct_type: Text | None = None
    """The form of its prompts."""
    hugging_face_id: Text | None = None
    """Its name at Hugging Face."""
    knowledge_cutoff: Text | None = None
    """The day to which its knowledge reaches: `YYYY-MM-DD`."""
    expiration_date: Text | None = None
    """The day it is withdrawn: `YYYY-MM-DD`."""
    is_moderated: Switch = False
    """Its provider moderates prompts."""
    supported_voices: tuple[Text, ...] = ()
    """Voices it speaks with."""
    default_parameters: Mapping[Literal[PARAMETER_KEYS], float] = {}  # type: ignore[valid-type] # as above
    """Parameters it prefers when a request is silent: `{ temperature = 0.7 }`."""
    takes_query: Switch = False
    """Requests may add `?key=value` to the slug; it goes to the provider as part of the model's name."""
    source: Text | None = None
    """Where this row was taken from."""
    date: Day | None = None
    """When it was taken from there: `YYYY-MM-DD`."""
    endpoints: tuple[EndpointRow, ...] = ()
    """Where it is offered, in the order in which they are tried."""


class PriceRow(Row):
    """What a provider charges for a model, and how much the model takes: a row of a shipped price list."""

    names: tuple[Text, ...]
    """The names by which the provider knows the model; `YYYYMMDD` and `YYYY-MM-DD` at their end stand for any day."""
    service_tier: Literal["priority", "flex"] | None = None
    """The service tier that the prices are for; unset: the standard one."""
    context_length: Tokens | None = None
    """Most tokens of prompt and answer together; unset: unknown."""
    prices: Prices
    """As those of an endpoint."""
    prices_above: tuple[PricesAboveRow, ...] = ()
    """As those of an endpoint."""
    source: Text
    """Where this row was taken from."""
    date: Day
    """The day for which it was taken from there: `YYYY-MM-DD`."""
