# SPDX-License-Identifier: Apache-2.0
"""What all faces have in common: ids, keys, limits, streams, and failures in the words of the face."""

import asyncio
import re
from typing import Any

import orjson
import pytest

from support.faces import ALL, MESSAGES, Spoken, error_message, said
from support.http_edge import (
    KEY,
    STREAMED,
    RunningEdge,
    make_admission,
    make_codec,
    make_last_batch,
    make_text_batch,
    post_bytes,
    running_edge,
)
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.call import Call
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.edge.http import HttpEdgeOptions, server
from trunkline_server.edge.http.chat import ChatFace
from trunkline_server.edge.http.faces import FaceRoute, Renderer, read_object
from trunkline_server.edge.http.server import make_faces
from trunkline_server.jsonshape import ShapeFaults

JSON_BODY = {"Content-Type": "application/json"}
HELLO = [make_text_batch("hello ", "there"), make_last_batch()]
GONE = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, "Gone.")
OVERLOADED = GatewayError(ErrorReason.ERROR_REASON_OVERLOADED, "Busy.", retry_after_s=1.2)
every_face = pytest.mark.parametrize("face", ALL.values(), ids=ALL)


def body_of(answer: bytes) -> bytes:
    """The body of a chunked answer."""
    chunked = answer.partition(b"\r\n\r\n")[2]
    return b"".join(re.findall(rb"(?:^|\r\n)[0-9a-f]+\r\n(.*?)(?=\r\n)", chunked, re.DOTALL))


@every_face
@pytest.mark.parametrize("base", ["", "/api"])
async def test_a_whole_answer(face: Spoken, base: str) -> None:
    """Both bases answer, with the ids that every answer has; a query changes nothing."""
    async with running_edge(HELLO) as edge:
        sent = edge.client.post(f"{base}{face.path}?beta=true", data=face.body(), headers=JSON_BODY)
        async with sent as answer:
            assert (answer.status, answer.content_type) == (200, "application/json")
            assert said(face.path, await answer.json()) == "hello there"
            assert answer.headers["X-Generation-Id"] == edge.gateway.calls[0].generation_id
            assert answer.headers["X-Request-Id"] == edge.gateway.calls[0].request_id


@every_face
async def test_the_call_that_reaches_the_gateway(face: Spoken) -> None:
    """Principal, headers, and the fields that only a gateway has are those of chat completions."""
    headers = {
        "Authorization": f"Bearer {KEY}",
        "X-Request-Timeout": "7",
        "X-Session-Id": "s-1",
        "X-OpenRouter-Metadata": "enabled",
    }
    fields = {"models": ["acme/two"], "provider": {"order": ["acme"]}, "plugins": [{"id": "web", "enabled": False}]}
    async with running_edge(HELLO, keys=[KEY]) as edge:
        sent = edge.client.post(face.path, data=face.body(stream=True, **fields), headers={**JSON_BODY, **headers})
        async with sent as answer:
            assert (answer.status, answer.content_type) == (200, "text/event-stream")
    call = edge.gateway.calls[0]
    assert (call.principal.name, call.wire, call.streamed) == ("key-0", "http", True)
    assert (call.session_id, call.deadline_s, call.wants_router_metadata) == ("s-1", 1007.0, True)
    assert (list(call.request.models), list(call.request.provider.order)) == (["acme/two"], ["acme"])
    assert call.request.plugins[0].WhichOneof("plugin") == "web"


@every_face
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b"{}", 400),
        (b'{"model":"\\ud800"}', 400),
        (b"[" * 100_000, 400),
        (b'{"model":7}', 400),
        (b" " * 300_000, 413),
    ],
)
async def test_bad_bodies(face: Spoken, body: bytes, status: int) -> None:
    """Whatever is wrong with a body is told in the face's envelope, and nothing reaches the gateway."""
    async with running_edge(HELLO, max_body_bytes=200_000) as edge:
        async with edge.client.post(face.path, data=body, headers=JSON_BODY) as answer:
            assert (answer.status, answer.content_type) == (status, "application/json")
            assert error_message(face.path, await answer.json())
        assert edge.gateway.calls == []


@every_face
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"stream": "true"}, "stream"),
        ({"temperature": 7}, "temperature"),
        ({"api_base": "http://evil"}, "api_base"),
        ({"provider": {"ordre": ["acme"]}}, "provider.ordre"),
    ],
)
async def test_faulty_fields(edge: RunningEdge, face: Spoken, fields: dict[str, Any], named: str) -> None:
    """A faulty field is named by its path in the client's own body."""
    async with edge.client.post(face.path, data=face.body(**fields), headers=JSON_BODY) as answer:
        assert answer.status == 400
        assert error_message(face.path, await answer.json()).startswith(named)


@every_face
@pytest.mark.parametrize(
    ("method", "below", "headers", "status"),
    [
        ("POST", "", {}, 401),
        ("POST", "", {"Authorization": "Bearer sk-other"}, 401),
        ("POST", "", {"Authorization": f"Basic {KEY}"}, 401),
        ("GET", "", {"Authorization": f"Bearer {KEY}"}, 405),
        ("GET", "/one", {"Authorization": f"Bearer {KEY}"}, 404),
        ("POST", "/count_tokens", {"Authorization": f"Bearer {KEY}"}, 404),
        ("POST", "", {"Authorization": f"Bearer {KEY}", "Accept": "text/html"}, 406),
        ("POST", "", {"Authorization": f"Bearer {KEY}", "Content-Encoding": "gzip"}, 415),
        ("POST", "", {"Authorization": f"Bearer {KEY}", "X-Request-Timeout": "soon"}, 400),
        ("POST", "", {"Authorization": f"Bearer {KEY}", "a_b": "c"}, 400),
        ("POST", "", {"Authorization": f"Bearer {KEY}", "Host": "a b"}, 400),
    ],
)
async def test_refused_heads(face: Spoken, method: str, below: str, headers: dict[str, str], status: int) -> None:
    """What a head is refused for is told in the face's envelope, too, and so is what is looked for below its path."""
    async with running_edge(HELLO, keys=[KEY]) as edge:
        sent = edge.client.request(
            method, face.path + below, data=face.body(), headers={**JSON_BODY, **headers}, skip_auto_headers=["Accept"]
        )
        async with sent as answer:
            assert answer.status == status
            assert error_message(face.path + below, await answer.json())


@every_face
async def test_what_is_not_served_is_explained(edge: RunningEdge, face: Spoken) -> None:
    """Who looks for the rest of a vendor's API is told what there is."""
    async with edge.client.post(f"/api{face.path}/count_tokens", data=b"{}", headers=JSON_BODY) as answer:
        assert f"POST {face.path} alone is served" in error_message(face.path, await answer.json())


@every_face
async def test_methods(edge: RunningEdge, face: Spoken) -> None:
    """Other methods are told which there are."""
    async with edge.client.options(face.path) as answer:
        assert (answer.status, answer.headers["Allow"]) == (204, "OPTIONS, POST")
    async with edge.client.delete(face.path) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "OPTIONS, POST")


@every_face
async def test_a_page_of_another_site_is_refused(edge: RunningEdge, face: Spoken) -> None:
    """The guard of a gateway without keys stands before every face."""
    headers = {**JSON_BODY, "Origin": "https://evil.test"}
    async with edge.client.post(face.path, data=face.body(), headers=headers) as answer:
        assert answer.status == 403
        assert error_message(face.path, await answer.json())
    async with edge.client.post(face.path, data=face.body(), headers={"Content-Type": "text/plain"}) as answer:
        assert answer.status == 415
    assert edge.gateway.calls == []


@every_face
@pytest.mark.parametrize("stream", [False, True])
async def test_a_failure_before_content(face: Spoken, stream: bool) -> None:
    """Whole or streamed, it has a status of its own and says when to come back."""
    async with (
        running_edge([OVERLOADED]) as edge,
        edge.client.post(face.path, data=face.body(stream=stream), headers=JSON_BODY) as answer,
    ):
        assert answer.status == (529 if face is MESSAGES else 503)
        assert (answer.headers["Retry-After"], answer.content_type) == ("2", "application/json")
        assert error_message(face.path, await answer.json()) == "Busy."


@every_face
async def test_a_stream_that_fails_after_content(face: Spoken) -> None:
    """It ends with the face's event of a failure and nothing after it."""
    async with running_edge([make_text_batch("half"), GONE]) as edge:
        answer = await edge.raw(post_bytes(face.body(stream=True), "Connection: close", path=face.path))
    body = body_of(answer)
    assert b"half" in body.partition(face.failed)[0]
    assert body.count(b"Gone.") == 1
    assert body.rstrip().endswith(b"}")
    assert answer.endswith(b"\r\n0\r\n\r\n")


@every_face
async def test_a_failure_after_the_last_chunk_is_none(face: Spoken, caplog: pytest.LogCaptureFixture) -> None:
    """The client has all that there is; the log has the failure."""
    async with running_edge([*HELLO, GONE]) as edge:
        answer = await edge.raw(post_bytes(face.body(stream=True), "Connection: close", path=face.path))
    assert b"Gone." not in answer
    assert "failed after its last chunk" in caplog.text


@every_face
async def test_a_bug_is_masked(face: Spoken) -> None:
    """Whatever comes out of the gateway unexpectedly is a 500 that tells no secret."""
    async with (
        running_edge([RuntimeError("secret")]) as edge,
        edge.client.post(face.path, data=face.body(), headers=JSON_BODY) as answer,
    ):
        assert answer.status == 500
        assert "secret" not in await answer.text()


@every_face
async def test_a_silent_stream_is_kept_alive(face: Spoken) -> None:
    """When the hold is over the status line goes out, and something that no client takes for content follows each silence."""
    script = [0.1, make_text_batch("a"), 0.1, make_last_batch()]
    async with running_edge(script, first_byte_hold_s=0.02, comment_interval_s=0.03) as edge:
        answer = await edge.raw(post_bytes(face.body(stream=True), "Connection: close", path=face.path))
    keep_alive = b'event: ping\ndata: {"type":"ping"}\n\n' if face is MESSAGES else b": TRUNKLINE PROCESSING\n\n"
    body = body_of(answer)
    assert body.startswith(keep_alive)
    assert body.count(keep_alive) >= 4
    assert b"error" not in body.replace(b'"error":null', b"")


@every_face
async def test_a_failure_after_the_hold_is_an_event(face: Spoken) -> None:
    """The status is out, so that the stream must tell it."""
    async with running_edge([0.1, GONE], first_byte_hold_s=0.02) as edge:
        answer = await edge.raw(post_bytes(face.body(stream=True), "Connection: close", path=face.path))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"Gone." in body_of(answer)


@every_face
@pytest.mark.parametrize(("script", "status"), [([make_text_batch("a"), 60.0], b"200"), ([60.0], b"5")])
async def test_a_gateway_that_stops_says_so(face: Spoken, script: list[Any], status: bytes) -> None:
    """What does not finish in time is told so, by status or by event, and its generator is closed."""
    async with running_edge(script) as edge, edge.connect() as (reader, writer):
        writer.write(post_bytes(face.body(stream=True), path=face.path))
        await asyncio.sleep(0.05)
        await edge.edge.stop(0.05)
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"The gateway is stopping" in answer
    assert edge.gateway.endings == ["closed"]


@every_face
@pytest.mark.parametrize("stream", [False, True])
async def test_leaving_closes_the_generator(face: Spoken, stream: bool) -> None:
    """A client that goes away ends its call within a second."""
    async with running_edge([make_text_batch("a"), 60.0]) as edge:
        async with edge.connect() as (_, writer):
            writer.write(post_bytes(face.body(stream=stream), path=face.path))
            await asyncio.sleep(0.05)
        async with asyncio.timeout(1):
            await edge.gateway.ended.wait()
    assert edge.gateway.endings == ["closed"]


@every_face
async def test_a_large_request(face: Spoken) -> None:
    """A request that a worker thread reads is answered like any other."""
    text = "x" * 200_000
    name, value = next((name, value) for name, value in face.asked.items() if name in ("messages", "input", "prompt"))
    large = [{"role": "user", "content": text}] if isinstance(value, list) else text
    sent = {"data": face.body(**{name: large}), "headers": JSON_BODY}
    async with running_edge(HELLO) as edge, edge.client.post(face.path, **sent) as answer:
        assert answer.status == 200
    assert edge.gateway.calls[0].request.messages[-1].user.content[0].text == text
    assert edge.gateway.calls[0].size_bytes > 200_000


class QuietFace(ChatFace):
    """Chat completions that keep all content for the end."""

    def _begin(self, call: Call) -> Renderer:
        return QuietRenderer(super()._begin(call))


class QuietRenderer:
    """Says nothing of a batch until it is asked for the end."""

    def __init__(self, loud: Renderer) -> None:
        self._loud = loud
        self._kept = b""

    def feed(self, batch: Batch) -> bytes:
        """Keeps the events."""
        self._kept += self._loud.feed(batch)
        return b""

    def end(self) -> bytes:
        """All that was kept."""
        return self._kept + self._loud.end()

    def fail(self, error: GatewayError) -> bytes:
        """The failure alone."""
        return self._loud.fail(error)


@pytest.mark.parametrize(("last", "status", "said"), [(make_last_batch(), b"200", b"[DONE]"), (GONE, b"502", b"Gone.")])
async def test_a_face_that_says_nothing_yet(last: Any, status: bytes, said: bytes) -> None:
    """As long as no bytes have left, a failure has a status of its own, whatever the provider has said."""
    face = QuietFace(server._FACADE, make_codec())
    async with running_edge([make_text_batch("a"), make_text_batch("b"), last]) as edge:
        served = {"gateway": edge.gateway, "admission": make_admission(), "options": HttpEdgeOptions()}
        edge.edge._routes.add("POST", "/v1/quiet", FaceRoute(face, **served))
        answer = await edge.raw(post_bytes(orjson.dumps(STREAMED), "Connection: close", path="/v1/quiet"))
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert said in answer


def test_faces_keep_to_their_protocol() -> None:
    """Each has a path of its own, and refuses, reads and lets in without a socket."""
    faces = make_faces(make_codec(), lambda: 5.0)
    assert [face.path for face in faces] == ["/v1/chat/completions", *(spoken.path for spoken in ALL.values())]
    refusals = [face.refuse(GONE, "req-1") for face in faces]
    assert [refusal.status for refusal in refusals] == [502, 500, 502, 502]
    assert all(orjson.loads(refusal.body)["error"]["message"] == "Gone." for refusal in refusals)


@pytest.mark.parametrize("value", [None, [], "x", 7])
def test_a_body_is_an_object(value: object) -> None:
    """Anything else is a fault of the whole body."""
    with pytest.raises(ShapeFaults, match="body: must be an object"):
        read_object(value)
