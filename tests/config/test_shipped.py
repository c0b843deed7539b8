# SPDX-License-Identifier: Apache-2.0
"""Providers that ship with the gateway: on with their key, off without."""

import pytest

from trunkline_server.catalog.entry import Catalog
from trunkline_server.catalog.load import list_builtin, list_rows, read_builtin
from trunkline_server.config.faults import SettingsError
from trunkline_server.config.read import make_catalog, read_settings
from trunkline_server.config.settings import Settings
from trunkline_server.config.shipped import describe_keys, is_foreign
from trunkline_server.config.sources import SettingsFile

SIMULATOR = "simulator"
ENDPOINT = "[[models]]\nslug = 'a/b'\nendpoints = [{{ provider = '{}', upstream_model = 'x' }}]\n"
ROW = "[[providers]]\nslug = '{}'\n"
OPENAI_ROW = ROW.format("openai")
RESOURCE = "values = { resource = 'mine' }\n"
REGION = "values = { region = 'eu-central-1' }\n"
AWS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "canary"}
GOOGLE = {"GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "europe-west4"}
ELSEWHERE = "base_url = 'https://acme.example/v1'\n"
ROWS = {name: next(row for _, row in list_rows(read_builtin(name), "providers")) for name in list_builtin()}
# Those whose address needs no value.
SIMPLE = [name for name, row in ROWS.items() if row.get("key_variables") and "{" not in str(row["base_url"])]


def read(text: str = "", **environment: str) -> Settings:
    """The settings of a text, with these variables."""
    return read_settings(file=SettingsFile(name="g.toml", text=text), environment=environment)


def on(catalog: Catalog) -> list[str]:
    """The providers that are on, without the simulator."""
    return sorted(catalog.providers.keys() - {SIMULATOR})


@pytest.mark.parametrize("name", SIMPLE)
def test_a_variable_is_enough(name: str) -> None:
    """A provider is on with its variable, has its key and its models, and is off without; a blank variable is none."""
    for variable in ROWS[name]["key_variables"]:  # type: ignore[attr-defined] # a list, as the row's own test says
        settings = read(**{variable: " k-1 \n"})
        (row,) = settings.providers
        catalog = make_catalog(settings)
        assert row.api_key is not None
        assert (row.slug, row.api_key.reveal()) == (name, "k-1")
        assert on(catalog) == [name]
        shipped = {model["slug"] for _, model in list_rows(read_builtin(name), "models")}
        assert catalog.models.keys() >= shipped
        assert on(make_catalog(read(**{variable: "  "}))) == []


@pytest.mark.parametrize(
    ("text", "environment", "providers", "models"),
    [
        ("", {}, [], 0),
        ("environment_keys = false", {"OPENAI_API_KEY": "k"}, [], 0),
        ("environment_keys = false\n" + OPENAI_ROW, {"OPENAI_API_KEY": "k"}, ["openai"], 0),
        (OPENAI_ROW, {}, ["openai"], 0),
        (OPENAI_ROW + "api_key = 'k'", {}, ["openai"], 1),
        (OPENAI_ROW + "base_url = 'https://api.openai.com/v1'", {"OPENAI_API_KEY": "k"}, ["openai"], 1),
        (OPENAI_ROW + "base_url = 'http://127.0.0.1:1/v1'", {"OPENAI_API_KEY": "k"}, ["openai"], 0),
        ("", {"AWS_BEARER_TOKEN_BEDROCK": "k"}, [], 0),
        ("", {"AWS_BEARER_TOKEN_BEDROCK": "k", "AWS_REGION": "eu-central-1"}, ["amazon-bedrock"], 1),
        (ROW.format("amazon-bedrock") + REGION, {}, ["amazon-bedrock"], 1),
        ("", {**AWS, "AWS_REGION": "eu-central-1"}, ["amazon-bedrock"], 1),
        ("", AWS, [], 0),
        ("", {**AWS, "AWS_SECRET_ACCESS_KEY": " ", "AWS_REGION": "eu-central-1"}, [], 0),
        ("environment_keys = false", {**AWS, "AWS_REGION": "eu-central-1"}, [], 0),
        (
            "[[providers]]\nslug = 'amazon-bedrock'\n" + ELSEWHERE,
            {**AWS, "AWS_REGION": "eu-central-1"},
            ["amazon-bedrock"],
            0,
        ),
        (ENDPOINT.format("amazon-bedrock-anthropic"), {"AWS_REGION": "eu-central-1"}, ["amazon-bedrock-anthropic"], 1),
        ("", {"GOOGLE_APPLICATION_CREDENTIALS": "a.json", **GOOGLE}, ["google-vertex"], 0),
        ("", GOOGLE, [], 0),
        (ENDPOINT.format("google-vertex-anthropic"), GOOGLE, ["google-vertex-anthropic"], 1),
        (ENDPOINT.format("ollama"), {}, ["ollama"], 1),
        (ROW.format("azure") + RESOURCE + ENDPOINT.format("azure"), {"AZURE_OPENAI_API_KEY": "k"}, ["azure"], 1),
        (ENDPOINT.format("google-vertex"), GOOGLE, ["google-vertex"], 1),
        (ENDPOINT.format("google-vertex-global"), {"GOOGLE_CLOUD_PROJECT": "p"}, ["google-vertex-global"], 1),
    ],
)
def test_what_is_on(text: str, environment: dict[str, str], providers: list[str], models: int) -> None:
    """By a key, an account's row, or an endpoint that names a provider which needs none; `models` tells whether there are any beside the simulator's."""
    catalog = make_catalog(read(text, **environment))
    assert on(catalog) == providers
    assert min(1, sum(not slug.startswith("sim/") for slug in catalog.models)) == models


def test_a_foreign_host_gets_no_key() -> None:
    """A row with the slug of a shipped provider at another host is another provider: the environment's key never leaves for it."""
    text = OPENAI_ROW + "base_url = 'https://proxy.example/v1'"
    (row,) = read(text, OPENAI_API_KEY="sk-secret").providers
    assert row.api_key is None
    assert make_catalog(read(text)).providers["openai"].renames == {}


def test_a_row_keeps_what_it_says() -> None:
    """The file's key wins over the environment's, its other keys over the shipped row's."""
    text = OPENAI_ROW + "api_key = 'mine'\nname = 'Ours'\n"
    settings = read(text, OPENAI_API_KEY="theirs")
    provider = make_catalog(settings).providers["openai"]
    assert settings.providers[0].api_key is not None
    assert settings.providers[0].api_key.reveal() == "mine"
    assert (provider.name, provider.base_url) == ("Ours", "https://api.openai.com/v1")


def test_own_providers_may_name_variables() -> None:
    """`key_variables` of a file's row work as those of a shipped one: the first that is set counts."""
    text = ROW.format("acme") + "base_url = 'https://acme.example/v1'\nkey_variables = ['ACME_OLD', 'ACME_KEY']\n"
    (row,) = read(text, ACME_KEY="k").providers
    assert row.api_key is not None
    assert row.api_key.reveal() == "k"


@pytest.mark.parametrize(
    ("text", "environment", "fault"),
    [
        (ENDPOINT.format("groq"), {}, "`groq` is not on: set GROQ_API_KEY, or write a table [[providers]]"),
        (ENDPOINT.format("azure"), {"AZURE_OPENAI_API_KEY": "k"}, "`azure` is not on: write a table [[providers]]"),
        (ENDPOINT.format("google-vertex"), {"GOOGLE_CLOUD_PROJECT": "p"}, "set GOOGLE_CLOUD_LOCATION, or write"),
        (ROW.format("azure"), {}, "providers[0]: nothing stands for `{resource}`: write `values"),
        (ROW.format("amazon-bedrock"), {}, "set AWS_REGION, or write `values = { region ="),
        ("", {"OPENAI_API_KEY": "sk-\u00e9"}, "OPENAI_API_KEY: a secret is a text of printable ASCII"),
    ],
)
def test_what_is_missing(text: str, environment: dict[str, str], fault: str) -> None:
    """A fault says which variable to set or what to write, and never what a variable holds."""
    with pytest.raises(SettingsError) as caught:
        read(text, **environment)
    assert fault in str(caught.value)
    assert "\u00e9" not in str(caught.value)


def test_who_has_a_key() -> None:
    """The name of the variable that holds it, or `api_key` where only the file knows; never the key."""
    text = ROW.format("groq") + "api_key = 'of-the-file'\n"
    environment = {"OPENAI_API_KEY": "sk-secret", "GEMINI_API_KEY": "g"}
    told = describe_keys(read(text, **environment), environment)
    assert told == ["groq (api_key)", "google-ai-studio (GEMINI_API_KEY)", "openai (OPENAI_API_KEY)"]
    environment = {**AWS, "AWS_REGION": "eu-central-1"}
    told = describe_keys(read("", **environment), environment)
    assert told == ["amazon-bedrock (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"]


def test_routing_may_name_what_is_off() -> None:
    """A shipped provider in `only` or `ignore` is no slip, whether it is on or not."""
    assert read("[routing]\nignore = ['azure']\n").routing.ignore == ("azure",)


@pytest.mark.parametrize(
    ("base_url", "shipped", "foreign"),
    [
        (None, "https://api.a.example/v1", False),
        ("https://api.a.example/v2", "https://api.a.example/v1", False),
        ("https://api.a.example.evil/v1", "https://api.a.example/v1", True),
        ("https://api.a.example:444/v1", "https://api.a.example/v1", True),
        ("https://mine.a.example/v1", "https://{resource}.a.example/v1", False),
        ("https://mine.b.example/v1", "https://{resource}.a.example/v1", True),
    ],
)
def test_what_is_foreign(base_url: str | None, shipped: str, foreign: bool) -> None:
    """Another host or port is; a part in braces may be any word."""
    assert is_foreign(base_url, {"base_url": shipped}) is foreign
