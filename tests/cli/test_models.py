# SPDX-License-Identifier: Apache-2.0
"""Listing models."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from support.scripted_gateways import GrpcScript, HttpScript, grpc_gateway, http_gateway
from trunkline.v1.model_pb2 import Architecture, Model, Pricing
from trunkline_server.cli import main
from trunkline_server.cli.models import format_context, format_price

MESSAGES = [
    Model(
        id="acme/large",
        name="Large",
        context_length=131072,
        pricing=Pricing(prompt_pusd=2_500_000, completion_pusd=10_000_000),
        architecture=Architecture(modality="text->text"),
    ),
    Model(id="acme/tiny", name="Small", pricing=Pricing(), architecture=Architecture(modality="text+image->text")),
]
JSON = {
    "data": [
        {
            "id": "acme/large",
            "name": "Large",
            "context_length": 131072,
            "pricing": {"prompt": "0.0000025", "completion": "0.00001"},
            "architecture": {"modality": "text->text"},
        },
        {
            "id": "acme/tiny",
            "name": "Small",
            "context_length": None,
            "pricing": {"prompt": "0", "completion": "0"},
            "architecture": {"modality": "text+image->text"},
        },
    ]
}
TABLE = """\
MODEL       CONTEXT  PROMPT  ANSWER  READS -> WRITES
acme/large  131,072   $2.50  $10.00  text->text
acme/tiny         -    free    free  text+image->text
"""


def test_models_over_grpc(capsys: pytest.CaptureFixture[str]) -> None:
    """The table of a running gateway."""
    with grpc_gateway(GrpcScript(models=MESSAGES)) as script:
        assert main(["models", "--grpc", script.address], {}) == 0
    assert capsys.readouterr().out == TABLE


def test_models_over_http(capsys: pytest.CaptureFixture[str]) -> None:
    """The same table over the other wire."""
    with http_gateway(HttpScript(body=json.dumps(JSON).encode())) as script:
        assert main(["models", "--http", script.address], {}) == 0
    assert capsys.readouterr().out == TABLE
    assert script.asked[0][1] == "/v1/models"


def test_models_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file is read without any gateway; the search is in slugs and names."""
    path = tmp_path / "g.toml"
    path.write_text("", encoding="utf-8")
    assert main(["models", "--config", str(path), "-q", "ECHO"], {}) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["MODEL", "sim/echo"]


def test_models_by_a_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The models of a provider whose key is in the environment stand there; beside the table it says by which variable."""
    path = tmp_path / "g.toml"
    path.write_text("", encoding="utf-8")
    assert main(["models", "--config", str(path), "-q", "gpt-4o-mini"], {"OPENAI_API_KEY": "sk-secret"}) == 0
    captured = capsys.readouterr()
    assert "openai/gpt-4o-mini" in captured.out
    assert captured.err == "Keys: openai (OPENAI_API_KEY)\n"


@pytest.mark.parametrize("body", [b'{"data": []}', b'{"data": [5]}', b"{}"])
def test_no_models(body: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty list is said in words."""
    with http_gateway(HttpScript(body=body)) as script:
        assert main(["models", "--http", script.address], {}) == 0
    assert capsys.readouterr().err == "There are no models.\n"


def test_other_servers_lists(capsys: pytest.CaptureFixture[str]) -> None:
    """A server that says nothing but ids is listed all the same."""
    with http_gateway(HttpScript(body=b'{"data": [{"id": "m", "pricing": 5, "context_length": "?"}]}')) as script:
        assert main(["models", "--http", script.address], {}) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["m", "-", "-", "-"]


@pytest.mark.parametrize(
    ("price", "text"),
    [("0", "free"), ("0.0000025", "$2.50"), ("0.000000075", "$0.075"), ("0.0001", "$100.00"), ("NaN", "-")],
)
def test_prices(price: str, text: str) -> None:
    """USD per million tokens, with cents."""
    assert format_price(Decimal(price)) == text


@pytest.mark.parametrize(("tokens", "text"), [(None, "-"), (0, "-"), (1_048_576, "1,048,576")])
def test_contexts(tokens: int | None, text: str) -> None:
    """Thousands are set apart."""
    assert format_context(tokens) == text
