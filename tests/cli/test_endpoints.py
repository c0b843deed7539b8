# SPDX-License-Identifier: Apache-2.0
"""How the endpoints of a gateway are, in the terminal."""

import json
from typing import Any

import grpc
import pytest

from support.scripted_gateways import GrpcScript, HttpScript, grpc_gateway, http_gateway
from trunkline.v1.model_pb2 import Endpoint, Model, PercentileStats
from trunkline_server.cli import main
from trunkline_server.cli.endpoints import format_first_token, format_status, format_throughput, format_uptime

MODELS = [Model(id="acme/large", name="Large"), Model(id="acme/tiny:free", name="Small")]
ENDPOINTS = {
    "acme/large": [
        Endpoint(
            tag="dear",
            status=0,
            uptime_last_5m=99.96,
            latency_last_30m=PercentileStats(p50=420.4, p75=500, p90=600, p99=700),
            throughput_last_30m=PercentileStats(p50=61.25, p75=50, p90=40, p99=30),
        ),
        Endpoint(tag="cheap/fp8", status=-3, uptime_last_5m=0.0),
    ],
    "acme/tiny:free": [Endpoint(tag="cheap", status=-2)],
}
TABLE = """\
MODEL           ENDPOINT   STANDING  UPTIME  FIRST TOKEN  TOKENS/S
acme/large      dear       well       99.9%       420 ms      61.2
acme/large      cheap/fp8  out           0%            -         -
acme/tiny:free  cheap      cooling        -            -         -
"""


def as_json(*endpoints: dict[str, Any]) -> bytes:
    """The body of an endpoints route."""
    return json.dumps({"data": {"endpoints": endpoints}}).encode()


BODIES = {
    "/v1/models": json.dumps({"data": [{"id": model.id, "name": model.name} for model in MODELS]}).encode(),
    "/v1/models/acme/large/endpoints": as_json(
        {
            "tag": "dear",
            "status": 0,
            "uptime_last_5m": 99.96,
            "latency_last_30m": {"p50": 420.4, "p75": 500, "p90": 600, "p99": 700},
            "throughput_last_30m": {"p50": 61.25, "p75": 50, "p90": 40, "p99": 30},
        },
        {"tag": "cheap/fp8", "status": -3, "uptime_last_5m": 0, "latency_last_30m": None},
    ),
    "/v1/models/acme/tiny:free/endpoints": as_json({"tag": "cheap", "status": -2, "uptime_last_5m": None}),
}


def test_over_grpc(capsys: pytest.CaptureFixture[str]) -> None:
    """A row for each endpoint of a running gateway, asked for with the caller's key."""
    with grpc_gateway(GrpcScript(models=MODELS, endpoints=ENDPOINTS)) as script:
        assert main(["models", "--health", "--grpc", script.address, "--key", "k"], {}) == 0
    assert capsys.readouterr().out == TABLE
    assert {authorization for _, authorization in script.asked} == {"Bearer k"}


def test_over_http(capsys: pytest.CaptureFixture[str]) -> None:
    """The same table over the other wire."""
    with http_gateway(HttpScript(bodies=BODIES)) as script:
        assert main(["models", "--health", "--http", script.address], {}) == 0
    assert capsys.readouterr().out == TABLE


@pytest.mark.parametrize(("text", "tags"), [("LARGE", ["dear", "cheap/fp8"]), ("small", ["cheap"])])
def test_a_search_asks_for_its_models_alone(text: str, tags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The endpoints of no other model are asked for."""
    with http_gateway(HttpScript(bodies=BODIES)) as script:
        assert main(["models", "--health", "-q", text, "--http", script.address], {}) == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()[1:]] == tags
    assert len(script.asked) == 2


@pytest.mark.parametrize(("flags", "sentence"), [([], "There are no endpoints."), (["-q", "x"], "No model matches.")])
def test_nothing_to_show(flags: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said in words."""
    with grpc_gateway(GrpcScript()) as script:
        assert main(["models", "--health", *flags, "--grpc", script.address], {}) == 0
    assert capsys.readouterr().err == f"{sentence}\n"


def test_a_file_knows_no_health(capsys: pytest.CaptureFixture[str]) -> None:
    """Only a gateway that runs does."""
    assert main(["models", "--health", "--config", "g.toml"], {}) == 2
    assert "a running gateway" in capsys.readouterr().err


def test_a_failure_on_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    """What the gateway says is said in the terminal."""
    script = GrpcScript(models=MODELS, failure=(grpc.StatusCode.INTERNAL, "Broken."))
    with grpc_gateway(script):
        assert main(["models", "--health", "--grpc", script.address], {}) == 1
    assert "Broken." in capsys.readouterr().err


@pytest.mark.parametrize(
    "body",
    [
        as_json({"provider_name": "P", "status": "?", "uptime_last_5m": True, "latency_last_30m": {}}),
        as_json({"provider_name": "P"}),
    ],
)
def test_other_servers_answers(body: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """What is missing or of another form is unknown."""
    models = b'{"data": [{"id": "m"}, 5]}'
    with http_gateway(HttpScript(bodies={"/v1/models": models, "/v1/models/m/endpoints": body})) as script:
        assert main(["models", "--health", "--http", script.address], {}) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["m", "P", "-", "-", "-", "-"]


@pytest.mark.parametrize("body", [b'{"data": 5}', b'{"data": {"endpoints": 5}}', b"{}"])
def test_no_endpoints_in_an_answer(body: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """A list that is none is an empty one."""
    models = b'{"data": [{"id": "m"}]}'
    with http_gateway(HttpScript(bodies={"/v1/models": models}, body=body)) as script:
        assert main(["models", "--health", "--http", script.address], {}) == 0
    assert capsys.readouterr().err == "There are no endpoints.\n"


@pytest.mark.parametrize(
    ("status", "word"), [(None, "-"), (0, "well"), (-1, "unstable"), (-2, "cooling"), (-3, "out"), (-10, "-10")]
)
def test_standings(status: float | None, word: str) -> None:
    """A word for each number of this gateway; another server's is shown as it is."""
    assert format_status(status) == word


@pytest.mark.parametrize(("percent", "text"), [(None, "-"), (100.0, "100%"), (99.99, "99.9%"), (0.0, "0%")])
def test_uptimes(percent: float | None, text: str) -> None:
    """Rounded down, so that nobody who failed has 100%."""
    assert format_uptime(percent) == text


@pytest.mark.parametrize(("latency_ms", "text"), [(None, "-"), (0.4, "0 ms"), (999.0, "999 ms"), (1240.0, "1.2 s")])
def test_first_tokens(latency_ms: float | None, text: str) -> None:
    """Milliseconds below a second."""
    assert format_first_token(latency_ms) == text


@pytest.mark.parametrize(("tokens_per_s", "text"), [(None, "-"), (61.25, "61.2"), (1200.0, "1200.0")])
def test_throughputs(tokens_per_s: float | None, text: str) -> None:
    """One digit after the point."""
    assert format_throughput(tokens_per_s) == text
