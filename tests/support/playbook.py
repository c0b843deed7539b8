# SPDX-License-Identifier: Apache-2.0
"""An upstream and a dialect without a network, for tests that write the conversation of a call.

    stage = Stage(a=[Play(say(make_text_chunk("hi"), end=True))], b=[Play(refused)])
    heard = await stage.listen(make_call())
    assert stage.log == ["a: sent", "a: left"]

The dialect's blocks hold chunks of the contract themselves (`say`), so that a test is about what the engine does with chunks and not about JSON.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from support.builders import MODEL, make_catalog, make_endpoint, make_provider
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletionChunk
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.catalog.entry import Catalog, Endpoint
from trunkline_server.core.call import Call
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch, UpstreamAnswer, UpstreamRequest
from trunkline_server.core.record import Generation
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.engine.budget import RetryBudget
from trunkline_server.engine.health import HealthBook
from trunkline_server.engine.ledgers import Ledgers
from trunkline_server.engine.limits import EndpointLimits
from trunkline_server.engine.run import Engine
from trunkline_server.engine.sessions import SessionPins
from trunkline_server.engine.waits import HeadWaits
from trunkline_server.routing.candidates import Deployment

_END = b"END"
_SEPARATOR = b"\n"


def say(*chunks: ChatCompletionChunk, end: bool = False) -> bytes:
    """A block that holds the chunks; with `end`, the mark of a whole answer as well."""
    lines = [base64.b64encode(chunk.SerializeToString()) for chunk in chunks]
    return _SEPARATOR.join([*lines, *([_END] if end else [])])


def fail(reason: "ErrorReason.ValueType", **details: float) -> GatewayError:
    """A failure as an upstream or a decoder raises it."""
    return GatewayError(reason, "It failed.", **details)


class TinyDecoder:
    """Reads what `say` wrote. Raises GatewayError where the mark of the end is missing, as for an answer cut short."""

    def __init__(self) -> None:
        self.finished = False

    def feed(self, block: bytes) -> Batch:
        """The chunks of a block."""
        lines = block.split(_SEPARATOR) if block else []
        self.finished = self.finished or _END in lines
        return [ChatCompletionChunk.FromString(base64.b64decode(line)) for line in lines if line != _END]

    def close(self) -> Batch:
        """Nothing, after the end."""
        if not self.finished:
            raise fail(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE)
        return []


class TinyDialect:
    """Writes the model's name and whether the answer is streamed as the body. An endpoint whose upstream model is "unwritable" is refused, and of the
    request's fields `verbosity` is dropped, and `top_k` is sent as something else.
    """

    name = "tiny"

    def render_request(self, request: ChatCompletionRequest, endpoint: Endpoint, *, stream: bool) -> RenderedRequest:
        """The request, in a line."""
        if endpoint.upstream_model == "unwritable":
            raise fail(ErrorReason.ERROR_REASON_UNPROCESSABLE)
        body = f'{{"model":"{endpoint.upstream_model}","stream":{"true" if stream else "false"}}}'
        return RenderedRequest(
            path="/chat",
            headers={"content-type": "application/json"},
            body=body.encode(),
            dropped=("verbosity",) if request.verbosity else (),
            changed=(("top_k", "clamped to 5"),) if request.top_k else (),
        )

    def decoder(self, *, status: int, headers: Mapping[str, str]) -> TinyDecoder:
        """A decoder, whatever the head says."""
        return TinyDecoder()


class Hang:
    """A step that lasts until the call is left."""


Step = bytes | Exception | Hang | Callable[[], None]


class Play:
    """What an upstream does with one request: steps in order. An exception before the first block fails the request itself when `head` is False."""

    def __init__(self, *steps: Step, head: bool = True) -> None:
        self.steps = steps
        self.head = head


@dataclass(slots=True)
class FakeAnswer:
    """The head of an answer, and the steps of its body."""

    steps: Sequence[Step]
    ends: list[str]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    async def blocks(self) -> AsyncIterator[bytes]:
        """The blocks of the steps; between any two of them others may run."""
        try:
            for step in self.steps:
                await _take(step)
                if isinstance(step, bytes):
                    yield step
        finally:
            self.ends.append("blocks")

    def note_content(self) -> None:
        """Remembers that it was told."""
        self.ends.append("silence")


async def _take(step: Step) -> None:
    await asyncio.sleep(0)
    if isinstance(step, Exception):
        raise step
    if isinstance(step, Hang):
        await asyncio.Event().wait()
    elif callable(step):
        step()


@dataclass(slots=True)
class FakeUpstream:
    """Does one play after the other, the last one again and again, and remembers what it was sent. `log` is shared by all upstreams of a stage; `ends` says what ended when: the "silence"
    before the first content, the reading of "blocks", the "connection".
    """

    slug: str
    plays: list[Play]
    log: list[str]
    requests: list[UpstreamRequest] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)

    def send(self, request: UpstreamRequest) -> AbstractAsyncContextManager[UpstreamAnswer]:
        """Begins the next play."""
        return self._send(request)

    @asynccontextmanager
    async def _send(self, request: UpstreamRequest) -> AsyncIterator[UpstreamAnswer]:
        self.requests.append(request)
        self.log.append(f"{self.slug}: sent")
        play = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
        try:
            if not play.head:
                for step in play.steps:
                    await _take(step)
            yield FakeAnswer(play.steps, self.ends)
        finally:
            self.log.append(f"{self.slug}: left")
            self.ends.append("connection")

    async def close(self) -> None:
        """Nothing to free."""


@dataclass(slots=True)
class Heard:
    """What a client heard: the batches, and how it ended (None: well)."""

    batches: list[Batch] = field(default_factory=list)
    error: GatewayError | None = None

    @property
    def chunks(self) -> list[ChatCompletionChunk]:
        """All chunks in order."""
        return [chunk for batch in self.batches for chunk in batch]

    @property
    def text(self) -> str:
        """The text of the first choice."""
        return "".join(choice.delta.content for chunk in self.chunks for choice in chunk.choices if choice.index == 0)

    @property
    def reason(self) -> "ErrorReason.ValueType | None":
        """Why it failed."""
        return None if self.error is None else self.error.reason


class Stage:
    """An engine with one provider for each name, each with its plays. All offer `acme/one` unless a catalog is given.

    The clock stands at 0 until a step or a pause moves it. Each draw takes from `draws`, and is 0 when none is left: endpoints of one price are tried in the order
    of the catalog. `pauses` are the pauses that the engine made.
    """

    def __init__(self, catalog: Catalog | None = None, **plays: list[Play]) -> None:
        self.log: list[str] = []
        self.now_s = 0.0
        self.records: list[Generation] = []
        self.upstreams = {slug: FakeUpstream(slug, list(script), self.log) for slug, script in plays.items()}
        self.draws: list[float] = []
        self.pauses: list[float] = []
        known = catalog or make_catalog(*(tiny_endpoint(slug) for slug in plays))
        self.ledgers = make_ledgers(lambda: self.now_s, draw=self._draw, sleep=self._pause)
        self.engine = Engine(
            catalog=lambda: known,
            deployment=Deployment,
            upstreams=lambda: self.upstreams,
            dialects={TinyDialect.name: TinyDialect()},
            records=self,
            ledgers=self.ledgers,
        )

    def _draw(self) -> float:
        return self.draws.pop(0) if self.draws else 0.0

    async def _pause(self, pause_s: float) -> None:
        self.pauses.append(pause_s)
        self.now_s += pause_s

    def keep(self, generation: Generation) -> None:
        """Takes a record."""
        self.records.append(generation)

    def wait_until(self, now_s: float) -> Callable[[], None]:
        """A step that moves the clock."""

        def move() -> None:
            self.now_s = now_s

        return move

    async def listen(self, call: Call) -> Heard:
        """Runs a call to its end, as an edge does."""
        heard = Heard()
        try:
            async for batch in self.engine.run(call):
                heard.batches.append(batch)
        except GatewayError as error:
            heard.error = error
        return heard


def tiny_endpoint(slug: str, model: str = MODEL, **fields: object) -> Endpoint:
    """An endpoint of a provider that speaks the tiny dialect."""
    return make_endpoint(make_provider(slug, dialect=TinyDialect.name), model, **fields)


def make_ledgers(
    monotonic_s: Callable[[], float], *, draw: Callable[[], float], sleep: Callable[[float], Awaitable[None]]
) -> Ledgers:
    """The ledgers of a gateway that has served nobody yet, with queues of two."""
    health = HealthBook(monotonic_s)
    return Ledgers(
        health=health,
        waits=HeadWaits(health, monotonic_s),
        budget=RetryBudget(monotonic_s),
        limits=EndpointLimits(most_waiting=2, monotonic_s=monotonic_s),
        pins=SessionPins(monotonic_s),
        longest_wait_s=10.0,
        monotonic_s=monotonic_s,
        draw=draw,
        sleep=sleep,
    )
