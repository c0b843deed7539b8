# SPDX-License-Identifier: Apache-2.0
"""Random requests at both edges of a running gateway, and at the routes: nothing but answers of the contract. HYPOTHESIS_PROFILE=fuzz and
-o faulthandler_timeout=0 run them for long.

The codec is fuzzed in tests/jsonshape/test_properties.py, the decoder of event streams in tests/dialects/test_sse.py. Rows H09, H11, H24 and H78.
"""

import json
import string
from collections.abc import Callable

import aiohttp
import pytest
from grpc import aio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from support.gateway import RunningGateway
from support.hostile import CREATE, STREAM, check_failure, check_lives, check_reply, send_http, send_raw
from support.http_edge import post_bytes
from trunkline.v1.model_service_pb2 import ListModelsRequest
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.grpc.intake import parse_message
from trunkline_server.edge.http.routes import RouteTable
from trunkline_server.edge.http.rpc import read_query

# The gateway is the same for all examples on purpose: what one does to it, the next would feel.
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
ANY_STATUS = frozenset({0, 200, 204, 400, 401, 403, 404, 405, 406, 408, 413, 414, 415, 429, 431})

tokens = st.text(st.sampled_from(string.ascii_letters + string.digits + "-_!#$%&'*+.^`|~"), min_size=1, max_size=20)
values = st.binary(max_size=60)
lines = st.tuples(st.one_of(tokens.map(str.encode), values), values).map(lambda pair: pair[0] + b": " + pair[1])
pieces = st.sampled_from(
    [
        "v1",
        "api",
        "models",
        "model",
        "chat",
        "completions",
        "endpoints",
        "key",
        "..",
        "%2e%2e",
        "",
        "%00",
        "sim",
        "a:free",
    ]
)
paths = st.lists(st.one_of(pieces, tokens), max_size=6).map(lambda parts: "/" + "/".join(parts))
methods = st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(
                st.text(max_size=8),
                st.sampled_from(
                    ["role", "content", "type", "text", "image_url", "url", "function", "name", "id", "parameters"]
                ),
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
FIELDS = (
    "messages model models tools tool_choice provider plugins stop response_format reasoning stream n logit_bias metadata max_tokens "
    "modalities prediction trace user x"
)
fields = st.sampled_from(FIELDS.split())


def status_of(work: Callable[[], object]) -> int:
    """The HTTP status that a piece of work would have: 200, or that of its failure. Raises whatever is no GatewayError."""
    try:
        work()
    except GatewayError as error:
        return error.shape.http_status
    return 200


@pytest.mark.parametrize("row", ["H24 H41"])
@SHARED
@given(extra=st.dictionaries(fields, json_values, max_size=4))
async def test_random_values(
    http: aiohttp.ClientSession, gateway: RunningGateway, row: str, extra: dict[str, object]
) -> None:
    """Whatever JSON stands in a field, the answer is one of the contract."""
    body = {"model": "sim/echo", "messages": [{"role": "user", "content": "hi"}], **extra}
    try:
        text = json.dumps(body).encode()
    except UnicodeEncodeError:
        return
    reply = await send_http(http, gateway.chat_url, text)
    check_reply(reply, ANY_STATUS | {402, 503})


@pytest.mark.parametrize("row", ["H09 H11 H12"])
@SHARED
@given(method=methods, path=paths, heads=st.lists(lines, max_size=4), body=values)
async def test_random_requests(
    gateway: RunningGateway, row: str, method: str, path: str, heads: list[bytes], body: bytes
) -> None:
    """Whatever stands in a request line and its headers, the answer is one of the contract, or a closed connection."""
    head = b"\r\n".join([f"{method} {path} HTTP/1.1".encode(), b"Host: localhost", b"Connection: close", *heads])
    check_reply(await send_raw(gateway.http_url, head + b"\r\n\r\n" + body, ends=True, stays=True), ANY_STATUS)


@pytest.mark.parametrize("row", ["H11 H13"])
@SHARED
@given(noise=st.binary(min_size=1, max_size=200), place=st.floats(min_value=0, max_value=1))
async def test_a_good_request_with_noise(gateway: RunningGateway, row: str, noise: bytes, place: float) -> None:
    """Noise anywhere in a good request ends in an answer of the contract, or a closed connection."""
    request = post_bytes(b'{"model":"sim/echo","messages":[{"role":"user","content":"hi"}]}', "Connection: close")
    cut = int(len(request) * place)
    data = request[:cut] + noise + request[cut:]
    check_reply(await send_raw(gateway.http_url, data, ends=True, stays=True), ANY_STATUS)


@pytest.mark.parametrize("row", ["H37 H78"])
@SHARED
@given(
    raw=st.binary(max_size=300), method=st.sampled_from([CREATE, STREAM, "/trunkline.v1.ModelService/ListModels", "/x"])
)
@example(raw=b"\x0a\x00" * 200, method=CREATE)
async def test_random_messages(gateway: RunningGateway, row: str, raw: bytes, method: str) -> None:
    """Whatever bytes a call sends, it is served or refused in the contract's words."""
    async with aio.insecure_channel(gateway.grpc_target) as channel:
        try:
            await channel.unary_unary(method)(raw)
        except aio.AioRpcError as error:
            check_failure(error)


@pytest.mark.parametrize("row", ["H78"])
@given(raw=st.binary(max_size=500))
def test_random_bytes_as_a_message(row: str, raw: bytes) -> None:
    """Parsing raises GatewayError and nothing else."""
    assert status_of(lambda: parse_message(ListModelsRequest, raw)) in {200, 400}


@pytest.mark.parametrize("row", ["H09"])
@given(path=st.one_of(paths, st.text(max_size=60)))
def test_random_paths(row: str, path: str) -> None:
    """A path is found as it is written or not at all, and a variable is never a step of a path."""
    table = RouteTable[str]()
    for template in ("/v1/models", "/v1/model/{author}/{slug}", "/v1/models/{author}/{slug}/endpoints"):
        table.add("GET", template, template)
    found = table.find(path)
    if found is not None:
        assert path.startswith("/v1/model")
        assert {"", ".", ".."} & set(found[1].values()) == set()


@pytest.mark.parametrize("row", ["H71"])
@given(
    query=st.one_of(
        st.text(max_size=80),
        st.lists(st.tuples(tokens, st.text(max_size=8))).map(lambda pairs: "&".join("=".join(pair) for pair in pairs)),
    )
)
def test_random_queries(row: str, query: str) -> None:
    """Reading a query raises GatewayError and nothing else."""
    assert status_of(lambda: read_query(ListModelsRequest.DESCRIPTOR, query, {})) in {200, 400}


async def test_h24_the_next_calls_work(gateway: RunningGateway) -> None:
    """After all of this the gateway serves as before."""
    await check_lives(gateway)
