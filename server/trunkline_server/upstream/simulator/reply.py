# SPDX-License-Identifier: Apache-2.0
"""A request's bytes into the bytes of its answer, with the waits and breaks that a fault script asks for. Pure: nobody waits here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import chain
from typing import Final

import orjson

from trunkline_server.upstream.simulator.answers import FAMILIES, answer_request
from trunkline_server.upstream.simulator.fault import FaultScript, read_fault
from trunkline_server.upstream.simulator.limits import Work
from trunkline_server.upstream.simulator.refused import RefusedError, error_object
from trunkline_server.upstream.simulator.render import Envelope, Event, render_stream, render_whole
from trunkline_server.upstream.simulator.request import SimulatorRequest, read_request
from trunkline_server.upstream.simulator.script import Choice, cut_choices

PATH: Final = "/chat/completions"

_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream; charset=utf-8"
_PAGE: Final = b"<!doctype html><html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"
_LARGEST_BLOCK: Final = 16
"""Events in a block. Blocks grow from one event to this: the first token goes out at once, and a reader meets batches of several sizes."""
_BLOCK_BYTES: Final = 64 << 10
"""The size from which a block of a whole answer goes out."""
_FAILED: Final = 502
_ASKED_FOR: Final = "This failure was asked for."
_NO_FAULT: Final = FaultScript()


class Break(Enum):
    """How a body stops before its end."""

    BROKEN = "the connection breaks"
    SILENT = "nothing more comes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Bytes that come together after a wait, and what happens then (None: the next block, or the end)."""

    data: bytes
    wait_s: float = 0.0
    then: Break | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer. `wait_s` comes before its head (infinite: no head ever comes); `refused`: there is no connection. `blocks` can be read once."""

    status: int
    headers: Mapping[str, str]
    blocks: Iterable[Block]
    wait_s: float = 0.0
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """One `data:` event, or where the body breaks."""

    data: bytes = b""
    has_token: bool = False
    then: Break | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    request: SimulatorRequest
    script: FaultScript
    choices: Sequence[Choice]
    envelope: Envelope = field(repr=False)


def make_reply(path: str, body: bytes, created_s: int) -> Work[Reply]:
    """The answer to a POST. `created_s` is the time that the answer bears, in Unix seconds. The bytes of its body are made block by block, when asked for."""
    if path != PATH:
        return _error_reply(
            RefusedError(f"Nothing is served at {path!r}, only {PATH}.", status=404, code="unknown_url")
        )
    try:
        request = yield from read_request(body, FAMILIES)
        script = _NO_FAULT if request.query is None else read_fault(request.query)
        choices = _bend((yield from answer_request(request)), script)
    except RefusedError as error:
        return _error_reply(error)
    envelope = Envelope(
        answer_id=f"chatcmpl-sim-{request.digest.hex()[:24]}",
        created_s=created_s,
        model=request.model,
        service_tier=request.service_tier,
        prompt_tokens=request.prompt_tokens,
        alternatives=request.alternatives if request.logprobs else None,
    )
    context = _Context(request=request, script=script, choices=choices, envelope=envelope)
    return _scripted(context) or (_stream_reply(context) if request.stream else _whole_reply(context))


def _error_reply(error: RefusedError) -> Reply:
    body = orjson.dumps(error_object(error.message, status=error.status, param=error.param, code=error.code))
    return Reply(status=error.status, headers={"content-type": _JSON}, blocks=[Block(data=body)])


def _bend(choices: Sequence[Choice], script: FaultScript) -> Sequence[Choice]:
    """The choices without tokens or with another finish, as scripted."""
    if script.no_tokens:
        choices = [replace(choice, segments=()) for choice in choices]
    if script.no_finish or script.finish is not None:
        choices = [replace(choice, finish=None if script.no_finish else script.finish) for choice in choices]
    return choices


def _headers(context: _Context, content_type: str) -> Mapping[str, str]:
    headers = {"content-type": content_type, "x-request-id": f"req-sim-{context.request.digest.hex()[:24]}"}
    if context.script.retry_after is not None:
        headers["retry-after"] = str(context.script.retry_after)
    return headers


def _head_wait_s(script: FaultScript) -> float:
    return math.inf if script.hang else script.latency_ms / 1000


def _scripted(context: _Context) -> Reply | None:
    """A reply whose body is no answer, where the script asks for one."""
    script = context.script
    status = 200 if script.status is None else script.status
    if script.html:
        content_type, body = "text/html; charset=utf-8", _PAGE
    elif script.empty:
        content_type, body = _EVENTS if context.request.stream else _JSON, b""
    elif script.error_body or status >= 400:
        content_type, body = _JSON, orjson.dumps(_scripted_error(script))
    else:
        return Reply(status=0, headers={}, blocks=(), refused=True) if script.refuse else None
    return Reply(
        status=status,
        headers=_headers(context, content_type),
        blocks=[Block(data=body)] if body else [],
        wait_s=_head_wait_s(script),
        refused=script.refuse,
    )


def _scripted_error(script: FaultScript) -> Mapping[str, object]:
    status = 500 if script.status is None or script.status < 400 else script.status
    return error_object(_ASKED_FOR, status=status, code=script.code)


def _whole_reply(context: _Context) -> Reply:
    script, choices = context.script, context.choices
    limit, then = _limit(script)
    if limit and then is Break.BROKEN:
        choices = cut_choices(choices, limit, {"code": script.code or _FAILED, "message": _ASKED_FOR})
    tokens = sum(choice.tokens for choice in choices)
    wait_s = script.ttft_ms / 1000 + (max(tokens - 1, 0) / script.tps if script.tps is not None else 0.0)
    pieces = render_whole(context.envelope, choices, with_usage=not script.no_usage)
    if script.error_at == 1:
        pieces = iter([orjson.dumps(_scripted_error(script))])
    blocks = _piece_blocks(pieces, wait_s)
    return Reply(
        status=200 if script.status is None else script.status,
        headers=_headers(context, _JSON),
        blocks=_damaged_blocks(blocks, script) if limit == 0 or script.malformed_at == 1 else blocks,
        wait_s=_head_wait_s(script),
    )


def _piece_blocks(pieces: Iterable[bytes], wait_s: float) -> Iterator[Block]:
    """A whole answer in blocks of _BLOCK_BYTES, or a little more; the wait is before the first."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _BLOCK_BYTES:
            yield Block(data=b"".join(waiting), wait_s=wait_s)
            waiting, size, wait_s = [], 0, 0.0
    if waiting:
        yield Block(data=b"".join(waiting), wait_s=wait_s)


def _damaged_blocks(blocks: Iterable[Block], script: FaultScript) -> Iterator[Block]:
    """The whole answer without its end. Where that is depends on all of it, so until then blocks are empty."""
    parts: list[bytes] = []
    wait_s = 0.0
    for block in blocks:
        if parts:
            yield Block(data=b"")
        parts.append(block.data)
        wait_s += block.wait_s
    body = b"".join(parts)
    if script.malformed_at == 1:
        body = _damage(body)
    limit, then = _limit(script)
    if limit == 0:
        yield Block(data=body[: len(body) // 2], wait_s=wait_s, then=then)
    else:
        yield Block(data=body, wait_s=wait_s)


def _stream_reply(context: _Context) -> Reply:
    script = context.script
    frames = _frames(render_stream(context.envelope, context.choices, with_usage=not script.no_usage), script)
    paced = script.tps is not None or script.ttft_ms > 0
    return Reply(
        status=200 if script.status is None else script.status,
        headers=_headers(context, _EVENTS),
        blocks=_paced_blocks(frames, script) if paced else _full_blocks(frames),
        wait_s=_head_wait_s(script),
    )


def _limit(script: FaultScript) -> tuple[int | None, Break | None]:
    """After how many chunks the body stops (None: at its end), and how (None: as if it were its end). The earliest counts."""
    stops = ((script.end_after, None), (script.cut_after, Break.BROKEN), (script.stall_after, Break.SILENT))
    found = [(after, then) for after, then in stops if after is not None]
    return min(found, key=lambda item: item[0]) if found else (None, None)


def _frames(events: Iterable[Event], script: FaultScript) -> Iterator[_Frame]:
    limit, then = _limit(script)
    done = () if script.no_done else (Event(data=b"[DONE]", has_token=False),)
    for position, event in enumerate(chain(events, done), 1):
        if limit is not None and position > limit:
            yield _Frame(then=then)
            return
        if position == script.error_at:
            yield _Frame(data=_frame(orjson.dumps(_scripted_error(script))))
            return
        data = _damage(event.data) if position == script.malformed_at else event.data
        yield _Frame(data=_frame(data), has_token=event.has_token)


def _full_blocks(frames: Iterable[_Frame]) -> Iterator[Block]:
    waiting: list[bytes] = []
    size = 1
    for frame in frames:
        waiting.append(frame.data)
        if len(waiting) == size or frame.then is not None:
            yield Block(data=b"".join(waiting), then=frame.then)
            waiting, size = [], min(size * 2, _LARGEST_BLOCK)
    if waiting:
        yield Block(data=b"".join(waiting))


def _paced_blocks(frames: Iterable[_Frame], script: FaultScript) -> Iterator[Block]:
    wait_s, between_s = script.ttft_ms / 1000, 0.0 if script.tps is None else 1 / script.tps
    for frame in frames:
        yield Block(data=frame.data, wait_s=wait_s if frame.has_token else 0.0, then=frame.then)
        if frame.has_token:
            wait_s = between_s


def _frame(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


def _damage(data: bytes) -> bytes:
    """JSON without its last quarter."""
    return data[: -max(len(data) // 4, 1)]
