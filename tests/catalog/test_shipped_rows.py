# SPDX-License-Identifier: Apache-2.0
"""What ships with the gateway: the providers' rows, and the models made for them."""

import tomllib
from typing import Any

import pytest

from support.golden import Golden
from support.source_tree import SERVER
from trunkline_server.catalog.load import build_catalog, check_tables, list_builtin, list_rows, read_builtin
from trunkline_server.catalog.merge import unite_models
from trunkline_server.catalog.places import MODEL
from trunkline_server.catalog.rows import ModelRow, ProviderRow
from trunkline_server.dialects.gemini.tools import SHOWN_TOOLS
from trunkline_server.dialects.registry import ACCOUNTS, DIALECT_NAMES

DATA = SERVER / "catalog" / "data"
NAMES = list_builtin()
TABLES = {name: read_builtin(name) for name in NAMES}
PROVIDERS = {name: ProviderRow.model_validate(row) for name in NAMES for _, row in list_rows(TABLES[name], "providers")}
MODELS = {
    name: [ModelRow.model_validate(row) for _, row in list_rows(TABLES[name], "models")]
    for name in NAMES
    if list(list_rows(TABLES[name], "models"))
}
REMOTE = [name for name, row in PROVIDERS.items() if row.base_url and row.base_url.startswith("https://")]


def test_the_list_of_providers(golden: Golden) -> None:
    """Address, dialect, way of showing the key and variables of each, as they were read from its pages."""
    told = {
        name: {
            "name": row.name,
            "dialect": row.dialect,
            "base_url": row.base_url,
            "auth": row.auth if row.auth_header is None else f"{row.auth} as {row.auth_header}",
            "key_variables": list(row.key_variables),
            "account_variables": list(row.account_variables),
            "value_variables": dict(sorted(row.value_variables.items())),
        }
        for name, row in PROVIDERS.items()
        if row.transport == "http"
    }
    golden.check_json("catalog/providers.json", told)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_holds_one_provider(name: str) -> None:
    """Its slug is the file's name; its dialect is one that there is."""
    assert [row["slug"] for _, row in list_rows(TABLES[name], "providers")] == [name]
    assert PROVIDERS[name].dialect in DIALECT_NAMES
    assert PROVIDERS[name].dialect in ACCOUNTS


@pytest.mark.parametrize("kind", ["providers", "models"])
def test_every_row_says_where_it_comes_from(kind: str) -> None:
    """Each provider names a page, each model the package, and both the day."""
    rows = [row for path in (DATA / kind).glob("*.toml") for row in tomllib.loads(path.read_text("utf-8"))[kind]]
    assert [row["slug"] for row in rows if not row.get("source") or not row.get("date")] == []


@pytest.mark.parametrize("name", [name for name in NAMES if name != "simulator"])
def test_a_provider_names_a_page(name: str) -> None:
    """Its source is an address that can be opened."""
    assert str(PROVIDERS[name].source).startswith("https://")


def test_there_are_no_models_of_nobody() -> None:
    """Each file of models belongs to a provider."""
    assert sorted({path.stem for path in (DATA / "models").glob("*.toml")} - set(NAMES)) == []


@pytest.mark.parametrize("name", [name for name in MODELS if name != "simulator"])
def test_the_models_of_a_provider(name: str) -> None:
    """Its file has endpoints of it alone, each slug and each name at the provider once, and no price: the list has them."""
    rows = MODELS[name]
    endpoints = [endpoint for row in rows for endpoint in row.endpoints]
    assert {endpoint.provider for endpoint in endpoints} == {name}
    assert len({row.slug for row in rows}) == len(rows) == len(endpoints)
    assert [endpoint.upstream_model for endpoint in endpoints if endpoint.prices is not None] == []


def test_all_rows_together() -> None:
    """Everything on at once has no fault but Azure's, which needs a value; every shipped endpoint but the simulator's has its prices from a list."""
    assert [list(TABLES)[fault.table] for fault in check_tables(list(TABLES.values()))] == ["azure"]
    catalog = build_catalog(PROVIDERS.values(), unite_models(row for rows in MODELS.values() for row in rows))
    offered = [endpoint for model in catalog.models.values() for endpoint in model.endpoints]
    unpriced = [
        endpoint.key for endpoint in offered if not endpoint.prices_pusd and endpoint.provider.slug != "simulator"
    ]
    assert unpriced == []


@pytest.mark.parametrize(
    ("slug", "providers"),
    [
        ("openai/gpt-oss-120b", {"cerebras", "fireworks", "groq", "novita", "together"}),
        ("anthropic/claude-sonnet-4.5", {"amazon-bedrock", "anthropic", "openrouter"}),
        ("openai/gpt-4o", {"openai", "openrouter"}),
        ("moonshotai/kimi-k3", {"fireworks", "moonshotai", "novita", "openrouter", "together"}),
    ],
)
def test_one_model_of_several_providers(slug: str, providers: set[str]) -> None:
    """A model that several sell under names which surely mean it has an endpoint at each."""
    (model,) = [row for row in unite_models(row for rows in MODELS.values() for row in rows) if row.slug == slug]
    assert {endpoint.provider for endpoint in model.endpoints} == providers


@pytest.mark.parametrize("name", ["google-vertex", "google-vertex-global"])
def test_vertex_is_not_told_to_show_its_tools(name: str) -> None:
    """It does not know the word that Google AI Studio demands."""
    assert SHOWN_TOOLS in PROVIDERS[name].refuses


def test_a_claude_has_both_names() -> None:
    """The slug writes versions with a point; Anthropic's own writing leads to the same model."""
    catalog = build_catalog([PROVIDERS["anthropic"]], MODELS["anthropic"])
    assert catalog.aliases["anthropic/claude-sonnet-4-5"] is catalog.models["anthropic/claude-sonnet-4.5"]


@pytest.mark.parametrize("name", REMOTE)
def test_a_provider_elsewhere_is_reached_by_tls_and_a_key(name: str) -> None:
    """It has a variable for its key, or an account's own tools find one."""
    row: Any = PROVIDERS[name]
    assert row.key_variables or row.auth in {"aws", "google"}
    assert row.auth != "none"
    assert f"{{{MODEL}}}" not in row.base_url
