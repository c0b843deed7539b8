# SPDX-License-Identifier: Apache-2.0
"""Workers that ask each other."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.stores.peers import Peers

PATIENCE_S = 0.2


@asynccontextmanager
async def talking(folder: Path, **answers: Callable[[bytes], bytes]) -> AsyncIterator[list[Peers]]:
    """Peers by name, each with its way to answer."""
    peers = [Peers(folder, name, answer, patience_s=PATIENCE_S) for name, answer in answers.items()]
    for peer in peers:
        await peer.open()
    try:
        yield peers
    finally:
        for peer in peers:
            await peer.close()


async def test_all_others_answer(tmp_path: Path) -> None:
    """A question goes to each other worker, not to oneself."""
    async with talking(
        tmp_path, a=lambda _: b"never", b=lambda q: q * 2, c=lambda q: q[::-1], d=lambda _: b""
    ) as peers:
        assert sorted(await peers[0].ask(b"xy")) == [b"", b"xyxy", b"yx"]
        assert await peers[0].ask(b"") == [b""] * 3


async def test_long_answers(tmp_path: Path) -> None:
    """Megabytes come whole."""
    async with talking(tmp_path, a=lambda _: b"", b=lambda q: q * 3) as peers:
        assert await peers[0].ask(b"x" * 1_000_000) == [b"x" * 3_000_000]


async def test_nobody_there(tmp_path: Path) -> None:
    """A worker alone has no answers, whether it has a folder or not."""
    alone = Peers(None, "a", lambda _: b"")
    await alone.open()
    assert (await alone.ask(b"x"), await alone.tell_one(b"x")) == ([], False)
    await alone.close()
    async with talking(tmp_path, a=lambda _: b"x") as peers:
        assert (await peers[0].ask(b"x"), await peers[0].tell_one(b"x")) == ([], False)


async def test_a_worker_that_died(tmp_path: Path) -> None:
    """A socket that nobody listens on any more is nobody's answer."""
    async with talking(tmp_path, a=lambda _: b"", b=lambda _: b"b") as peers:
        server = await asyncio.start_unix_server(lambda _r, writer: writer.close(), tmp_path / "dead.sock")
        assert await peers[0].ask(b"x") == [b"b"]
        server.close()
        (tmp_path / "dead.sock").touch()
        assert await peers[0].ask(b"x") == [b"b"]


async def test_a_worker_that_hangs(tmp_path: Path) -> None:
    """Who is there and does not answer makes the answer unknown, and the caller is told to ask again."""
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_unix_server(lambda _reader, writer: held.append(writer), tmp_path / "z.sock")
    async with talking(tmp_path, a=lambda _: b"", b=lambda _: b"b") as peers:
        with pytest.raises(GatewayError, match="did not answer") as caught:
            await peers[0].ask(b"x")
        assert caught.value.reason == ErrorReason.ERROR_REASON_OVERLOADED
        assert await peers[0].tell_one(b"x")
    for writer in held:
        writer.close()
    server.close()


async def test_a_question_that_is_none(tmp_path: Path) -> None:
    """Half a question, and one of 4 GB, get no answer and hurt nobody."""
    async with talking(tmp_path, a=lambda _: b"", b=lambda q: q) as peers:
        for raw in (b"\0\0\0\5ab", b"\xff\xff\xff\xff"):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "b.sock")
            writer.write(raw)
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
        assert await peers[0].ask(b"x") == [b"x"]


async def test_telling_one(tmp_path: Path) -> None:
    """Who takes it is the only one that is told."""
    told: list[str] = []
    async with talking(
        tmp_path, a=lambda _: b"", b=lambda _: told.append("b") or b"", c=lambda _: told.append("c") or b"taken"
    ) as peers:
        assert await peers[0].tell_one(b"x")
    assert told.count("c") == 1


async def test_a_closed_worker_is_not_asked(tmp_path: Path) -> None:
    """Who closes leaves nothing behind."""
    async with talking(tmp_path, a=lambda _: b"", b=lambda _: b"b") as peers:
        await peers[1].close()
        assert await peers[0].ask(b"x") == []
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240 - one look at the end


async def test_who_answers_late_is_told_again(tmp_path: Path) -> None:
    """Who may have taken it is told the same once more, and nobody else then."""
    told: list[str] = []

    def late(_: bytes) -> bytes:
        told.append("c")
        if len(told) == 1:
            time.sleep(2 * PATIENCE_S)
        return b"taken"

    async with talking(tmp_path, a=lambda _: b"", b=lambda _: told.append("b") or b"taken", c=late) as peers:
        assert await peers[0].tell_one(b"x")
    assert told == ["c", "c"]
