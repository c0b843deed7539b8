# SPDX-License-Identifier: Apache-2.0
"""`make outage`: one of three providers is dead, and nobody notices.

A gateway is started as a process of its own, with one model at three providers of one price. One of them dies: it refuses connections, or hangs, or answers 503.
Meanwhile eight callers ask over both wires, for whole answers and streams in turns. Then it recovers, right after a probe of the gateway has failed, which is the
worst moment: the next one is due 15 s later. Counted are the failures that callers saw, the attempts at the dead one (told by the answers, and by the provider
itself where it can see them), and the seconds until it is back: until it is out no more, and until its failures are 30 s ago and it has its share again.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import uvloop
from grpc import aio

from bench.faulty import PIECES, Fault, FaultyProvider
from bench.floors import TREE
from bench.gateways import API_KEY, HTTP_PATH, BenchError
from bench.payload import make_grpc_request, make_request
from bench.processes import GATEWAY_CORE, LOAD_CORE, Processes, ended_in_order, on_core, wait_for_output
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_service_pb2_grpc import ChatServiceStub
from trunkline_server.core.health import EndpointStatus

if TYPE_CHECKING:
    from trunkline.v1.chat_service_pb2_grpc import ChatServiceAsyncStub  # known to type checkers only

MODEL: Final = "bench/outage"
PROVIDERS: Final = ("First", "Second", "Third")
DEAD: Final = PROVIDERS[0]
CALLERS: Final = 8
WARM_UP: Final = 200
AFTER: Final = 300
TIMEOUT_S: Final = 2.0
"""How long the gateway waits for a provider's connection, and for its first byte."""
LOOK_S: Final = 0.02
TRICKLE_S: Final = 0.05
LONGEST_S: Final = 60.0
MOST_BACK_S: Final = 30.0
TEXT: Final = "".join(PIECES)
_HEADERS: Final = {"authorization": f"Bearer {API_KEY}", "x-openrouter-metadata": "enabled"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One call: when it ended and how long it took, in seconds; what was wrong with its answer (None: nothing); the providers asked that failed; who answered."""

    at_s: float
    took_s: float
    fault: str | None
    failed: Sequence[str] = ()
    answered: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """What came of one provider's death.

    `attempts` are those at the dead one until it was out, `probes` those after, as the answers tell; `seen` is what reached it, None where nothing could. The times are
    in seconds: from its death until it was out, the longest call meanwhile, from its recovery until it was out no more, and until nothing was held against it.
    `share` is its part of the calls after that.
    """

    fault: Fault
    calls: int
    errors: Sequence[str]
    attempts: int
    probes: int
    seen: int | None
    out_after_s: float
    slowest_s: float
    back_after_s: float
    well_after_s: float
    share: float

    @property
    def is_kept(self) -> bool:
        """Whether the promise was: nobody saw a failure, and it is back in time."""
        return not self.errors and self.back_after_s <= MOST_BACK_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """Clients of a gateway on both wires, and what they were told."""

    http: aiohttp.ClientSession
    http_url: str
    stub: ChatServiceAsyncStub
    told: list[Told] = field(default_factory=list)

    async def ask_many(self, calls: int) -> None:
        """So many calls, eight at once."""
        numbers = iter(range(calls))

        async def one_after_the_other() -> None:
            for number in numbers:
                await self.ask(number)

        await asyncio.gather(*(one_after_the_other() for _ in range(CALLERS)))

    async def ask(self, number: int) -> None:
        """One call: its number says over which wire, and in which form."""
        begun_s = time.monotonic()
        ask = (self._ask_whole, self._ask_stream, self._ask_rpc, self._ask_rpc_stream)[number % 4]
        fault: str | None
        try:
            text, tries = await ask()
            fault = None if text == TEXT else f"its text is {text!r}"
        except (BenchError, aiohttp.ClientError, aio.AioRpcError, TimeoutError) as error:
            fault, tries = " ".join(f"{type(error).__name__}: {error}".split())[:300], []
        now_s = time.monotonic()
        self.told.append(
            Told(
                at_s=now_s,
                took_s=now_s - begun_s,
                fault=fault,
                failed=[provider for provider, status in tries if status != 200],
                answered=next((provider for provider, status in tries if status == 200), None),
            )
        )

    async def status(self) -> EndpointStatus:
        """How the endpoint of the provider that dies stands."""
        async with self.http.get(f"{self.http_url}/v1/models/{MODEL}/endpoints") as answer:
            listed = (await answer.json())["data"]["endpoints"]
        return EndpointStatus(next(one["status"] for one in listed if one["provider_name"] == DEAD))

    async def _ask_whole(self) -> tuple[str, list[tuple[str, int]]]:
        answer = json.loads(await self._post(_WHOLE))
        return answer["choices"][0]["message"]["content"], _read_tries(answer)

    async def _ask_stream(self) -> tuple[str, list[tuple[str, int]]]:
        content = await self._post(_STREAM)
        events = [event[6:] for event in content.split(b"\n\n") if event.startswith(b"data: ")]
        if events[-1:] != [b"[DONE]"]:
            raise BenchError(f"the stream ends with {events[-1:]}")
        chunks = [json.loads(event) for event in events[:-1]]
        text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
        return text, [attempt for chunk in chunks for attempt in _read_tries(chunk)]

    async def _post(self, body: bytes) -> bytes:
        headers = {**_HEADERS, "content-type": "application/json"}
        async with self.http.post(self.http_url + HTTP_PATH, data=body, headers=headers) as answer:
            content = await answer.read()
        if answer.status != 200:
            raise BenchError(f"HTTP {answer.status}: {content.decode(errors='replace')}")
        return content

    async def _ask_rpc(self) -> tuple[str, list[tuple[str, int]]]:
        answer = await self.stub.CreateChatCompletion(_MESSAGE, metadata=tuple(_HEADERS.items()), timeout=LONGEST_S)
        text = "".join(part.text for part in answer.choices[0].message.content)
        return text, [(tried.provider, tried.status) for tried in answer.openrouter_metadata.attempts]

    async def _ask_rpc_stream(self) -> tuple[str, list[tuple[str, int]]]:
        text, tries = "", []
        call = self.stub.StreamChatCompletion(_MESSAGE, metadata=tuple(_HEADERS.items()), timeout=LONGEST_S)
        async for chunk in call:
            text += "".join(choice.delta.content for choice in chunk.choices)
            tries += [(tried.provider, tried.status) for tried in chunk.openrouter_metadata.attempts]
        return text, tries


def _read_tries(value: Any) -> list[tuple[str, int]]:
    tries = (value.get("openrouter_metadata") or {}).get("attempts") or []
    return [(tried["provider"], tried["status"]) for tried in tries]


def make_settings(ports: Sequence[int]) -> str:
    """The settings file of a gateway with one model at providers on these ports."""
    wait = f"{{ connect_s = {TIMEOUT_S}, first_byte_s = {TIMEOUT_S}, first_token_s = {TIMEOUT_S} }}"
    parts = [f'[[keys]]\nname = "bench"\nsha256 = "{hashlib.sha256(API_KEY.encode()).hexdigest()}"\n']
    for name, port in zip(PROVIDERS, ports, strict=True):
        url = f"http://127.0.0.1:{port}/v1"
        parts.append(
            f'[[providers]]\nslug = "{name.lower()}"\nname = "{name}"\nbase_url = "{url}"\ntimeouts = {wait}\n'
        )
    parts.append(f'[[models]]\nslug = "{MODEL}"\n')
    for name in PROVIDERS:
        prices = '{ prompt = "0.00000015", completion = "0.0000006" }'
        parts.append(
            f'[[models.endpoints]]\nprovider = "{name.lower()}"\nupstream_model = "upstream-one"\nprices = {prices}\n'
        )
    return "\n".join(parts)


@asynccontextmanager
async def started_gateway(ports: Sequence[int]) -> AsyncIterator[Callers]:
    """Callers of a gateway that runs as a process of its own. Raises BenchError where it does not start."""
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as folder, Processes() as processes:
        settings, log = Path(folder) / "trunkline.toml", Path(folder) / "output.log"
        settings.write_text(make_settings(ports), encoding="utf-8")
        command = [sys.executable, "-m", "trunkline_server", "serve", "--config", str(settings)]
        addresses = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
        pid = processes.spawn([*command, *addresses], core=GATEWAY_CORE, log=log, environment=TREE)
        http_url = wait_for_output(log, r"^\s+HTTP\s+(http://127\.0\.0\.1:\d+)", processes=processes, pid=pid)
        target = wait_for_output(log, r"^\s+gRPC\s+(127\.0\.0\.1:\d+)", processes=processes, pid=pid)
        async with aiohttp.ClientSession(headers=_HEADERS) as http, aio.insecure_channel(target) as channel:
            yield Callers(http=http, http_url=http_url, stub=ChatServiceStub(channel))


async def watch(callers: Callers, *wanted: EndpointStatus) -> float:
    """Look until the dying endpoint stands so; returns when that was. Raises BenchError after a minute."""
    end_s = time.monotonic() + LONGEST_S
    while time.monotonic() < end_s:
        if await callers.status() in wanted:
            return time.monotonic()
        await asyncio.sleep(LOOK_S)
    raise BenchError(f"the endpoint was not {' or '.join(status.name for status in wanted)} within {LONGEST_S:.0f} s")


async def suffer(fault: Fault, calls: int) -> Outage:
    """Let one of three providers die in this way for so many calls, and recover. Raises BenchError where there is nothing to be measured."""
    async with (
        FaultyProvider() as dying,
        FaultyProvider() as second,
        FaultyProvider() as third,
        started_gateway([dying.port, second.port, third.port]) as callers,
    ):
        await callers.ask_many(WARM_UP)
        if faults := [told.fault for told in callers.told if told.fault is not None]:
            raise BenchError(f"calls fail before anybody is dead: {faults[0]}")
        callers.told.clear()
        before, died_s = dying.requests, time.monotonic()
        await dying.die(fault)
        watching = asyncio.create_task(watch(callers, EndpointStatus.OUT))
        await callers.ask_many(calls)
        out_s = await watching
        numbers = count(calls)
        await _trickle_until_a_probe(callers, numbers)
        seen = dying.requests - before
        await dying.recover()
        recovered_s = time.monotonic()
        back_s = await _trickle_until(callers, numbers, EndpointStatus.WELL, EndpointStatus.UNSTABLE)
        well_s = await _trickle_until(callers, numbers, EndpointStatus.WELL)
        dead = list(callers.told)
        callers.told.clear()
        await callers.ask_many(AFTER)
    # What is told within a time-out of that moment was under way then; a probe comes 15 s later.
    tried = [told.at_s > out_s + 2 * TIMEOUT_S for told in dead if DEAD in told.failed]
    return Outage(
        fault=fault,
        calls=len(dead) + len(callers.told),
        errors=[told.fault for told in (*dead, *callers.told) if told.fault is not None],
        attempts=tried.count(False),
        probes=tried.count(True),
        seen=None if fault is Fault.REFUSE else seen,
        out_after_s=out_s - died_s,
        slowest_s=max(told.took_s for told in dead),
        back_after_s=back_s - recovered_s,
        well_after_s=well_s - recovered_s,
        share=sum(told.answered == DEAD for told in callers.told) / AFTER,
    )


async def _trickle_until_a_probe(callers: Callers, numbers: Iterator[int]) -> None:
    """Call now and then until one of these calls was a probe that failed."""
    for number in islice(numbers, int(LONGEST_S / TRICKLE_S)):
        await callers.ask(number)
        if DEAD in callers.told[-1].failed:
            return
        await asyncio.sleep(TRICKLE_S)
    raise BenchError(f"nobody probed the dead provider for {LONGEST_S:.0f} s")


async def _trickle_until(callers: Callers, numbers: Iterator[int], *wanted: EndpointStatus) -> float:
    """Call now and then until the endpoint stands so; returns when that was. Raises BenchError after a minute."""
    watching = asyncio.create_task(watch(callers, *wanted))
    while not watching.done():
        await callers.ask(next(numbers))
        await asyncio.sleep(TRICKLE_S)
    return await watching


def format_table(outages: Sequence[Outage]) -> str:
    """A row for each way to die, in Markdown, and the errors below it."""
    heads = (
        "one of three", "calls", "client-visible errors", "attempts there until it was out", "out after, s", "probes while out", "requests it saw",
        "slowest call, s", "back after recovery, s", "well again, s", "its share of the calls after",
    )  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for outage in outages:
        cells = (
            outage.fault,
            f"{outage.calls:,}",
            len(outage.errors),
            outage.attempts,
            f"{outage.out_after_s:.2f}",
            outage.probes,
            "none can reach it" if outage.seen is None else outage.seen,
            f"{outage.slowest_s:.2f}",
            f"{outage.back_after_s:.1f}",
            f"{outage.well_after_s:.1f}",
            f"{outage.share:.0%}",
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join([*lines, *(f"{outage.fault}: {error}" for outage in outages for error in outage.errors[:5])])


async def measure(faults: Sequence[Fault], calls: int) -> list[Outage]:
    """One outage after the other, each with a gateway of its own."""
    outages = []
    for fault in faults:
        print(f"... {fault}: {calls:,} calls", file=sys.stderr, flush=True)
        outages.append(await suffer(fault, calls))
    return outages


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a caller saw a failure or the provider was not back in time."""
    parser = argparse.ArgumentParser(prog="python -m bench.outage", description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=10_000, help="for each way to die")
    parser.add_argument("--only", nargs="+", type=Fault, default=list(Fault), choices=list(Fault), metavar="WAY")
    given = parser.parse_args(arguments)
    begun_s = time.monotonic()
    try:
        with ended_in_order(), on_core(LOAD_CORE):
            outages = uvloop.run(measure(given.only, given.calls))
    except BenchError as error:
        print(f"cannot measure: {error}", file=sys.stderr)
        return 1
    print(format_table(outages))
    print(f"in {time.monotonic() - begun_s:.0f} s")
    return 0 if all(outage.is_kept for outage in outages) else 1


_WHOLE: Final = make_request(MODEL)
_STREAM: Final = make_request(MODEL, stream=True)
_MESSAGE: Final = ChatCompletionRequest.FromString(make_grpc_request(MODEL))

if __name__ == "__main__":
    sys.exit(main())
