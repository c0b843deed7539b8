# SPDX-License-Identifier: Apache-2.0
"""The HTTP upstream against a real server that misbehaves as scripted."""

import asyncio
import gzip
import socket
import sys
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from support.fault_upstream import (
    Answer,
    Close,
    FaultUpstream,
    Hang,
    Pause,
    Reset,
    Step,
    json_answer,
    stream_answer,
    text_chunk,
)
from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.core.ports import UpstreamAnswer, UpstreamRequest
from trunkline_server.upstream.auth import Secret
from trunkline_server.upstream.http import HttpUpstream
from trunkline_server.upstream.wire import Connector

KEY = "sk-canary-1234"
BODY = b'{"model":"x"}'


def make_request(**fields: Any) -> UpstreamRequest:
    """A request that has 10 seconds."""
    return UpstreamRequest(**{"path": "/chat/completions", "body": BODY, "deadline_s": time.monotonic() + 10, **fields})


@pytest.fixture
async def opened() -> AsyncIterator[list[HttpUpstream]]:
    """The upstreams that a test has opened, which are closed after it."""
    upstreams: list[HttpUpstream] = []
    yield upstreams
    for upstream in upstreams:
        await upstream.close()


def connect(opened: list[HttpUpstream], base_url: str) -> HttpUpstream:
    """An upstream with a key."""
    opened.append(HttpUpstream(base_url=base_url, secret=Secret(KEY)))
    return opened[-1]


async def read_all(upstream: HttpUpstream, **fields: Any) -> tuple[int, bytes]:
    """Status and whole body of an answer."""
    async with upstream.send(make_request(**fields)) as answer:
        return answer.status, b"".join([block async for block in answer.blocks()])


async def failure(upstream: HttpUpstream, **fields: Any) -> str:
    """The reason for which a request fails."""
    with pytest.raises(GatewayError) as caught:
        await read_all(upstream, **fields)
    return reason_name(caught.value.reason)


async def test_what_is_sent(opened: list[HttpUpstream]) -> None:
    """The body arrives as it is, at the base URL's path, with the key and the dialect's headers."""
    async with FaultUpstream(json_answer({"ok": True})) as server:
        status, body = await read_all(
            connect(opened, server.base_url), headers={"content-type": "application/json", "accept": "x/y"}
        )
        received = server.requests[0]
    assert (status, body) == (200, b'{"ok":true}')
    assert (received.method, received.path, received.body) == ("POST", "/v1/chat/completions", BODY)
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert (received.headers["content-type"], received.headers["accept"]) == ("application/json", "x/y")
    assert received.headers["accept-encoding"] == "identity"
    assert received.headers["content-length"] == str(len(BODY))


async def test_a_dialect_cannot_set_what_is_ours(opened: list[HttpUpstream]) -> None:
    """Headers that carry credentials or frame the message come from the upstream alone."""
    async with FaultUpstream(json_answer({})) as server:
        own = {"Authorization": "Bearer stolen", "HOST": "evil.test", "Cookie": "a=b", "Content-Length": "1"}
        await read_all(connect(opened, server.base_url), headers=own)
        headers = server.requests[0].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert (headers["content-length"], headers.get("cookie")) == (str(len(BODY)), None)


async def test_a_large_body_is_sent_whole(opened: list[HttpUpstream]) -> None:
    """A body of some MiB goes out in pieces, with its length."""
    body = b"x" * (3 << 20)
    async with FaultUpstream(json_answer({})) as server:
        await read_all(connect(opened, server.base_url), body=body)
        received = server.requests[0]
    assert received.body == body
    assert received.headers["content-length"] == str(len(body))


async def test_the_head_is_read(opened: list[HttpUpstream]) -> None:
    """Status and headers, in lower case, are known before the body."""
    async with (
        FaultUpstream(json_answer({}, status=429, headers={"Retry-After": "7"})) as server,
        connect(opened, server.base_url).send(make_request()) as answer,
    ):
        assert (answer.status, answer.headers["retry-after"]) == (429, "7")


async def test_blocks_come_as_they_are_read(opened: list[HttpUpstream]) -> None:
    """Each network read is a block; nothing waits for more."""
    async with (
        FaultUpstream(Answer(steps=[b"a", Pause(seconds=0.05), b"b", Pause(seconds=0.05), b"c"])) as server,
        connect(opened, server.base_url).send(make_request()) as answer,
    ):
        assert [block async for block in answer.blocks()] == [b"a", b"b", b"c"]


ANSWER_HEAD = b"HTTP/1.1 200 OK\r\n"
GZIP = {"content-encoding": "gzip"}
BROKEN: list[tuple[str, list[Step], bool, str]] = [
    ("F09 reset before the head", [Reset()], True, "PROVIDER_UNAVAILABLE"),
    ("closed before the head", [Close()], True, "PROVIDER_UNAVAILABLE"),
    ("closed inside the head", [ANSWER_HEAD + b"Conte", Close()], True, "PROVIDER_UNAVAILABLE"),
    ("F11 reset inside the body", [b"abc", Pause(seconds=0.05), Reset()], False, "PROVIDER_UNAVAILABLE"),
    ("F12 no last chunk", [b"abc", Pause(seconds=0.05), Close()], False, "PROVIDER_UNAVAILABLE"),
    ("F13 body too short", [ANSWER_HEAD + b"Content-Length: 9\r\n\r\nabc", Close()], True, "PROVIDER_UNAVAILABLE"),
    (
        "F15 both lengths",
        [ANSWER_HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"],
        True,
        "PROVIDER_INVALID_RESPONSE",
    ),
    ("not HTTP", [b"SSH-2.0-x\r\n\r\n"], True, "PROVIDER_INVALID_RESPONSE"),
    ("a head without end", [ANSWER_HEAD + b"X: " + b"x" * 100_000], True, "PROVIDER_INVALID_RESPONSE"),
]


@pytest.mark.parametrize(("steps", "raw", "reason"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
async def test_broken_answers(opened: list[HttpUpstream], steps: list[Step], raw: bool, reason: str) -> None:
    """An answer that breaks off, or is no HTTP, is the provider's failure."""
    async with FaultUpstream(Answer(raw=raw, steps=steps)) as server:
        assert await failure(connect(opened, server.base_url)) == reason
        assert len(server.requests) == 1


async def test_odd_but_whole_answers(opened: list[HttpUpstream]) -> None:
    """F56: early hints, an odd reason phrase and trailers are tolerated."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    chunked = b"HTTP/1.1 200 Very Odd Indeed\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Trailer: y\r\n\r\n"
    async with FaultUpstream(Answer(raw=True, steps=[hints + chunked])) as server:
        assert await read_all(connect(opened, server.base_url)) == (200, b"abc")


async def test_a_redirect_is_an_answer(opened: list[HttpUpstream]) -> None:
    """F55: a redirect is not followed, so the key goes nowhere else."""
    async with FaultUpstream(json_answer({})) as other:
        async with FaultUpstream(Answer(status=307, headers={"location": other.base_url})) as server:
            assert await read_all(connect(opened, server.base_url)) == (307, b"")
        assert other.requests == []


async def test_compressed_answers(opened: list[HttpUpstream]) -> None:
    """A compressed body is read although none was asked for; F22: a broken one is a failure."""
    async with FaultUpstream(
        Answer(headers=GZIP, steps=[gzip.compress(b"hello")]), Answer(headers=GZIP, steps=[b"not gzip at all"])
    ) as server:
        upstream = connect(opened, server.base_url)
        assert await read_all(upstream) == (200, b"hello")
        assert await failure(upstream) == "PROVIDER_INVALID_RESPONSE"


async def test_a_bomb_comes_in_small_blocks(opened: list[HttpUpstream]) -> None:
    """F23: a body that swells a thousandfold is read piece by piece, so that who reads it can stop."""
    bomb = gzip.compress(b"\0" * (64 << 20))
    async with (
        FaultUpstream(Answer(headers=GZIP, steps=[bomb])) as server,
        connect(opened, server.base_url).send(make_request()) as answer,
    ):
        sizes = [len(block) async for _, block in azip(range(10), answer.blocks())]
    assert max(sizes) <= 1 << 20


async def azip(numbers: range, blocks: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    """So many blocks, numbered."""
    for number in numbers:
        yield number, await anext(blocks)


async def test_unreachable(opened: list[HttpUpstream]) -> None:
    """F01: nobody listens."""
    async with FaultUpstream() as server:
        pass
    assert await failure(connect(opened, server.base_url)) == "PROVIDER_UNAVAILABLE"


async def test_no_tls(opened: list[HttpUpstream]) -> None:
    """F04: a server that does not speak TLS where TLS is due."""
    async with FaultUpstream() as server:
        assert await failure(connect(opened, server.base_url.replace("http:", "https:"))) == "PROVIDER_UNAVAILABLE"


async def test_connecting_takes_too_long(opened: list[HttpUpstream]) -> None:
    """F05: the connect time-out covers TLS too: the system accepts and nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        upstream = connect(opened, f"https://127.0.0.1:{silent.getsockname()[1]}")
        assert await failure(upstream, connect_timeout_s=0.1) == "PROVIDER_TIMEOUT"


def in_100_ms() -> float:
    """A moment soon."""
    return time.monotonic() + 0.1


DROPS: list[Step] = [step for byte in ANSWER_HEAD for step in (bytes([byte]), Pause(seconds=0.03))]
SILENT = [
    ("F06 no head", Answer(raw=True, steps=[Hang()]), {"first_byte_timeout_s": 0.1}, "PROVIDER_TIMEOUT"),
    ("F07 no body", Answer(steps=[Hang()]), {"first_content_timeout_s": 0.1}, "PROVIDER_TIMEOUT"),
    (
        "F08 a head in drops",
        Answer(raw=True, steps=DROPS),
        {"first_byte_timeout_s": 0.1},
        "PROVIDER_TIMEOUT",
    ),
    ("F07 no content", Answer(steps=[b"a", Hang()]), {"first_content_timeout_s": 0.1}, "PROVIDER_TIMEOUT"),
    (
        "F27 no end",
        Answer(steps=[b"a", Pause(seconds=0.02)] * 99),
        {"total_timeout_s": 0.1},
        "PROVIDER_TIMEOUT",
    ),
    ("deadline before the head", Answer(raw=True, steps=[Hang()]), {"deadline_s": in_100_ms}, "DEADLINE_EXCEEDED"),
    ("deadline before the body", Answer(steps=[Hang()]), {"deadline_s": in_100_ms}, "DEADLINE_EXCEEDED"),
    (
        "deadline in the body",
        Answer(steps=[b"a", Pause(seconds=0.02)] * 99),
        {"deadline_s": in_100_ms},
        "DEADLINE_EXCEEDED",
    ),
]


@pytest.mark.parametrize(
    ("answer", "limits", "reason"), [case[1:] for case in SILENT], ids=[case[0] for case in SILENT]
)
async def test_time_limits(opened: list[HttpUpstream], answer: Answer, limits: dict[str, Any], reason: str) -> None:
    """Silence is the provider's time-out, the deadline the call's; either way the server sees the connection end within a second."""
    given = {name: limit() if callable(limit) else limit for name, limit in limits.items()}
    async with FaultUpstream(answer) as server:
        assert await failure(connect(opened, server.base_url), **given) == reason
        await asyncio.wait_for(server.requests[0].aborted.wait(), 1)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        pytest.param({"first_byte_timeout_s": 0.1, "idle_timeout_s": 0.1}, None, id="before the first content"),
        pytest.param({"first_content_timeout_s": 0.1, "idle_timeout_s": 0.1}, "PROVIDER_TIMEOUT", id="after it"),
    ],
)
async def test_a_model_that_thinks_is_not_cut(
    opened: list[HttpUpstream], limits: dict[str, float], reason: str | None
) -> None:
    """F07: the idle time-out holds once content has come; before that neither it nor the time-out of the head, which has come."""
    async with (
        FaultUpstream(Answer(steps=[b"a", Pause(seconds=0.3), b"b"])) as server,
        connect(opened, server.base_url).send(make_request(**limits)) as answer,
    ):
        blocks = answer.blocks()
        assert await anext(blocks) == b"a"
        if reason is not None:
            answer.note_content()
        assert await outcome(blocks) == (reason or "b")


async def outcome(blocks: AsyncIterator[bytes]) -> str:
    """The next block, or the reason why there is none."""
    try:
        return (await anext(blocks)).decode()
    except GatewayError as error:
        return reason_name(error.reason)


async def test_an_expired_call_is_not_sent(opened: list[HttpUpstream]) -> None:
    """F61: where the deadline has passed already, nothing is sent."""
    async with FaultUpstream() as server:
        assert await failure(connect(opened, server.base_url), deadline_s=time.monotonic() - 1) == "DEADLINE_EXCEEDED"
        assert server.requests == []


async def test_a_slow_reader_is_no_silent_provider(opened: list[HttpUpstream]) -> None:
    """The idle time-out counts the time spent waiting for the provider, not the time spent elsewhere."""
    async with (
        FaultUpstream(Answer(steps=[b"a", Pause(seconds=0.02), b"b"])) as server,
        connect(opened, server.base_url).send(make_request(idle_timeout_s=0.1)) as answer,
    ):
        blocks = answer.blocks()
        assert await anext(blocks) == b"a"
        await asyncio.sleep(0.3)
        assert await anext(blocks) == b"b"


async def leave_half_read(upstream: HttpUpstream) -> None:
    """Reads one block and fails."""
    async with upstream.send(make_request()) as answer:
        await anext(answer.blocks())
        raise RuntimeError("enough")


async def test_leaving_aborts_at_once(opened: list[HttpUpstream]) -> None:
    """P-12: leaving an answer half read reaches the server within a second."""
    async with FaultUpstream(stream_answer(text_chunk("a"), done=False, end=[Hang()])) as server:
        with pytest.raises(RuntimeError, match="enough"):
            await leave_half_read(connect(opened, server.base_url))
        await asyncio.wait_for(server.requests[0].aborted.wait(), 1)


@pytest.mark.parametrize(
    "answer", [Answer(raw=True, steps=[Hang()]), Answer(steps=[b"a", Hang()])], ids=["before the head", "in the body"]
)
async def test_cancelling_aborts_at_once(opened: list[HttpUpstream], answer: Answer) -> None:
    """Cancelling the task that reads, or waits for the head, reaches the server and is not swallowed."""
    async with FaultUpstream(answer) as server:
        task = asyncio.create_task(read_all(connect(opened, server.base_url)))
        await server.wait_for_requests(1)
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.requests[0].aborted.wait(), 1)


async def test_a_connection_is_used_again(opened: list[HttpUpstream]) -> None:
    """An answer read to its end gives its connection back, one left half read does not."""
    async with FaultUpstream(
        stream_answer(text_chunk("a")),
        json_answer({"error": 1}, status=500),
        stream_answer(text_chunk("a"), done=False, end=[Hang()]),
        json_answer({}),
    ) as server:
        upstream = connect(opened, server.base_url)
        await read_all(upstream)
        await read_all(upstream)
        async with upstream.send(make_request()) as answer:
            await anext(answer.blocks())
        await read_all(upstream)
        first, second, third, fourth = (received.connection for received in server.requests)
    assert first == second == third
    assert fourth != third


async def test_an_answer_that_is_whole_before_its_body_ends(opened: list[HttpUpstream]) -> None:
    """Who stops reading at the end of the answer waits a moment for the end of the body, and the connection is used again."""
    end: list[Step] = [Pause(seconds=0.01)]
    async with FaultUpstream(stream_answer(text_chunk("a"), end=end)) as server:
        upstream = connect(opened, server.base_url)
        for _ in range(2):
            async with upstream.send(make_request()) as answer:
                await anext(answer.blocks())
        first, second = (received.connection for received in server.requests)
    assert first == second


async def test_a_stale_connection_costs_nothing(opened: list[HttpUpstream]) -> None:
    """F09: a kept connection that the server has closed meanwhile is replaced once, unseen."""
    stale = Answer(raw=True, steps=[Reset()])
    async with FaultUpstream(json_answer({"n": 1}), stale, json_answer({"n": 2}), stale, stale) as server:
        upstream = connect(opened, server.base_url)
        assert await read_all(upstream) == (200, b'{"n":1}')
        assert await read_all(upstream) == (200, b'{"n":2}')
        assert len(server.requests) == 3
        assert await failure(upstream) == "PROVIDER_UNAVAILABLE"
        assert len(server.requests) == 5


async def test_a_large_body_goes_to_the_new_connection_whole(
    opened: list[HttpUpstream], monkeypatch: pytest.MonkeyPatch
) -> None:
    """F09: also where the new connection takes longer to open than a body is kept for a connection that works."""
    stale, body, connect_late = Answer(raw=True, steps=[Reset()]), b"x" * 10_000, Connector.open

    async def open_late(self: Connector, target: Any, timeout_s: float) -> Any:
        await asyncio.sleep(1.2)
        return await connect_late(self, target, timeout_s)

    async with FaultUpstream(json_answer({}), stale, json_answer({"n": 2})) as server:
        upstream = connect(opened, server.base_url)
        await read_all(upstream)
        monkeypatch.setattr(Connector, "open", open_late)
        assert await read_all(upstream, body=body) == (200, b'{"n":2}')
        assert server.requests[-1].body == body


async def test_several_stale_connections_cost_nothing(opened: list[HttpUpstream]) -> None:
    """Where all kept connections were closed, as by a restart of the provider, a call goes over a new one."""
    slow = Answer(headers={"content-length": "2"}, steps=[Pause(seconds=0.1), b"{}"])
    stale = Answer(raw=True, steps=[Reset()])
    async with FaultUpstream(slow, slow, stale, json_answer({"n": 3})) as server:
        upstream = connect(opened, server.base_url)
        await asyncio.gather(read_all(upstream), read_all(upstream))
        assert await read_all(upstream) == (200, b'{"n":3}')
        connections = [received.connection for received in server.requests]
    assert connections[3] not in connections[:3]


async def test_work_that_broke_off_is_not_asked_for_again(opened: list[HttpUpstream]) -> None:
    """A kept connection that breaks only after a while was no stale one: the provider had begun to work."""
    broken = Answer(raw=True, steps=[Pause(seconds=1.2), Close()])
    async with FaultUpstream(json_answer({}), broken, json_answer({})) as server:
        upstream = connect(opened, server.base_url)
        await read_all(upstream)
        assert await failure(upstream) == "PROVIDER_UNAVAILABLE"
        assert len(server.requests) == 2


async def test_an_answer_begun_is_not_asked_for_again(opened: list[HttpUpstream]) -> None:
    """A kept connection that breaks after bytes of an answer is a failure, since the provider may have worked already."""
    async with FaultUpstream(json_answer({}), Answer(raw=True, steps=[ANSWER_HEAD + b"X: ", Close()])) as server:
        upstream = connect(opened, server.base_url)
        await read_all(upstream)
        assert await failure(upstream) == "PROVIDER_UNAVAILABLE"
        assert len(server.requests) == 2


async def test_a_slow_reader_slows_the_provider(opened: list[HttpUpstream]) -> None:
    """P-13: of an endless body no more is taken than the buffers hold while nobody reads."""
    written = 0

    def count(_: object) -> Answer:
        return Answer(steps=Endless())

    class Endless(list[Step]):
        def __iter__(self) -> Any:
            nonlocal written
            while True:
                written += 1
                yield b"x" * 65_536

    async with FaultUpstream(count) as server:
        async with connect(opened, server.base_url).send(make_request()) as answer:
            await anext(answer.blocks())
            await asyncio.sleep(0.3)
            before = written
            await asyncio.sleep(0.2)
            assert written == before
        await asyncio.wait_for(server.requests[0].aborted.wait(), 1)


async def test_the_key_is_nowhere(opened: list[HttpUpstream]) -> None:
    """Neither the upstream's repr nor a failure, its causes or its traceback holds the key."""
    async with FaultUpstream(
        Answer(raw=True, steps=[b"SSH-2.0-x\r\n\r\n"]), Answer(raw=True, steps=[Reset()])
    ) as server:
        upstream = connect(opened, server.base_url)
        texts = [repr(upstream)]
        for _ in range(2):
            with pytest.raises(GatewayError) as caught:
                await read_all(upstream)
            error: BaseException | None = caught.value
            texts += traceback.format_exception(caught.value)
            while error is not None:
                texts += [repr(error), repr(error.args)]
                error = error.__cause__ or error.__context__
    assert [text for text in texts if KEY in text] == []


@pytest.mark.parametrize(
    "base_url",
    [
        "ftp://a.test",
        "a.test/v1",
        "http://",
        "https://user:pass@a.test",
        "https://a.test/?x=1",
        "https://a.test/#x",
        "",
    ],
)
def test_a_base_url_must_be_plain(base_url: str) -> None:
    """A base URL names a host and a path, nothing else."""
    with pytest.raises(ValueError, match=r"must be an http"):
        HttpUpstream(base_url=base_url)


@pytest.mark.parametrize("path", ["", "chat", "@evil.test/", ".evil.test/"])
def test_a_path_cannot_change_the_host(path: str) -> None:
    """A path begins with a slash, so it cannot become part of the host."""
    with pytest.raises(ValueError, match="slash"):
        HttpUpstream(base_url="https://a.test").send(make_request(path=path))


async def test_closing_twice_is_fine() -> None:
    """An upstream may be closed without having been used, and again."""
    upstream = HttpUpstream(base_url="http://127.0.0.1:1")
    await upstream.close()
    await upstream.close()


async def enter(exchange: AbstractAsyncContextManager[UpstreamAnswer]) -> None:
    """Waits for the head of an answer."""
    async with exchange:
        pass


@pytest.mark.parametrize(
    ("size_bytes", "plays", "within_s"),
    [
        pytest.param(10_000, 1, 0.5, id="new connection"),
        pytest.param(1_000_000, 1, 0.5, id="new connection, large"),
        pytest.param(10_000, 2, 1.5, id="kept connection"),
        pytest.param(1_000_000, 2, 1.5, id="kept connection, large"),
    ],
)
async def test_the_body_goes_once_it_is_sent(
    opened: list[HttpUpstream], size_bytes: int, plays: int, within_s: float
) -> None:
    """While a model thinks nobody holds what it was asked; on a kept connection for the moment more in which that may turn out to be closed."""
    body = b"x" * size_bytes
    idle = sys.getrefcount(body)
    async with FaultUpstream(*([json_answer({})] * (plays - 1)), Answer(raw=True, steps=[Hang()])) as server:
        upstream = connect(opened, server.base_url)
        for _ in range(plays - 1):
            await read_all(upstream)
        exchange = upstream.send(make_request(body=body))
        waiting = asyncio.create_task(enter(exchange))
        async with asyncio.timeout(within_s):
            while len(server.requests) < plays or sys.getrefcount(body) > idle:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        assert not waiting.done()
        assert server.requests[-1].body == body
        waiting.cancel()
        await asyncio.wait([waiting])
