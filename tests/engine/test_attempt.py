# SPDX-License-Identifier: Apache-2.0
"""One try at one upstream: what is read, and when the upstream is left."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import pytest

from support.builders import make_finish_chunk, make_role_chunk, make_text_chunk
from support.playbook import FakeUpstream, Hang, Play, Step, TinyDialect, fail, say
from trunkline.v1.chat_response_pb2 import ChatCompletionChunk
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch, UpstreamRequest
from trunkline_server.engine.attempt import attempt

REQUEST = UpstreamRequest(path="/chat", body=b"{}", deadline_s=60.0)
ROLE, TEXT, FINISH = make_role_chunk(), make_text_chunk("a"), make_finish_chunk()


class LateDecoder:
    """Says everything at the end, as for a whole answer."""

    finished = False

    def __init__(self) -> None:
        self.blocks: list[bytes] = []

    def feed(self, block: bytes) -> Batch:
        self.blocks.append(block)
        return []

    def close(self) -> Batch:
        return [ChatCompletionChunk(id=block.decode()) for block in self.blocks]


class LateDialect(TinyDialect):
    """The tiny dialect with a late decoder, which it remembers with the head that it was made for."""

    def decoder(self, *, status: int, headers: Mapping[str, str]) -> Any:
        self.head = (status, headers)
        return LateDecoder()


def play(*steps: Step) -> FakeUpstream:
    """An upstream with one play."""
    return FakeUpstream("a", [Play(*steps)], [])


def begin(upstream: FakeUpstream, dialect: TinyDialect) -> AsyncGenerator[Batch, None]:
    """An attempt with much time."""
    return attempt(upstream.send(REQUEST), dialect, 300.0, time.monotonic, lambda: None)


async def collect(batches: AsyncIterator[Batch]) -> list[Batch]:
    """All batches."""
    return [batch async for batch in batches]


async def test_each_read_is_a_batch() -> None:
    """What a block completes is one batch; a block that completes nothing is none."""
    upstream = play(say(TEXT, TEXT), b"", say(FINISH), say(end=True))
    assert await collect(begin(upstream, TinyDialect())) == [[TEXT, TEXT], [FINISH]]
    assert upstream.requests == [REQUEST]
    assert upstream.log == ["a: sent", "a: left"]


async def test_what_the_decoder_kept_to_the_end_comes_last() -> None:
    """Whole answers are decoded when the body ends; by then the upstream is left."""
    upstream, dialect = play(b"x", b"y"), LateDialect()
    batches = begin(upstream, dialect)
    assert [chunk.id for chunk in await anext(batches)] == ["x", "y"]
    assert upstream.log == ["a: sent", "a: left"]
    assert await collect(batches) == []
    assert dialect.head == (200, {})


async def test_an_empty_end_is_no_batch() -> None:
    """A body without anything makes no batch where the decoder does not mind."""
    assert await collect(begin(play(), LateDialect())) == []


async def test_reading_stops_when_the_decoder_has_heard_enough() -> None:
    """What follows the end of an answer is not read."""
    upstream = play(say(TEXT, end=True), say(FINISH), Hang())
    batches = await asyncio.wait_for(collect(begin(upstream, TinyDialect())), timeout=5)
    assert batches == [[TEXT]]
    assert upstream.log == ["a: sent", "a: left"]


@pytest.mark.parametrize(
    ("steps", "heard"),
    [
        pytest.param([fail(ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT)], 0, id="before the body"),
        pytest.param([say(TEXT), fail(ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT)], 1, id="in the body"),
        pytest.param([say(TEXT)], 1, id="a body cut short"),
    ],
)
async def test_a_failure_goes_through(steps: list[Step], heard: int) -> None:
    """Failures of the upstream and of the decoder are raised after what came before them, and the upstream is left."""
    upstream = play(*steps)
    batches = begin(upstream, TinyDialect())
    assert [await anext(batches) for _ in range(heard)] == [[TEXT]] * heard
    with pytest.raises(GatewayError, match="It failed"):
        await anext(batches)
    assert upstream.log == ["a: sent", "a: left"]


async def test_closing_aborts_the_upstream() -> None:
    """Whoever closes the generator has left the upstream when that returns."""
    upstream = play(say(TEXT), Hang())
    batches = begin(upstream, TinyDialect())
    assert await anext(batches) == [TEXT]
    await batches.aclose()
    assert upstream.log == ["a: sent", "a: left"]


async def test_blocks_are_closed_before_the_connection() -> None:
    """A generator of blocks that was not read to its end is closed inside the upstream's context, not by the garbage collector."""
    upstream = play(say(TEXT), Hang())
    batches = begin(upstream, TinyDialect())
    await anext(batches)
    await batches.aclose()
    assert (upstream.log, upstream.ends) == (["a: sent", "a: left"], ["silence", "blocks", "connection"])


@pytest.mark.parametrize(
    ("steps", "moments", "said"),
    [
        pytest.param([b"", b"", b""], [0.0, 1.0, 2.0, 3.5], [], id="before the first batch"),
        pytest.param([say(ROLE), b""], [0.0, 1.0, 3.5], [[ROLE]], id="after a role"),
        pytest.param([say(TEXT), b"", b""], [0.0, 1.0, 2.0, 302.0], [[TEXT]], id="after content"),
    ],
)
async def test_comments_alone_do_not_keep_an_answer_alive(
    steps: list[Step], moments: list[float], said: list[Batch]
) -> None:
    """Blocks that say nothing are borne until the first content is due, and for minutes once the answer has begun."""
    heard: list[Batch] = []
    sending = play(*steps, say(FINISH)).send(REQUEST)
    batches = attempt(sending, TinyDialect(), 3.0, iter(moments).__next__, lambda: None)
    with pytest.raises(GatewayError) as caught:
        await listen(batches, heard)
    assert caught.value.reason == ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT
    assert heard == said


async def listen(batches: AsyncIterator[Batch], heard: list[Batch]) -> None:
    """Adds each batch to what was heard."""
    async for batch in batches:
        heard.append(batch)  # noqa: PERF401 - what was heard before a failure counts


async def test_the_upstream_hears_of_the_first_content() -> None:
    """From then on silence is bounded otherwise: it is told before the content leaves, and not for a role."""
    upstream = play(say(ROLE), say(TEXT), Hang())
    batches = begin(upstream, TinyDialect())
    assert (await anext(batches), upstream.ends) == ([ROLE], [])
    assert (await anext(batches), upstream.ends) == ([TEXT], ["silence"])
    await batches.aclose()


async def test_the_readers_absence_is_no_silence() -> None:
    """How long a client took to read what was said does not count into the time in which the provider says nothing."""
    moments = iter([0.0, 1000.0, 1001.0, 1002.0])
    sending = play(say(TEXT), b"", say(FINISH, end=True)).send(REQUEST)
    batches = attempt(sending, TinyDialect(), 3.0, moments.__next__, lambda: None)
    assert await collect(batches) == [[TEXT], [FINISH]]
