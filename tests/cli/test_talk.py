# SPDX-License-Identifier: Apache-2.0
"""Talking to a gateway over HTTP."""

import json
from collections.abc import Iterator

import pytest

from support.scripted_gateways import HttpScript, http_gateway, sse
from trunkline_server.cli.talk import HttpGateway
from trunkline_server.cli.terminal import CommandError

CHUNK = {"id": "gen-1", "choices": [{"delta": {"content": "hé\u2028"}}]}


@pytest.fixture
def script() -> Iterator[HttpScript]:
    """A gateway that answers what the test says."""
    with http_gateway(HttpScript()) as running:
        yield running


def talk(script: HttpScript, suffix: str = "") -> HttpGateway:
    """A connection to the gateway."""
    return HttpGateway(url=script.address + suffix, api_key="tk-1", timeout_s=5)


def test_a_stream(script: HttpScript) -> None:
    """Events are parsed, comments passed over, and [DONE] ends."""
    script.body = b": TRUNKLINE PROCESSING\n\n" + sse(CHUNK, CHUNK, "[DONE]")
    assert list(talk(script).stream("/chat/completions", {"stream": True})) == [CHUNK, CHUNK]
    method, path, headers, body = script.asked[0]
    assert (method, path, body) == ("POST", "/v1/chat/completions", {"stream": True})
    assert (headers["authorization"], headers["content-type"]) == ("Bearer tk-1", "application/json")


@pytest.mark.parametrize(
    ("suffix", "path"), [("", "/v1/models"), ("/", "/v1/models"), ("/api/v1", "/api/v1/models"), ("/v1/", "/v1/models")]
)
def test_the_base_path(suffix: str, path: str, script: HttpScript) -> None:
    """A URL without a path means OpenAI's base."""
    script.body = b'{"data": []}'
    assert talk(script, suffix).get("/models") == {"data": []}
    assert script.asked[0][1] == path


def test_posting(script: HttpScript) -> None:
    """A body goes out as JSON, and what it is answered comes back parsed."""
    script.body = b'{"data": 1}'
    assert HttpGateway(url=script.address).post("/route/explain", {"model": "m"}) == {"data": 1}
    assert [(method, path, body) for method, path, _, body in script.asked] == [
        ("POST", "/v1/route/explain", {"model": "m"})
    ]


def test_a_scheme_may_be_left_out(script: HttpScript) -> None:
    """An address alone means plain HTTP."""
    script.body = b"{}"
    assert HttpGateway(url=script.address.removeprefix("http://")).get("/models") == {}


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (404, json.dumps({"error": {"code": 404, "message": "Not there."}}).encode(), r"Not there\. \[HTTP 404\]$"),
        (401, json.dumps({"error": {"code": 401, "message": "No."}}).encode(), r"TRUNKLINE_API_KEY"),
        (502, b"<html>", "the gateway answered with HTTP status 502"),
        (500, b'{"error": "text"}', "the gateway answered with HTTP status 500"),
        (302, b"", "HTTP status 302"),
        (200, sse({"error": {"code": 502, "message": "Broke."}}), r"Broke\. \[HTTP 502\]"),
        (200, sse(CHUNK), "broke off before its end"),
        (200, sse("{broken"), "not JSON"),
        (200, sse("[]"), "not of the API's form"),
        (200, b"data: " + b"x" * (2 << 20), "broke off"),
    ],
)
def test_a_stream_that_fails(status: int, body: bytes, message: str, script: HttpScript) -> None:
    """The complaint is the gateway's own sentence where it has one."""
    script.status, script.body = status, body
    with pytest.raises(CommandError, match=message):
        list(talk(script).stream("/chat/completions", {}))


def test_a_stream_that_is_cut(script: HttpScript) -> None:
    """What came is given out before the complaint."""
    script.body, script.whole = sse(CHUNK), False
    events = talk(script).stream("/chat/completions", {})
    assert next(events) == CHUNK
    with pytest.raises(CommandError, match="broke off"):
        next(events)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "http://", "http://[::1", "http://h:port"])
def test_no_url(url: str) -> None:
    """An address that cannot be one is a mistake in the command line."""
    with pytest.raises(CommandError, match="is no URL") as caught:
        HttpGateway(url=url).get("/models")
    assert caught.value.status == 2


def test_nobody_there() -> None:
    """The complaint asks whether the gateway runs."""
    with http_gateway(HttpScript()) as gone:
        pass
    with pytest.raises(CommandError, match="Is `trunkline serve` running"):
        HttpGateway(url=gone.address).get("/models")
