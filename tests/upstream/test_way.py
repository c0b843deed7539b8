# SPDX-License-Identifier: Apache-2.0
"""From a provider's way to its upstream."""

import ssl
import time
from pathlib import Path

import pytest
import trustme

from support.fault_upstream import Answer, FaultUpstream, json_answer
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import UpstreamRequest
from trunkline_server.core.secret import Secret
from trunkline_server.upstream.aws import AwsKeys
from trunkline_server.upstream.way import HttpWay, make_upstream

KEY = "sk-canary-1234"
AWS = AwsKeys(access_key_id=Secret("AKIDEXAMPLE"), secret_access_key=Secret("canary-secret"))


async def send(way: HttpWay, path: str = "/chat?a=1", status: int = 200) -> None:
    """One request over a way, which is answered with a status."""
    upstream = make_upstream(way)
    request = UpstreamRequest(path=path, body=b"{}", deadline_s=time.monotonic() + 10)
    async with upstream.send(request) as answer:
        assert answer.status == status
    await upstream.close()


@pytest.mark.parametrize(
    ("auth", "header", "name", "value", "path"),
    [
        ("bearer", None, "authorization", f"Bearer {KEY}", "/v1/chat?a=1"),
        ("x-api-key", None, "x-api-key", KEY, "/v1/chat?a=1"),
        ("x-api-key", "X-Goog-Api-Key", "x-goog-api-key", KEY, "/v1/chat?a=1"),
        ("azure", None, "api-key", KEY, "/v1/chat?a=1"),
        ("query", None, None, None, f"/v1/chat?a=1&key={KEY}"),
        ("none", None, None, None, "/v1/chat?a=1"),
        ("aws", None, "authorization", f"Bearer {KEY}", "/v1/chat?a=1"),
    ],
)
async def test_where_a_key_is_shown(
    auth: str, header: str | None, name: str | None, value: str | None, path: str
) -> None:
    """A key stands in its one place."""
    async with FaultUpstream(json_answer({})) as server:
        await send(HttpWay(base_url=server.base_url, auth=auth, auth_header=header, secret=Secret(KEY)))
        received = server.requests[0]
    assert received.path == path
    assert {key: text for key, text in received.headers.items() if KEY in text} == ({name: value} if name else {})


async def test_a_key_in_an_empty_query() -> None:
    """A path without a query gets one."""
    async with FaultUpstream(json_answer({})) as server:
        await send(HttpWay(base_url=server.base_url, auth="query", secret=Secret(KEY)), "/chat")
        assert server.requests[0].path == f"/v1/chat?key={KEY}"


async def test_a_signature() -> None:
    """A request to AWS is signed for the region, with the length and the headers that it has."""
    async with FaultUpstream(json_answer({})) as server:
        await send(
            HttpWay(base_url=server.base_url, auth="aws", aws_keys=AWS, region="eu-west-1"), "/model/a:0/converse"
        )
        received = server.requests[0]
    assert "/eu-west-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, " in received.headers["authorization"]
    assert (received.path, received.body, "canary" in str(received.headers)) == ("/v1/model/a:0/converse", b"{}", False)


@pytest.mark.parametrize(
    ("base_url", "region", "found"),
    [
        ("https://bedrock-runtime.us-east-1.amazonaws.com", None, "us-east-1"),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com/x", None, "us-gov-west-1"),
        ("https://bedrock-runtime.eu-west-1.api.aws", None, "eu-west-1"),
        ("https://bedrock-runtime.us-east-1.amazonaws.com", "eu-west-1", "eu-west-1"),
    ],
)
def test_the_region(base_url: str, region: str | None, found: str) -> None:
    """The settings name it, else the host does."""
    signer = make_upstream(HttpWay(base_url=base_url, auth="aws", aws_keys=AWS, region=region))._signer
    assert getattr(signer, "_region", None) == found


def test_what_cannot_be(tmp_path: Path) -> None:
    """AWS without a region, and certificates that are none, are faults of the settings."""
    with pytest.raises(ValueError, match=r"values\.region"):
        make_upstream(HttpWay(base_url="https://proxy.example.com", auth="aws", aws_keys=AWS))
    path = tmp_path / "ca.pem"
    for content in ("", "no certificate"):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(ValueError, match="cannot be read as certificates"):
            make_upstream(HttpWay(base_url="https://a.example.com", ca_file=str(path)))
    with pytest.raises(ValueError, match="cannot be read as certificates"):
        make_upstream(HttpWay(base_url="https://a.example.com", ca_file=str(tmp_path / "none.pem")))


async def test_a_ca_of_ones_own(tmp_path: Path) -> None:
    """Its certificates are trusted, and no others."""
    authority, other = trustme.CA(), trustme.CA()
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    paths = [tmp_path / "right.pem", tmp_path / "other.pem"]
    authority.cert_pem.write_to_path(str(paths[0]))
    other.cert_pem.write_to_path(str(paths[1]))
    async with FaultUpstream(json_answer({}), ssl=theirs) as server:
        await send(HttpWay(base_url=server.base_url, ca_file=str(paths[0]), secret=Secret(KEY)))
        with pytest.raises(GatewayError):
            await send(HttpWay(base_url=server.base_url, ca_file=str(paths[1]), secret=Secret(KEY)))
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("auth", ["bearer", "x-api-key", "azure", "query"])
async def test_a_redirect_gets_no_key(auth: str, status: int) -> None:
    """A redirect is not followed, so no other host ever sees the key."""
    async with FaultUpstream(json_answer({})) as other:
        moved = Answer(status=status, headers={"location": f"http://127.0.0.1:{other.port}/v1/chat"})
        async with FaultUpstream(moved) as server:
            await send(HttpWay(base_url=server.base_url, auth=auth, secret=Secret(KEY)), status=status)
            assert len(server.requests) == 1
        assert other.requests == []


@pytest.mark.parametrize(
    "path", ["/@evil.test/", "//evil.test/x", "/\\evil.test", "/../../x", "/?u=http://evil.test", "/http://evil.test/"]
)
async def test_a_path_leads_nowhere_else(path: str) -> None:
    """Whatever a path holds, the request and its key go to the provider's host alone."""
    async with FaultUpstream(json_answer({})) as server:
        await send(HttpWay(base_url=server.base_url, secret=Secret(KEY)), path)
        assert server.requests[0].headers["host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "api-key", "host", "cookie"])
async def test_a_dialect_cannot_show_another_key(header: str) -> None:
    """A header of a request does not replace what the gateway shows."""
    auth = header if header == "x-api-key" else "azure" if header == "api-key" else "bearer"
    async with FaultUpstream(json_answer({})) as server:
        upstream = make_upstream(HttpWay(base_url=server.base_url, auth=auth, secret=Secret(KEY)))
        request = UpstreamRequest(
            path="/chat", body=b"{}", headers={header.upper(): "stolen"}, deadline_s=time.monotonic() + 10
        )
        async with upstream.send(request):
            pass
        await upstream.close()
        assert "stolen" not in server.requests[0].headers.values()
