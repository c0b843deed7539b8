# SPDX-License-Identifier: Apache-2.0
"""From rows to the catalog."""

from typing import Any

import pytest

from trunkline_server.catalog.load import build_catalog, check_tables, read_builtin, split_url
from trunkline_server.catalog.rows import ModelRow, ProviderRow

OPENAI: dict[str, Any] = {"slug": "openai", "base_url": "https://api.openai.com/v1/"}
GPT: dict[str, Any] = {
    "slug": "openai/gpt",
    "context_length": 100,
    "endpoints": [{"provider": "openai", "upstream_model": "gpt"}],
}
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


def test_tables_are_checked_together() -> None:
    """A slug that ships with the gateway is taken, and its providers may be used."""
    taken = {"models": [{"slug": "sim/echo", "endpoints": [{"provider": "simulator", "upstream_model": "sim/echo"}]}]}
    faults = check_tables([read_builtin("simulator"), taken])
    assert [(fault.table, fault.path) for fault in faults] == [(1, ("models", 0, "slug"))]


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
