# SPDX-License-Identifier: Apache-2.0
"""From rows to the catalog."""

from typing import Any

import pytest
from pydantic import ValidationError

from trunkline_server.catalog.entry import Model
from trunkline_server.catalog.load import build_catalog, check_tables, list_builtin, read_builtin, split_url
from trunkline_server.catalog.prices import read_prices
from trunkline_server.catalog.rows import ModelRow, ProviderRow

OPENAI: dict[str, Any] = {"slug": "openai", "base_url": "https://api.openai.com/v1/"}
GPT: dict[str, Any] = {
    "slug": "openai/gpt",
    "context_length": 100,
    "endpoints": [{"provider": "openai", "upstream_model": "gpt"}],
}
LISTED = read_prices("openai")["gpt-4o", None]
SIMULATED = {"provider": "simulator", "upstream_model": "sim/echo"}
OTHER_ENDPOINT = {"provider": "openai", "upstream_model": "gpt-2"}


@pytest.mark.parametrize(
    ("table", "faults"),
    [
        ({"providers": [OPENAI], "models": [GPT]}, []),
        ({}, []),
        ({"providers": "none", "models": [1, {"slug": 2, "endpoints": "x"}]}, []),
        (
            {"providers": [OPENAI, OPENAI]},
            [(("providers", 1, "slug"), "another provider has the slug `openai`: choose a different one")],
        ),
        (
            {"providers": [OPENAI], "models": [GPT, GPT]},
            [(("models", 1, "slug"), "another model has the slug `openai/gpt`: choose a different one")],
        ),
        (
            {"providers": [{"slug": "p"}]},
            [(("providers", 0), "`base_url` is missing: where does the provider's API begin?")],
        ),
        (
            {"providers": [{"slug": "p", "base_url": "api.example.com"}]},
            [
                (
                    ("providers", 0, "base_url"),
                    'must be a URL such as "https://api.example.com/v1", without user, query or fragment',
                )
            ],
        ),
        (
            {"providers": [{"slug": "p", "transport": "simulator", "base_url": "https://x.example"}]},
            [(("providers", 0, "base_url"), "the simulator is part of the gateway and has no address")],
        ),
        (
            {"models": [{"slug": "a/b"}]},
            [(("models", 0), "nobody offers this model: add a table [[models.endpoints]] below it")],
        ),
        (
            {"providers": [OPENAI], "models": [{"slug": "a/b", "endpoints": [{"provider": "opnai"}]}]},
            [(("models", 0, "endpoints", 0, "provider"), "no provider has the slug `opnai`: did you mean `openai`?")],
        ),
        (
            {"models": [{"slug": "a/b", "endpoints": [{"provider": "zzz"}]}]},
            [
                (
                    ("models", 0, "endpoints", 0, "provider"),
                    "no provider has the slug `zzz`: add a table [[providers]] with this slug",
                )
            ],
        ),
        (
            {"providers": [OPENAI], "models": [{**GPT, "endpoints": [*GPT["endpoints"], OTHER_ENDPOINT]}]},
            [
                (
                    ("models", 0, "endpoints", 1),
                    "another endpoint of the model has the tag `openai`: give one of them a `tag` of its own",
                )
            ],
        ),
        (
            {
                "providers": [OPENAI],
                "models": [{**GPT, "endpoints": [*GPT["endpoints"], {**OTHER_ENDPOINT, "tag": "openai/2"}]}],
            },
            [],
        ),
    ],
)
def test_faults_between_rows(table: dict[str, Any], faults: list[tuple[tuple[str | int, ...], str]]) -> None:
    """Each fault is told with its path; what has the wrong type is left to the rows."""
    assert [(fault.path, fault.message) for fault in check_tables([table])] == faults


@pytest.mark.parametrize(
    ("table", "faults"),
    [
        ({"models": [{"slug": "sim/echo"}, {"slug": "sim/new", "endpoints": [SIMULATED]}]}, []),
        ({"providers": [{"slug": "simulator", "name": "Mine"}]}, []),
        ({"providers": [{"slug": "simulator", "base_url": "https://x.example"}]}, [("providers", 0, "base_url")]),
        ({"models": [{"slug": "sim/new"}]}, [("models", 0)]),
        ({"models": [{"slug": "sim/echo"}, {"slug": "sim/echo"}]}, [("models", 1, "slug")]),
    ],
)
def test_tables_are_checked_together(table: dict[str, Any], faults: list[tuple[str | int, ...]]) -> None:
    """A later table may say more about a shipped row, and use its providers; each row must be sound as the two together make it."""
    assert [(fault.table, fault.path) for fault in check_tables([read_builtin("simulator"), table])] == [
        (1, path) for path in faults
    ]


@pytest.mark.parametrize(
    ("keys", "place", "words"),
    [
        ({"service_tier": "flex"}, (), "needs a `tag` of its own, such as `openai/flex`"),
        ({"service_tier": "flex", "tag": "openai"}, ("tag",), "needs a `tag` of its own"),
        ({"prices_above": [{"tokens": 1, "prices": {}}]}, ("prices_above",), "stand beside `prices`"),
    ],
)
def test_faults_of_an_endpoint(keys: dict[str, Any], place: tuple[str, ...], words: str) -> None:
    """A tier has a tag, since others are found by the provider's slug; prices of long prompts have others beside them."""
    table = {"providers": [OPENAI], "models": [{**GPT, "endpoints": [{**GPT["endpoints"][0], **keys}]}]}
    (fault,) = check_tables([table])
    assert fault.path == ("models", 0, "endpoints", 0, *place)
    assert words in fault.message


def test_an_unknown_price_list() -> None:
    """The fault names those that there are."""
    (fault,) = check_tables([{"providers": [{**OPENAI, "price_list": "opnai"}]}])
    assert fault.path == ("providers", 0, "price_list")
    assert "none, anthropic" in fault.message


@pytest.mark.parametrize("url", ["https://api.example.com", "http://127.0.0.1:8000/v1/", "https://[::1]:1/x"])
def test_a_base_url(url: str) -> None:
    """A scheme, a host, perhaps a port and a path."""
    assert split_url(url) is not None


@pytest.mark.parametrize(
    "url", ["", "api.example.com", "ftp://x.example", "https://", "https://u:p@x.example", "https://x.example?a=1", "https://x.example/#a",
            "https://x.example:99999", "https://x.example:0", "https://x .example", "https://[::1", None, 5],
)  # fmt: skip
def test_no_base_url(url: object) -> None:
    """Credentials, queries and fragments have no place in a base URL."""
    assert split_url(url) is None


def test_rows_become_values() -> None:
    """Defaults come from the row itself or the row around it."""
    endpoint = {**GPT["endpoints"][0], "prices": {"prompt": "0.000001"}}
    catalog = build_catalog(
        [ProviderRow.model_validate(OPENAI)],
        [ModelRow.model_validate({**GPT, "endpoints": [endpoint]})],
        default_model="openai/gpt",
    )
    model = catalog.models["openai/gpt"]
    assert (model.name, model.canonical_slug, catalog.default_model) == ("openai/gpt", "openai/gpt", "openai/gpt")
    assert model.endpoints[0].provider is catalog.providers["openai"]
    assert (model.endpoints[0].tag, model.endpoints[0].context_length) == ("openai", 100)
    assert dict(model.endpoints[0].prices_pusd) == {"prompt": 1_000_000}
    assert catalog.providers["openai"].base_url == "https://api.openai.com/v1"


def test_quirks_of_a_provider() -> None:
    """What a provider has otherwise than its dialect stands in its row, and in its endpoint's."""
    row = {
        **OPENAI,
        "renames": {"seed": "random_seed", "messages.reasoning": "thoughts"},
        "refuses": ["logit_bias"],
        "takes_images_in_results": True,
        "tool_types": ["browser_search"],
        "tool_ids": "alphanumeric_9",
        "forms": ["json_object"],
    }
    endpoint = {**GPT["endpoints"][0], "cache_marks": "prompt_cache_breakpoint"}
    catalog = build_catalog(
        [ProviderRow.model_validate(row)],
        [ModelRow.model_validate({**GPT, "endpoints": [endpoint]})],
        refused=lambda provider: provider.refuses | {"top_a"},
    )
    provider, made = catalog.providers["openai"], catalog.models["openai/gpt"].endpoints[0]
    assert dict(provider.renames) == {"seed": "random_seed", "messages.reasoning": "thoughts"}
    assert made.cache_marks == "prompt_cache_breakpoint"
    assert made.refused_parameters == {"logit_bias", "top_a"}
    assert (provider.takes_images_in_results, provider.tool_types) == (True, {"browser_search"})
    assert (provider.tool_ids, provider.forms) == ("alphanumeric_9", {"json_object"})


def test_a_provider_without_quirks() -> None:
    """A row that says nothing of them means OpenAI's own ways."""
    provider = build_catalog([ProviderRow.model_validate(OPENAI)], []).providers["openai"]
    assert (provider.takes_images_in_results, provider.tool_types) == (False, frozenset())
    assert (provider.tool_ids, provider.forms) == (None, None)


@pytest.mark.parametrize(
    "row",
    [
        {"renames": {"sed": "seed"}},
        {"refuses": ["logit_bios"]},
        {"refuses": ["messages.reasoning"]},
        {"tool_ids": "any"},
        {"forms": ["grammar"]},
    ],
)
def test_quirks_are_of_fields_that_there_are(row: dict[str, Any]) -> None:
    """A field that no request has is a fault, and so is one that cannot be refused."""
    with pytest.raises(ValidationError):
        ProviderRow.model_validate({**OPENAI, **row})


@pytest.mark.parametrize(
    ("endpoint", "prices", "is_listed"),
    [
        ({}, LISTED.prices, True),
        ({"prices": {"prompt": "0.000001"}}, {"prompt": 1_000_000}, False),
        ({"prices": {}}, {}, False),
        ({"upstream_model": "unheard-of"}, {}, False),
    ],
)
def test_prices_nobody_gave_come_from_the_list(
    endpoint: dict[str, Any], prices: dict[str, int], is_listed: bool
) -> None:
    """Unset prices are the list's, with their source; prices that are written, also none at all, are as written."""
    made = build_one({}, endpoint).endpoints[0]
    assert dict(made.prices_pusd) == dict(prices)
    assert made.price_source == (f"{LISTED.source}, {LISTED.date}" if is_listed else None)


@pytest.mark.parametrize(
    ("model", "endpoint", "lengths"),
    [
        ({}, {}, (LISTED.context_length, LISTED.context_length)),
        ({"context_length": 10}, {}, (10, 10)),
        ({}, {"context_length": 20}, (20, 20)),
        ({}, {"prices": {}}, (LISTED.context_length, LISTED.context_length)),
        ({}, {"upstream_model": "unheard-of"}, (None, None)),
    ],
)
def test_a_length_nobody_gave_comes_from_the_list(
    model: dict[str, Any], endpoint: dict[str, Any], lengths: tuple[int | None, int | None]
) -> None:
    """The endpoint's own length, else the model's, else the list's; a model without one has its longest endpoint's."""
    made = build_one(model, endpoint)
    assert (made.context_length, made.endpoints[0].context_length) == lengths


def test_prices_above_are_in_order() -> None:
    """However they were written, the longest prompts come last."""
    steps = [{"tokens": tokens, "prices": {"prompt": str(tokens)}} for tokens in (30, 10, 20)]
    made = build_one({}, {"prices": {"prompt": "1"}, "prices_above": steps}).endpoints[0]
    assert [made.prices_for(tokens)["prompt"] // 10**12 for tokens in (10, 11, 20, 21, 31)] == [1, 10, 10, 20, 30]


def build_one(model: dict[str, Any], endpoint: dict[str, Any]) -> Model:
    """A model with one endpoint at an API that has a price list."""
    row = {"provider": "openai", "upstream_model": "gpt-4o", **endpoint}
    rows = [ModelRow.model_validate({"slug": "a/b", "endpoints": [row], **model})]
    return build_catalog([ProviderRow.model_validate(OPENAI)], rows).models["a/b"]


def test_the_built_in_rows_are_sound() -> None:
    """What ships with the gateway has no fault, and takes a query where faults are scripted."""
    table: dict[str, Any] = dict(read_builtin("simulator"))
    catalog = build_catalog(
        [ProviderRow.model_validate(row) for row in table["providers"]],
        [ModelRow.model_validate(row) for row in table["models"]],
    )
    assert check_tables([table]) == []
    assert [slug for slug, model in catalog.models.items() if model.takes_query] == ["sim/fault"]
    assert {endpoint.provider.transport for model in catalog.models.values() for endpoint in model.endpoints} == {
        "simulator"
    }


def test_what_ships() -> None:
    """Each name is a provider's; its models are read where they are wanted and where there are some."""
    assert {"openai", "ollama", "simulator"} <= set(list_builtin())
    assert read_builtin("openai").keys() == {"providers", "models"}
    assert read_builtin("openai", models=False).keys() == {"providers"}
    assert read_builtin("ollama").keys() == {"providers"}


def test_an_endpoint_of_a_provider_that_is_off() -> None:
    """The fault says what the provider lacks, where that is known."""
    table = {"models": [{"slug": "a/b", "endpoints": [{"provider": "acme", "upstream_model": "x"}]}]}
    (fault,) = check_tables([table], {"acme": "set ACME_KEY"})
    assert fault.message == "`acme` is not on: set ACME_KEY"
