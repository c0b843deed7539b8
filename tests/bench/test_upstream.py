# SPDX-License-Identifier: Apache-2.0
"""The bench's fake upstream over real sockets: what it answers on HTTP/1.1 and on gRPC, and when."""

import http.client
import itertools
import json
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from support.bench_programs import (
    HTTP_PATH,
    STAMP,
    RunningUpstream,
    build_programs,
    port_for,
    running_upstream,
    write_grpc_files,
)
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_service_pb2_grpc import ChatServiceStub

GAP_MS = 20


@pytest.fixture(scope="module")
def programs() -> Path:
    """The folder of the built programs."""
    return build_programs()


@pytest.fixture(scope="module")
def upstream(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningUpstream]:
    """An upstream with 100 chunks in a stream and 20 ms between those of a paced one."""
    with running_upstream(programs, tmp_path_factory.mktemp("upstream"), f"--gap-us={GAP_MS * 1000}") as running:
        yield running


@pytest.fixture(scope="module")
def short_upstream(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningUpstream]:
    """The same with 10 chunks in a stream."""
    folder = tmp_path_factory.mktemp("short")
    with running_upstream(programs, folder, f"--gap-us={GAP_MS * 1000}", "--chunks=10") as running:
        yield running


def post(upstream: RunningUpstream, body: bytes, **headers: str) -> tuple[int, str]:
    """Send a request on a connection of its own and give the answer's status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", upstream.http_port, timeout=20)
    try:
        connection.request("POST", HTTP_PATH, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def ask(**members: Any) -> bytes:
    """A small request; `members` are added to it."""
    return json.dumps({"messages": [{"role": "user", "content": "burst paced idle"}], **members}).encode()


def events_of(body: str) -> list[str]:
    """What stands behind `data: ` in each event of a stream."""
    return [event.removeprefix("data: ") for event in body.removesuffix("\n\n").split("\n\n")]


def stamps_of(text: str) -> list[int]:
    """The stamps of a text, in nanoseconds."""
    return [int(digits) for digits in STAMP.findall(text)]


def test_a_whole_answer(upstream: RunningUpstream) -> None:
    """A call that does not stream gets a chat.completion of 600 bytes with usage; words of the prompt choose nothing."""
    status, body = post(upstream, ask(model="some"))
    answer = json.loads(body)
    assert (status, len(body), answer["object"]) == (200, 600, "chat.completion")
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["total_tokens"] == 600


def test_a_burst(upstream: RunningUpstream) -> None:
    """A burst has 100 events of 200 bytes with stamps of this machine's clock, a finish, a usage chunk and [DONE]."""
    before = time.monotonic_ns()
    _, body = post(upstream, ask(model="my-burst", stream=True, stream_options={"include_usage": True}))
    *chunks, finish, usage, done = events_of(body)
    stamps = stamps_of("".join(json.loads(chunk)["choices"][0]["delta"]["content"] for chunk in chunks))
    assert {len(f"data: {chunk}\n\n") for chunk in chunks} == {200}
    assert len(stamps) == len(chunks) == 100
    assert before <= min(stamps) <= max(stamps) <= time.monotonic_ns()
    assert json.loads(finish)["choices"][0]["finish_reason"] == "stop"
    assert (json.loads(usage)["choices"], json.loads(usage)["usage"]["completion_tokens"]) == ([], 100)
    assert done == "[DONE]"


@pytest.mark.parametrize(
    ("members", "chunks", "events"),
    [
        ({"model": "plain", "stream": True}, 100, 102),
        ({"model": "plain", "stream": True, "stream_options": {"include_usage": False}}, 100, 102),
        ({"model": "plain", "stream": True, "stream_options": {"include_usage": True}}, 100, 103),
        ({"model": "a burst", "stream": False}, 100, 102),
        ({"model": "plain", "stream": False}, 0, 1),
        ({"stream": True}, 100, 102),
    ],
)
def test_what_chooses_the_answer(upstream: RunningUpstream, members: dict[str, Any], chunks: int, events: int) -> None:
    """The model's word decides, else `stream`; the usage chunk comes where it is asked for."""
    _, body = post(upstream, ask(**members))
    assert (len(stamps_of(body)), len(events_of(body))) == (chunks, events)


def test_a_paced_stream_keeps_its_gap(short_upstream: RunningUpstream) -> None:
    """Chunks leave on a grid: lateness of one does not shift the others, and they do not leave together."""
    _, body = post(short_upstream, ask(model="paced", stream=True))
    stamps = stamps_of(body)
    gaps_ms = [(after - before) / 1e6 for before, after in itertools.pairwise(stamps)]
    assert len(stamps) == 10
    assert events_of(body)[-1] == "[DONE]"
    assert (stamps[-1] - stamps[0]) / 1e6 >= 9 * GAP_MS - 1
    assert GAP_MS / 2 < statistics.median(gaps_ms) < GAP_MS * 2


def test_an_idle_stream(upstream: RunningUpstream) -> None:
    """An idle stream sends one chunk and is silent; when the client has left, the upstream serves on."""
    with socket.create_connection(("127.0.0.1", upstream.http_port), timeout=20) as client:
        body = ask(model="idle")
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        got = client.recv(65536)
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
    assert len(stamps_of(got.decode())) == 1
    assert post(upstream, ask(model="some"))[0] == 200


REQUESTS = {
    "length": b"POST /x HTTP/1.1\r\nHost: a\r\ncontent-length: 18\r\n\r\n" + b'{ "model" : "some"',
    "chunks": b'POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n8;x=y\r\n{"model"\r\n7\r\n:"some"\r\n0\r\nA: b\r\n\r\n',
    "no body": b"POST /x HTTP/1.1\r\n\r\n",
}


def exchange(upstream: RunningUpstream, parts: list[bytes]) -> bytes:
    """Send parts one by one, and read until the upstream closes the connection."""
    got = b""
    with socket.create_connection(("127.0.0.1", upstream.http_port), timeout=20) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            client.sendall(part)
        while piece := client.recv(65536):
            got += piece
    return got


@pytest.mark.parametrize("request_bytes", REQUESTS.values(), ids=REQUESTS.keys())
def test_requests_in_any_pieces(upstream: RunningUpstream, request_bytes: bytes) -> None:
    """Requests byte by byte, and two in one write, are answered one after the other; `Connection: close` ends them."""
    last = request_bytes.replace(b"/x HTTP/1.1\r\n", b"/x HTTP/1.1\r\nConnection: close\r\n")
    sent_in = ([bytes([byte]) for byte in last], [request_bytes + last], [request_bytes, last])
    answers = [exchange(upstream, parts).count(b"HTTP/1.1 200 OK") for parts in sent_in]
    assert answers == [1, 2, 2]


def test_a_request_behind_a_stream(short_upstream: RunningUpstream) -> None:
    """A request that comes while a paced stream runs is answered behind it."""
    stream = ask(model="paced")
    head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(stream)
    last = b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
    got = exchange(short_upstream, [head, stream, last])
    assert (got.count(b"HTTP/1.1 200 OK"), len(stamps_of(got.decode())), got[-1:]) == (2, 10, b"}")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"405"),
        (b"POST / HTTP/1.0\r\n\r\n", b"505"),
        (b"POST\r\n\r\n", b"405"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nA:".ljust(65_536, b"a"), b"431"),
    ],
)
def test_what_it_refuses(upstream: RunningUpstream, request_bytes: bytes, status: bytes) -> None:
    """Whatever is no POST of HTTP/1.1 is refused, and the connection closed."""
    assert exchange(upstream, [request_bytes]).split()[1] == status


def test_a_slow_reader_gets_all(programs: Path, tmp_path: Path) -> None:
    """What the socket does not take is kept and sent when there is room."""
    with running_upstream(programs, tmp_path, "--chunks=2000", "--chunk-bytes=4000") as running:
        connection = http.client.HTTPConnection("127.0.0.1", running.http_port, timeout=20)
        connection.request("POST", HTTP_PATH, ask(model="burst"))
        time.sleep(0.2)
        body = connection.getresponse().read()
        connection.close()
    assert len(stamps_of(body.decode())) == 2000


@pytest.fixture
def chat(upstream: RunningUpstream) -> Iterator[ChatServiceStub]:
    """The typed service on the upstream's gRPC port."""
    with grpc.insecure_channel(f"127.0.0.1:{port_for(upstream, 'grpc')}") as channel:
        yield ChatServiceStub(channel)


def test_grpc_whole(chat: ChatServiceStub) -> None:
    """A unary call gets the prepared answer, whatever the model's word."""
    answer = chat.CreateChatCompletion(ChatCompletionRequest(model="burst"), timeout=20)
    assert answer.choices[0].message.content[0].text == "whole"


@pytest.mark.parametrize("model", ["plain", "burst"])
def test_grpc_burst(chat: ChatServiceStub, model: str) -> None:
    """A stream has 100 messages, each with a stamp of its own in place of the placeholder, and ends with status 0."""
    before = time.monotonic_ns()
    chunks = list(chat.StreamChatCompletion(ChatCompletionRequest(model=model), timeout=20))
    stamps = stamps_of("".join(chunk.choices[0].delta.content for chunk in chunks))
    assert len(stamps) == len(chunks) == 100
    assert before <= min(stamps) <= max(stamps) <= time.monotonic_ns()


def test_grpc_paced(short_upstream: RunningUpstream) -> None:
    """A paced stream keeps its gap on gRPC as on HTTP."""
    with grpc.insecure_channel(f"127.0.0.1:{port_for(short_upstream, 'grpc')}") as channel:
        chunks = list(ChatServiceStub(channel).StreamChatCompletion(ChatCompletionRequest(model="paced"), timeout=20))
    stamps = stamps_of("".join(chunk.choices[0].delta.content for chunk in chunks))
    assert len(stamps) == 10
    assert (stamps[-1] - stamps[0]) / 1e6 >= 9 * GAP_MS - 1


def test_grpc_idle(chat: ChatServiceStub) -> None:
    """An idle stream sends one message, and may be cancelled."""
    call = chat.StreamChatCompletion(ChatCompletionRequest(model="idle"), timeout=20)
    assert len(stamps_of(next(call).choices[0].delta.content)) == 1
    call.cancel()
    assert chat.CreateChatCompletion(ChatCompletionRequest(), timeout=20).id == "gen-1"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--chunks", "many"], "--chunks wants a whole number"),
        (["--chunk-bytes", "10"], "--chunk-bytes: "),
        (["--gap-us", "-1"], "--gap-us wants a whole number"),
        (["stray"], "stray is no option"),
        (["--answer-bytes", "5"], "--answer-bytes: "),
    ],
)
def test_faulty_options(programs: Path, arguments: list[str], complaint: str) -> None:
    """A faulty option ends the program with a line that names it."""
    run = subprocess.run([programs / "upstream", *arguments], capture_output=True, text=True, check=False, timeout=20)
    assert (run.returncode, complaint in run.stderr) == (2, True)


@pytest.mark.slow
def test_without_libnghttp2(tmp_path: Path) -> None:
    """Without libnghttp2 both programs are built for HTTP alone, and say so when gRPC is asked for."""
    programs = build_programs(tmp_path, "NGHTTP2=no")
    command = [str(programs / "upstream"), *write_grpc_files(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ports = json.loads(process.stdout.readline())
        process.terminate()
        _, complaint = process.communicate(timeout=20)
    assert ports["grpc_port"] is None
    assert "without libnghttp2" in complaint
