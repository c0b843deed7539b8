# SPDX-License-Identifier: Apache-2.0
"""A gateway with a model for each cell of the fault matrix, and the verdict on what came of each.

A cell is a row, a form (stream or whole), a wire, and whether another endpoint is there to take over. Each has a model of its own, so that no cell's failures
eject another's endpoints; the model's name is what the upstream answers by, and what it counts by.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final

import aiohttp
from grpc import StatusCode

from support.fault_calls import Client, Seen
from support.fault_rows import Breaks, Fails, Row, Says, raw
from support.fault_upstream import Answer, FaultUpstream, Hang, ReceivedRequest, json_answer, stream_answer, text_chunk
from support.gateway import offer, running_gateway

PATIENT: Final = {"connect_s": 10.0, "first_byte_s": 20.0, "first_token_s": 20.0, "idle_s": 20.0}
HASTY: Final = {"connect_s": 0.8, "first_byte_s": 1.0, "first_token_s": 1.0, "idle_s": 1.0, "total_s": 1.4}
PRICES: Final = {"prompt": "0.000001", "completion": "0.000002"}
SPARE: Final = "spare"
SPARE_TEXT: Final = "second best"
LONGEST_S: Final = 20.0
# Once the budget or an ejection stops further attempts the model is out of service for a while, whatever its last failure was (P-18).
OUT_OF_SERVICE: Final = Fails(status=503, error_type="provider_unavailable", code=StatusCode.UNAVAILABLE)
HELD_BACK: Final = "TEMPORARILY_UNAVAILABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One call of the matrix."""

    row: Row
    streamed: bool
    wire: str
    spare: bool

    @property
    def model(self) -> str:
        """The name of its model."""
        form, left = "stream" if self.streamed else "unary", "spare" if self.spare else "alone"
        return f"{self.row.number.lower()}/{self.row.name}.{form}.{self.wire}.{left}"

    @property
    def order(self) -> tuple[str, ...]:
        """The order of the endpoints."""
        return (self.row.provider, SPARE) if self.spare else (self.row.provider,)

    @property
    def is_retried(self) -> bool:
        """Whether its only endpoint is tried twice."""
        return isinstance(self.row.outcome, Fails) and self.row.outcome.again and not self.spare

    @property
    def answer(self) -> Answer:
        """What the upstream does."""
        answer = self.row.streamed if self.streamed else self.row.whole
        assert answer is not None
        return answer


CROWD: Final = Cell(
    row=Row(number="crowd", name="one", outcome=Says(), streamed=raw(Hang())), streamed=True, wire="grpc", spare=False
)
CROWD_SIZE: Final = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a cell: what the client saw (None: it waited for too long), how often each upstream was asked, the call's record, and whether the
    upstreams that would have gone on were left.
    """

    cell: Cell
    seen: Seen | None = None
    asked: int = 0
    spare_asked: int = 0
    record: Mapping[str, Any] = field(default_factory=dict)
    was_cut: bool = True


def cells_of(rows: Iterable[Row]) -> Iterator[Cell]:
    """All cells of some rows."""
    for row in rows:
        for streamed, answer in ((True, row.streamed), (False, row.whole)):
            if answer is not None:
                for wire in ("http", "grpc"):
                    for spare in (False, True):
                        yield Cell(row=row, streamed=streamed, wire=wire, spare=spare)


@asynccontextmanager
async def fault_client(cells: Sequence[Cell]) -> AsyncIterator[tuple[Client, FaultUpstream, FaultUpstream]]:
    """A client of a gateway that has the cells' models, the upstream that fails, and the one that does not."""
    answers = {cell.model: cell.answer for cell in cells}

    def answer_by_model(request: ReceivedRequest) -> Answer:
        return answers[request.json["model"]]

    with ExitStack() as stack:
        refusing, hole = stack.enter_context(refusing_port()), stack.enter_context(_black_hole())
        async with (
            FaultUpstream(answer_by_model, keep_alive=False) as faulty,
            FaultUpstream(answer_well) as spare,
            running_gateway(**_settings(cells, faulty, spare, refusing, hole)) as gateway,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
            gateway.connect() as stub,
        ):
            yield Client(gateway=gateway, http=http, stub=stub), faulty, spare


@asynccontextmanager
async def running_client(upstream: FaultUpstream, **endpoint: Any) -> AsyncIterator[Client]:
    """A client of a gateway with one model, `acme/one`, at one provider; `endpoint` are further keys of the endpoint's row."""
    row = {"provider": "acme", "upstream_model": "one", **endpoint}
    models = [{"slug": "acme/one", "endpoints": [row]}]
    given = {**offer(upstream.base_url), "models": models, "simulator": False}
    async with (
        running_gateway(**given) as gateway,
        aiohttp.ClientSession() as http,
        gateway.connect() as stub,
    ):
        yield Client(gateway=gateway, http=http, stub=stub)


async def run_cells(cells: Sequence[Cell], at_once: int = 100) -> Mapping[str, Result]:
    """Run all cells at one gateway, so many at once. The results are by model.

    Those in which the same endpoint is tried again come last, beside a crowd of calls that wait, of which they are a fifth: so the budget has a retry for each.
    """
    async with fault_client([*cells, CROWD]) as (client, faulty, spare):

        async def run(cell: Cell, gate: asyncio.Semaphore) -> Result:
            try:
                async with gate, asyncio.timeout(LONGEST_S):
                    seen = await client.ask(cell.model, wire=cell.wire, streamed=cell.streamed, order=cell.order)
                    record = await client.record(seen.generation_id or "")
            except TimeoutError:
                return Result(cell=cell)
            asked = [request for request in faulty.requests if request.json["model"] == cell.model]
            return Result(
                cell=cell,
                seen=seen,
                asked=len(asked),
                spare_asked=sum(request.json["model"] == cell.model for request in spare.requests),
                record=record,
                was_cut=await _was_cut(asked) if cell.row.provider in ("silent", "endless") else True,
            )

        gate = asyncio.Semaphore(at_once)
        results = await asyncio.gather(*(run(cell, gate) for cell in cells if not cell.is_retried))
        async with _crowd(client, faulty):
            gate = asyncio.Semaphore(CROWD_SIZE // 5)
            results += await asyncio.gather(*(run(cell, gate) for cell in cells if cell.is_retried))
    return {result.cell.model: result for result in results}


@asynccontextmanager
async def _crowd(client: Client, faulty: FaultUpstream) -> AsyncIterator[None]:
    """Calls under way that wait until the context is left."""
    before = len(faulty.requests)
    waiting = [asyncio.ensure_future(client.ask(CROWD.model, wire="grpc", streamed=True)) for _ in range(CROWD_SIZE)]
    await faulty.wait_for_requests(before + CROWD_SIZE, timeout_s=LONGEST_S)
    yield
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def _was_cut(requests: Iterable[ReceivedRequest]) -> bool:
    """Whether the gateway leaves each of these within a second (P-12)."""
    try:
        async with asyncio.timeout(1):
            for request in requests:
                await request.aborted.wait()
    except TimeoutError:
        return False
    return True


def complaints(result: Result) -> Sequence[str]:
    """What is not as the row says."""
    cell, outcome = result.cell, result.cell.row.outcome
    if result.seen is None:
        return [f"{cell.model}: no end within {LONGEST_S:g} s"]
    match outcome:
        case Fails() if cell.spare and outcome.elsewhere:
            found = _compare_spared(result, result.seen)
        case Fails():
            found = _compare_failure(result, result.seen, outcome)
        case Breaks():
            found = _compare_break(result, result.seen, outcome)
        case Says():
            found = _compare_answer(result, result.seen, outcome)
    if not result.was_cut:
        found = {**found, "the upstream is left": (False, True)}
    return [f"{cell.model}: {what} is {is_!r}, not {must!r}" for what, (is_, must) in found.items() if is_ != must]


_Found = dict[str, tuple[object, object]]


def _compare_spared(result: Result, seen: Seen) -> _Found:
    """Nobody sees a failure where another endpoint can answer."""
    record = result.record
    statuses = [entry["status"] for entry in record["provider_responses"]]
    return {
        "the error": (seen.error, None),
        "the text": (seen.text, SPARE_TEXT),
        "the provider": (seen.provider, "Spare"),
        "the end": (seen.ended, True),
        "asked": (result.asked, 0 if result.cell.row.unseen else 1),
        "the spare one asked": (result.spare_asked, 1),
        "the attempts": (len(statuses), 2),
        "the last status": (statuses[-1:], [200]),
        "that it costs": (record["total_cost"] > 0, True),
        "the number of usages": (len(seen.usages), 1),
    }


def _compare_failure(result: Result, seen: Seen, outcome: Fails) -> _Found:
    """The failure has its code, and comes before anything else."""
    cell, record = result.cell, result.record
    tries = len(record["provider_responses"])
    held_back = outcome.again and seen.reason == HELD_BACK and tries == 1
    end = OUT_OF_SERVICE if held_back else outcome
    must = (end.status if cell.wire == "http" else end.code, end.error_type)
    found: _Found = {
        "the error": (seen.error, must),
        "the text": (seen.text, ""),
        "the end": (seen.ended, False),
        "asked as often as recorded": (result.asked, 0 if cell.row.unseen else tries),
        "the number of attempts": (tries, 2 if outcome.again and not held_back else 1),
        "the spare one asked": (result.spare_asked, 0),
        "the cost": (record["total_cost"], 0),
        "the tokens": (record["tokens_completion"], 0),
        "the earlier failures": (seen.earlier, 1 if outcome.again else 0),
        "what comes after it": (seen.after, 0),
    }
    if cell.wire == "http" and seen.error is not None:
        found["the status line"] = (seen.line, seen.error[0])
    if held_back:
        found["that a wait is named"] = (seen.retry_after_s is not None, True)
    if outcome.retry_after_s is not None:
        # HTTP has whole seconds only.
        wait_s = ceil(outcome.retry_after_s) if cell.wire == "http" else outcome.retry_after_s
        found["the wait"] = (seen.retry_after_s, wait_s)
    return found


def _compare_break(result: Result, seen: Seen, outcome: Breaks) -> _Found:
    """What was said is there, the failure behind it, and nothing behind that; nobody else was asked."""
    cell, record = result.cell, result.record
    end = outcome.end
    error = (end.status if cell.wire == "http" else end.code, end.error_type)
    return {
        "the error": (seen.error, error),
        "the text": (seen.text.replace(outcome.text, "", 1)[:0] if seen.text.startswith(outcome.text) else None, ""),
        "the end": (seen.ended, False),
        "the status line": (seen.line, 200 if cell.wire == "http" else None),
        "the finish": (seen.finish, "error" if cell.wire == "http" else None),
        "what comes after it": (seen.after, 0),
        "asked": (result.asked, 1),
        "the spare one asked": (result.spare_asked, 0),
        "the cost": (record["total_cost"], 0),
        "that tokens were seen": (record["tokens_completion"] > 0, True),
        "the recorded finish": (record["finish_reason"], "error"),
        "the attempts": ([entry["status"] for entry in record["provider_responses"]], [end.status]),
    }


def _compare_answer(result: Result, seen: Seen, outcome: Says) -> _Found:
    """The answer is the provider's, and nobody else was asked."""
    record = result.record
    found: _Found = {
        "the error": (seen.error, None),
        "the text": (seen.text, outcome.text),
        "the calls": ([tuple(call) for call in seen.calls.values()], list(outcome.calls)),
        "the finish": (seen.finish, outcome.finish),
        "the end": (seen.ended, True),
        "what comes after it": (seen.after, 0),
        "asked": (result.asked, 1),
        "the spare one asked": (result.spare_asked, 0),
        "the attempts": ([entry["status"] for entry in record["provider_responses"]], [200]),
        "that it costs": (record["total_cost"] > 0, True),
        "the number of usages": (len(seen.usages), 1),
    }
    if outcome.native is not None:
        found["the native finish"] = (seen.native, outcome.native)
    if outcome.usage is not None:
        found["the usage"] = ([usage[:2] for usage in seen.usages], [outcome.usage])
    if outcome.estimated is not None:
        found["whether usage is estimated"] = ([usage[2] for usage in seen.usages], [outcome.estimated])
    return found


def answer_well(request: ReceivedRequest) -> Answer:
    """What the provider says that takes over."""
    used = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    if request.json.get("stream"):
        return stream_answer(text_chunk("second"), text_chunk(" best", finish_reason="stop", usage=used))
    message = {"role": "assistant", "content": SPARE_TEXT}
    return json_answer({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": used})


def _settings(
    cells: Sequence[Cell], faulty: FaultUpstream, spare: FaultUpstream, refusing: int, hole: int
) -> Mapping[str, Any]:
    """The settings: a provider for each way to the upstream, a model for each cell."""
    urls = {
        "faulty": (faulty.base_url, PATIENT),
        "silent": (faulty.base_url, HASTY),
        "endless": (faulty.base_url, {**PATIENT, "total_s": 1.5}),
        "refusing": (f"http://127.0.0.1:{refusing}/v1", PATIENT),
        "hole": (f"http://127.0.0.1:{hole}/v1", HASTY),
        SPARE: (spare.base_url, PATIENT),
    }
    providers = [
        {"slug": slug, "name": slug.capitalize(), "base_url": url, "timeouts": timeouts}
        for slug, (url, timeouts) in urls.items()
    ]
    models = [
        {
            "slug": cell.model,
            "endpoints": [
                {"provider": slug, "upstream_model": cell.model, "prices": PRICES, "context_length": 8192}
                for slug in cell.order
            ],
        }
        for cell in cells
    ]
    return {"providers": providers, "models": models, "simulator": False}


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port that is taken and where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextmanager
def _black_hole() -> Iterator[int]:
    """A port that drops who knocks: its listener's queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            knocking = stack.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
