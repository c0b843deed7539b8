# SPDX-License-Identifier: Apache-2.0
"""The gateways that can be measured: each has a name of its own, says how it is set up, and what it lacks here."""

import json
from collections.abc import Callable

import pytest

from bench.floors import list_floors
from bench.gateways import MODELS, Gateway, Wire, find_peers, grpc_call, http_call
from bench.payload import make_grpc_request, make_request
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest

GATEWAYS = [*list_floors(), *find_peers()]


def test_names_are_their_own() -> None:
    """Results are told apart by them."""
    names = [gateway.name for gateway in GATEWAYS]
    assert len(set(names)) == len(names)
    assert names[:5] == ["direct", "nginx", "envoy", "grpc-aio-proxy", "trunkline"]


@pytest.mark.parametrize("gateway", GATEWAYS, ids=lambda gateway: gateway.name)
def test_the_settings_are_one_line(gateway: Gateway) -> None:
    """They stand in a cell of a table; so does what is missing."""
    assert gateway.settings
    assert "\n" not in gateway.settings + (gateway.why_absent() or "")


@pytest.mark.parametrize("make_call", [http_call, grpc_call])
def test_headers_are_written_with_dashes(make_call: Callable[..., object]) -> None:
    """Python's names have none."""
    assert getattr(make_call(80, x_api_key="1"), "headers") == {"x-api-key": "1"}  # noqa: B009 - both kinds of call


def test_each_wire_has_its_paths() -> None:
    """Over HTTP one path serves both; over gRPC a stream is a method of its own."""
    http, grpc = http_call(80), grpc_call(81)
    assert (http.path, http.stream_path) == ("/v1/chat/completions", "/v1/chat/completions")
    assert grpc.path != grpc.stream_path
    assert {Wire.HTTP, Wire.GRPC} == set(Wire)


@pytest.mark.parametrize("model", MODELS)
def test_bodies_go_as_they_are(model: str) -> None:
    """Unless a gateway wants another name for the model."""
    body, message = make_request(model), make_grpc_request(model)
    assert http_call(80).edit(body) == body
    assert json.loads(body)["model"] == ChatCompletionRequest.FromString(grpc_call(81).edit(message)).model == model
