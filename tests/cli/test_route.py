# SPDX-License-Identifier: Apache-2.0
"""Explaining where a request would go."""

import json
from pathlib import Path

import grpc
import pytest

from support.scripted_gateways import GrpcScript, HttpScript, grpc_gateway, http_gateway
from support.terminals import make_terminal, shown
from trunkline.v1.error_pb2 import ErrorBody
from trunkline.v1.route_service_pb2 import PlannedEndpoint, RejectedEndpoint, RoutePlan
from trunkline_server.cli import main
from trunkline_server.cli.route import format_cost, read_request
from trunkline_server.cli.terminal import CommandError

REQUEST = {"model": "acme/one", "messages": [{"role": "user", "content": "Hi"}]}
ACME = {"provider": "acme", "provider_name": "Acme", "model": "acme/one", "tag": "acme/fast"}
ZETA = {"provider": "zeta", "provider_name": "Zeta Cloud", "model": "acme/one", "tag": "zeta"}
LEFT_OUT = {**ZETA, "tag": "zeta/fp8", "excluded_by": "quantization", "reason": "Too coarse."}
JSON = {
    "data": {
        "requested_models": ["acme/one"],
        "strategy": "direct",
        "summary": "Acme serves first.",
        "endpoints": [
            {**ACME, "expected_cost": 0.000514, "standing": "well", "reason": "Drawn."},
            {**ZETA, "expected_cost": 1.25, "standing": "out", "reason": "Ejected."},
        ],
        "rejected": [LEFT_OUT],
        "estimated_prompt_tokens": 2,
        "assumed_completion_tokens": 256,
        "error": None,
    }
}
PLAN = RoutePlan(
    requested_models=["acme/one"],
    strategy="direct",
    summary="Acme serves first.",
    endpoints=[
        PlannedEndpoint(**ACME, expected_cost_pusd=514_000_000, standing="well", reason="Drawn."),
        PlannedEndpoint(**ZETA, expected_cost_pusd=1_250_000_000_000, standing="out", reason="Ejected."),
    ],
    rejected=[RejectedEndpoint(**LEFT_OUT)],
    estimated_prompt_tokens=2,
    assumed_completion_tokens=256,
)
TABLE = """\
Acme serves first.
Costs are reckoned with 2 prompt tokens and 256 of the answer. Strategy: direct.

#  PROVIDER    MODEL     ENDPOINT    EXPECTED  STANDS  WHY
1  Acme        acme/one  acme/fast  $0.000514  well    Drawn.
2  Zeta Cloud  acme/one  zeta           $1.25  out     Ejected.

PROVIDER    MODEL     ENDPOINT  EXCLUDED BY   WHY
Zeta Cloud  acme/one  zeta/fp8  quantization  Too coarse.
"""
NOBODY = RoutePlan(summary="Nobody.", strategy="direct", error=ErrorBody(code=404, message="No endpoint is left."))


@pytest.fixture
def request_file(tmp_path: Path) -> str:
    """A file with a request."""
    path = tmp_path / "request.json"
    path.write_text(json.dumps(REQUEST), encoding="utf-8")
    return str(path)


def test_over_grpc(request_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The plan of a running gateway as tables; the request goes there as it is."""
    with grpc_gateway(GrpcScript(plan=PLAN)) as script:
        assert main(["route", "--explain", request_file, "--grpc", script.address, "--key", "k"], {}) == 0
    assert capsys.readouterr().out == TABLE
    ((request, authorization),) = script.asked
    assert (request.model, request.messages[0].user.content[0].text, authorization) == ("acme/one", "Hi", "Bearer k")


def test_over_http(request_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same tables over the other wire."""
    with http_gateway(HttpScript(body=json.dumps(JSON).encode())) as script:
        assert main(["route", "--explain", request_file, "--http", script.address], {}) == 0
    assert capsys.readouterr().out == TABLE
    method, path, _, body = script.asked[0]
    assert (method, path, body) == ("POST", "/v1/route/explain", REQUEST)


def test_of_a_settings_file(request_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A settings file is planned with without any gateway, what it demands of every request included."""
    path = tmp_path / "g.toml"
    path.write_text('default_model = "sim/echo"\n[routing]\nignore = ["simulator"]\n', encoding="utf-8")
    Path(request_file).write_text(json.dumps({**REQUEST, "model": "sim/echo"}), encoding="utf-8")
    assert main(["route", "--explain", request_file, "--config", str(path)], {}) == 1
    out, complaint = capsys.readouterr()
    assert "allowed_providers" in out
    assert complaint.startswith("trunkline: nobody would serve it: ")


def test_nobody_would_serve(request_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The status says so, and what the request itself would be answered."""
    with grpc_gateway(GrpcScript(plan=NOBODY)) as script:
        assert main(["route", "--explain", request_file, "--grpc", script.address], {}) == 1
    assert capsys.readouterr().err == "trunkline: nobody would serve it: No endpoint is left. [HTTP 404]\n"


def test_a_gateway_that_refuses(request_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A refusal is told as for every command."""
    with grpc_gateway(GrpcScript(failure=(grpc.StatusCode.UNIMPLEMENTED, "No such RPC."))) as script:
        assert main(["route", "--explain", request_file, "--grpc", script.address], {}) == 1
    assert capsys.readouterr().err == "trunkline: No such RPC. [UNIMPLEMENTED]\n"


@pytest.mark.parametrize("body", [b'{"data": 5}', b"{}", b'{"data": {"endpoints": [5], "rejected": 7}}'])
def test_other_answers(request_file: str, body: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """What is not of the expected form is passed over."""
    with http_gateway(HttpScript(body=body)) as script:
        assert main(["route", "--explain", request_file, "--http", script.address], {}) == 0
    assert "PROVIDER" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"model": "a",\n "messages": [}', "line 2, column 15: Expecting value"),
        ("", "line 1, column 1: Expecting value"),
        ('{"a": 1} {', "line 1, column 10: Extra data"),
        ('{"seed": NaN}', "must be JSON in UTF-8"),
        ("[" * 5000, "nested at most 40 deep"),
        ("[1]", "an object is due"),
    ],
    ids=["a fault inside", "nothing", "more than one", "what is only nearly JSON", "too deep", "no object"],
)
def test_a_file_that_is_no_request(text: str, complaint: str, tmp_path: Path) -> None:
    """The complaint names the file, and the place in it where that is known."""
    path = tmp_path / "r.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CommandError) as caught:
        read_request(str(path), make_terminal())
    assert str(caught.value).startswith(f"{path} is not a request in JSON: ")
    assert complaint in str(caught.value)


def test_standard_input() -> None:
    """A dash reads standard input, and complaints call it so."""
    assert read_request("-", make_terminal(typed=json.dumps(REQUEST))) == REQUEST
    with pytest.raises(CommandError, match="standard input is not a request in JSON: line 1, column 2"):
        read_request("-", make_terminal(typed="{"))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is not there, or is no text, is said to be so."""
    with pytest.raises(CommandError, match=r"none[.]json: No such file"):
        read_request(str(tmp_path / "none.json"), make_terminal())
    (tmp_path / "bytes.json").write_bytes(b'{"model": "\xff"}')
    with pytest.raises(CommandError, match="is not a text in UTF-8"):
        read_request(str(tmp_path / "bytes.json"), make_terminal())


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model": 5, "provider": {"x": 1}}, ["model: must be a string", "provider.x: must be absent"]),
        ({"reasoning_effort": "low", "reasoning": {"effort": "high"}}, ["reasoning_effort"]),
    ],
    ids=["faults", "contradictions"],
)
def test_a_request_that_is_refused(
    fields: dict[str, object], words: list[str], request_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a gateway would refuse is told without one, every fault of its form on a line."""
    Path(request_file).write_text(json.dumps({**REQUEST, **fields}), encoding="utf-8")
    (tmp_path / "g.toml").write_text("", encoding="utf-8")
    assert main(["route", "--explain", request_file, "--config", str(tmp_path / "g.toml")], {}) == 1
    complaint = capsys.readouterr().err
    assert complaint.startswith("trunkline: the request is refused:")
    assert [word for word in words if word not in complaint] == []


@pytest.mark.parametrize(
    ("usd", "text"),
    [(0, "$0"), (1.5e-05, "$0.000015"), (12.0, "$12"), (1e-12, "$0.000000000001"), (None, "?"), ("NaN", "?")],
)
def test_costs(usd: object, text: str) -> None:
    """USD in full digits."""
    assert format_cost(usd) == text


def test_a_screen_is_safe(request_file: str) -> None:
    """What a gateway says cannot move the cursor of a terminal."""
    from trunkline_server.cli.program import make_parser

    terminal = make_terminal(live=True)
    with grpc_gateway(GrpcScript(plan=RoutePlan(summary="A\x1b[2Jb"))) as script:
        arguments = make_parser().parse_args(["route", "--explain", request_file, "--grpc", script.address])
        assert arguments.run(arguments, terminal) == 0
    assert shown(terminal).startswith("A[2Jb\n")
