# SPDX-License-Identifier: Apache-2.0
"""Reading the settings: every fault at once, each with its line."""

import pytest

from support.source_tree import ROOT
from trunkline.v1.provider_preferences_pb2 import DataCollection, MaxPrice, ProviderPreferences
from trunkline_server.config.faults import SettingsError
from trunkline_server.config.read import known_keys, make_catalog, make_deployment, read_settings
from trunkline_server.config.settings import RoutingSettings
from trunkline_server.config.sources import SettingsFile
from trunkline_server.routing.candidates import Deployment

GOOD = """\
default_model = "acme/large"
[http]
listen = "127.0.0.1:0"
[[keys]]
name = "laptop"
sha256 = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
[[providers]]
slug = "acme"
base_url = "https://api.acme.example/v1"
api_key = "${ACME_KEY}"
timeouts.idle_s = 5
[[models]]
slug = "acme/large"
endpoints = [{ provider = "acme", upstream_model = "l", prices = { prompt = "0.000001" } }]
"""


def read_faults(
    text: str, environment: dict[str, str] | None = None, flags: dict[str, object] | None = None
) -> list[str]:
    """The faults of a file as lines."""
    with pytest.raises(SettingsError) as caught:
        read_settings(file=SettingsFile(name="g.toml", text=text), environment=environment or {}, flags=flags or {})
    return str(caught.value).splitlines()


def test_a_good_file() -> None:
    """What the file says is in the settings, and the secret comes from the environment."""
    settings = read_settings(file=SettingsFile(name="g.toml", text=GOOD), environment={"ACME_KEY": "sk-acme"})
    provider = settings.providers[0]
    assert provider.api_key is not None
    assert provider.api_key.reveal() == "sk-acme"
    assert (provider.timeouts.idle_s, provider.timeouts.connect_s) == (5, 5.0)
    assert settings.keys[0].sha256 == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert settings.models[0].endpoints[0].prices == {"prompt": 1_000_000}


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("colour = 1", ["g.toml:1: unknown key `colour`."]),
        ("[htpp]\n", ["g.toml:1: unknown key `htpp`. Did you mean `http`?"]),
        ("\n[http]\nlissten = 'x'", ["g.toml:3: http: unknown key `lissten`. Did you mean `listen`?"]),
        ("http = 5", ["g.toml:1: http: must be a table"]),
        ("keys = 5", ["g.toml:1: keys: must be an array"]),
        ("simulator = 'no'", ["g.toml:1: simulator: must be true or false"]),
        ("[drain]\ngrace_s = '30'", ["g.toml:2: drain.grace_s: must be a number"]),
        ("[drain]\ngrace_s = -1", ["g.toml:2: drain.grace_s: must be at least 0"]),
        ("[drain]\ngrace_s = inf", ["g.toml:2: drain.grace_s: must be a number that is not infinite"]),
        ("[routing]\nonly = 'openai'", ["g.toml:2: routing.only: must be an array"]),
        (
            "[routing]\nmax_price = { promt = 1 }",
            ["g.toml:2: routing.max_price: unknown key `promt`. Did you mean `prompt`?"],
        ),
        ("[calls]\nmax_timeout_s = 0", ["g.toml:2: calls.max_timeout_s: must be more than 0"]),
        ("[calls]\nmax_body_bytes = 1e6", ["g.toml:2: calls.max_body_bytes: must be a whole number"]),
        ("[log]\nformat = 'xml'", ["g.toml:2: log.format: must be 'text' or 'json'"]),
        (
            "[http]\nlisten = '8080'",
            ['g.toml:2: http.listen: an address is written "HOST:PORT", such as "127.0.0.1:8080" or "[::1]:8080"'],
        ),
        (
            "[[keys]]\nname = ''\n[[keys]]\nsha256 = 'tk-raw-key'",
            [
                "g.toml:1: keys[0]: `sha256` is missing",
                "g.toml:2: keys[0].name: must not be empty",
                "g.toml:3: keys[1]: `name` is missing",
                "g.toml:4: keys[1].sha256: must be 64 hex digits, as `trunkline keys new` prints them",
            ],
        ),
        (
            "[[providers]]\nslug = 'p'\nbase_url = 'https://x.example'\ntimeouts = { idle = 5 }",
            ["g.toml:4: providers[0].timeouts: unknown key `idle`. Did you mean `idle_s`?"],
        ),
        (
            "[[models]]\nslug = 'gpt'\n[[models.endpoints]]\nprovider = 'simulater'\nprices = { promt = '1', prompt = 'free' }",
            [
                "g.toml:2: models[0].slug: must be written `author/name`, such as `openai/gpt-4o`",
                "g.toml:3: models[0].endpoints[0]: `upstream_model` is missing",
                "g.toml:4: models[0].endpoints[0].provider: no provider has the slug `simulater`: did you mean `simulator`?",
                "g.toml:5: models[0].endpoints[0].prices: unknown key `promt`. Did you mean `prompt`?",
                'g.toml:5: models[0].endpoints[0].prices.prompt: a price is a decimal of USD in quotes, such as "0.0000025"',
            ],
        ),
        (
            "[[models]]\nslug = 'a/b'\nendpoints = [{ provider = 'simulator', upstream_model = 'x' }]\n[[models]]\nslug = 'a/b'\ndate = 'today'",
            [
                "g.toml:4: models[1]: nobody offers this model: add a table [[models.endpoints]] below it",
                "g.toml:5: models[1].slug: another model has the slug `a/b`: choose a different one",
                "g.toml:6: models[1].date: a date is written YYYY-MM-DD",
            ],
        ),
        (
            "simulator = false\n[[models]]\nslug = 'a/b'\nendpoints = [{ provider = 'simulator', upstream_model = 'x' }]",
            [
                "g.toml:4: models[0].endpoints[0].provider: no provider has the slug `simulator`: add a table [[providers]] with this slug"
            ],
        ),
        (
            "[[providers]]\nslug = 'p'\nbase_url = '${BASE}'\napi_key = '${KEY}'",
            [
                "g.toml:3: providers[0].base_url: the environment variable BASE is not set",
                "g.toml:4: providers[0].api_key: the environment variable KEY is not set",
            ],
        ),
    ],
)
def test_faults(text: str, faults: list[str]) -> None:
    """Each fault is a line with its place; a variable that is not set hides what would follow from it."""
    assert read_faults(text) == faults


def test_faults_of_all_sources_come_together() -> None:
    """The file's faults by line, then those of variables and flags."""
    faults = read_faults(
        "[http]\nx = 1\n[log]\nlevel = 'loud'",
        {"TRUNKLINE_DRAIN__GRACE_S": "long", "TRUNKLINE_X__Y": "1"},
        {"--grpc": "here"},
    )
    assert [fault.split(": ")[0] for fault in faults] == [
        "g.toml:2", "g.toml:4", "TRUNKLINE_X__Y", "--grpc", "TRUNKLINE_DRAIN__GRACE_S",
    ]  # fmt: skip


def test_no_fault_shows_a_secret() -> None:
    """Neither a key in the wrong place nor the value of a variable is in a message."""
    text = "[[keys]]\nname = 'a'\nsha256 = 'hunter2'\n[[providers]]\nslug = '${SLUG}'\nbase_url = '${SLUG}'\napi_key = 'hunter2\\u0000'"
    assert "hunter2" not in "\n".join(read_faults(text, {"SLUG": "hunter2 X"}))


@pytest.mark.parametrize(
    ("environment", "flags", "listen"),
    [
        ({}, {}, "127.0.0.1:0"),
        ({"TRUNKLINE_HTTP__LISTEN": "127.0.0.1:1"}, {}, "127.0.0.1:1"),
        ({"TRUNKLINE_HTTP__LISTEN": "127.0.0.1:1"}, {"--http": "127.0.0.1:2"}, "127.0.0.1:2"),
    ],
)
def test_precedence(environment: dict[str, str], flags: dict[str, object], listen: str) -> None:
    """A flag wins over a variable, which wins over the file."""
    file = SettingsFile(name="g.toml", text=GOOD)
    settings = read_settings(file=file, environment={"ACME_KEY": "k", **environment}, flags=flags)
    assert str(settings.http.listen) == listen


def test_nothing_at_all_serves_the_simulator() -> None:
    """Without any source the simulator's models are there, and the first is the default."""
    catalog = make_catalog(read_settings())
    assert "sim/echo" in catalog.models
    assert catalog.default_model == next(iter(catalog.models))
    assert list(catalog.providers) == ["simulator"]


def test_the_file_comes_before_the_simulator() -> None:
    """The file's rows are listed first, and its default stands."""
    catalog = make_catalog(read_settings(file=SettingsFile(name="g.toml", text=GOOD), environment={"ACME_KEY": "k"}))
    assert list(catalog.models)[:2] == ["acme/large", "sim/echo"]
    assert (list(catalog.providers), catalog.default_model) == (["acme", "simulator"], "acme/large")


def test_the_simulator_can_be_left_out() -> None:
    """Without it only the file's rows are there, and nothing is a default unless named."""
    text = GOOD.replace("default_model", "simulator = false #")
    catalog = make_catalog(read_settings(file=SettingsFile(name="g.toml", text=text), environment={"ACME_KEY": "k"}))
    assert (list(catalog.models), catalog.default_model) == (["acme/large"], None)


def test_endpoints_know_what_their_dialect_drops() -> None:
    """Routing learns from the catalog which fields of a request a provider would not get."""
    catalog = make_catalog(read_settings(file=SettingsFile(name="g.toml", text=GOOD), environment={"ACME_KEY": "k"}))
    refused = {slug: model.endpoints[0].refused_parameters for slug, model in catalog.models.items()}
    assert "image_config" in refused["acme/large"]
    assert refused["sim/echo"] == frozenset()


def test_the_file_says_more_about_a_shipped_model() -> None:
    """Its keys win; what it leaves out is as shipped, and the shipped endpoint gets a second one beside it."""
    text = "[[models]]\nslug = 'sim/echo'\nname = 'Mine'\nendpoints = [{ provider = 'simulator', tag = 'simulator/2', upstream_model = 'sim/echo' }]"
    catalog = make_catalog(read_settings(file=SettingsFile(name="g.toml", text=text)))
    model = catalog.models["sim/echo"]
    assert (model.name, model.description) == ("Mine", "Repeats the last user text, one word a chunk.")
    assert [endpoint.tag for endpoint in model.endpoints] == ["simulator/2", "simulator"]


def test_the_deployment_demands_nothing_by_itself() -> None:
    """Without settings no request meets a rule of the deployment."""
    assert make_deployment(RoutingSettings()) == Deployment()


def test_what_the_deployment_demands() -> None:
    """Each setting is the preference of its name; money is in 1e-12 USD."""
    demanded = {
        "only": ["acme", "zeta/eu"],
        "ignore": ["acme/2"],
        "models": ["acme/*"],
        "data_collection": "deny",
        "zdr": True,
        "enforce_distillable_text": True,
        "quantizations": ["fp8", "unknown"],
        "max_price": {"prompt": "2.5", "completion": 10, "request": "0.01", "image": "1", "audio": "0"},
    }
    assert demanded.keys() == RoutingSettings.model_fields.keys()
    made = make_deployment(RoutingSettings.model_validate(demanded))
    assert made == Deployment(
        preferences=ProviderPreferences(
            only=["acme", "zeta/eu"],
            ignore=["acme/2"],
            data_collection=DataCollection.DATA_COLLECTION_DENY,
            zdr=True,
            enforce_distillable_text=True,
            quantizations=["fp8", "unknown"],
            max_price=MaxPrice(
                prompt_pusd=2_500_000_000_000,
                completion_pusd=10_000_000_000_000,
                request_pusd=10_000_000_000,
                image_pusd=1_000_000_000_000,
                audio_pusd=0,
            ),
        ),
        models=("acme/*",),
    )


def test_the_example_of_the_documentation_is_sound() -> None:
    """It is checked as it stands, without any variable."""
    text = (ROOT / "docs" / "example.toml").read_text(encoding="utf-8")
    settings = read_settings(file=SettingsFile(name="example.toml", text=text))
    assert [model.slug for model in settings.models] == ["meta/llama-3.2", "openai/gpt-4o-mini"]


@pytest.mark.parametrize(
    ("path", "some"),
    [
        ((), {"http", "models"}),
        (("http",), {"listen"}),
        (("models", 3, "endpoints", 0), {"upstream_model"}),
        (("models", 3, "endpoints", 0, "prices"), {"prompt"}),
        (("providers", 0, "timeouts"), {"idle_s"}),
    ],
)
def test_known_keys(path: tuple[str | int, ...], some: set[str]) -> None:
    """The keys of any table, for suggestions."""
    assert some <= set(known_keys(path))


@pytest.mark.parametrize("path", [("nothing",), ("nothing", "below"), ("http", "listen"), ("insecure",)])
def test_no_known_keys(path: tuple[str | int, ...]) -> None:
    """What is no table has no keys."""
    assert known_keys(path) == []
