# SPDX-License-Identifier: Apache-2.0
"""What each lane of `make memory` does to a gateway and reads of it. Sizes are of the resident memory, in MB of 10^6 bytes."""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import grpc

from bench.check import wait_for_answer
from bench.gateways import BURST_MODEL, IDLE_MODEL, UNARY_MODEL, BenchError, Call, Wire
from bench.loads import Loader
from bench.measure import read_rss_bytes
from bench.processes import LOAD_CORE, Processes, wait_for_output
from trunkline import build_request

MB = 1_000_000
KB = 1_000
STREAMS = 10_000
IDLE_STREAMS = 1_000
SLOW_READERS = 200
SLOW_BYTES_PER_S = 2_000
SLOW_S = 10.0
LARGE_BYTES = 30_000_000
LARGE_ROUNDS = 3
AT_ONCE = 4
MANY_MESSAGES = 32_000
ANSWER_S = 60.0
START_S = 30.0
OPEN_S = 90.0
# The gateway gives free pages back some seconds after it has grown.
SETTLE_S = 12.0
_PROBE_PAUSE_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """A started gateway, and the wire and call that it is loaded by; `beside` are the calls of all wires."""

    processes: Processes
    folder: Path
    wire: Wire
    call: Call
    beside: Mapping[Wire, Call]
    pids: Sequence[int]

    @property
    def loader(self) -> Loader:
        """What loads it."""
        return Loader(wire=self.wire, call=self.call, folder=self.folder)

    def rss_mb(self) -> float:
        """Its memory now."""
        return read_rss_bytes(self.pids) / MB

    def wait(self) -> None:
        """Wait until every wire has answered once, which loads what is loaded late. Raises BenchError."""
        for wire, call in self.beside.items():
            wait_for_answer(
                wire,
                call,
                timeout_s=START_S,
                is_alive=lambda: all(self.processes.is_alive(pid) for pid in self.pids),
            )
        time.sleep(0.3)

    @contextmanager
    def held(self, command: Sequence[str], streams: int) -> Iterator[None]:
        """Streams that are open inside. Raises BenchError where not all of them open."""
        log = self.folder / "held.log"
        pid = self.processes.spawn(command, core=LOAD_CORE, log=log)
        try:
            pattern = r'"open":\s*(\d+)'
            opened = int(wait_for_output(log, pattern, processes=self.processes, pid=pid, timeout_s=OPEN_S))
            if opened < streams:
                raise BenchError(f"{opened} of {streams} streams were open")
            yield
        finally:
            self.processes.end([pid])
            log.unlink(missing_ok=True)


def weigh_streams(gateway: Weighed, scale: float) -> dict[str, float]:
    """Streams of 100 chunks, twice: the first half fills the records that are kept of finished calls."""
    streams = max(64, round(STREAMS * scale))
    before_mb = gateway.rss_mb()

    def load() -> None:
        gateway.loader.run_streams(model=BURST_MODEL, streams=streams, connections=64, seconds=300)

    load()
    settled_mb = gateway.rss_mb()
    load()
    return {"rss_before_mb": before_mb, "rss_growth_10000_streams_mb": gateway.rss_mb() - settled_mb}


def weigh_idle(gateway: Weighed, scale: float) -> dict[str, float]:
    """Streams that have said one chunk and then nothing, and what stays of them."""
    streams = max(20, round(IDLE_STREAMS * scale))
    before_mb = gateway.rss_mb()
    with gateway.held(gateway.loader.hold_command(model=IDLE_MODEL, streams=streams), streams):
        time.sleep(0.5)
        held_mb = gateway.rss_mb()
    time.sleep(SETTLE_S * min(1.0, 4 * scale))
    return {
        "rss_per_1000_streams_mb": (held_mb - before_mb) * 1000 / streams,
        "rss_left_of_streams_mb": gateway.rss_mb() - before_mb,
    }


def weigh_slow_readers(gateway: Weighed, scale: float) -> dict[str, float]:
    """Readers that are far slower than the provider: each may fill the buffers on the way once, and then holds the provider back."""
    readers = max(5, round(SLOW_READERS * scale))
    seconds = SLOW_S * max(0.2, min(1.0, scale))
    before_mb, before_bytes = gateway.rss_mb(), _read_bytes(gateway.pids)
    command = gateway.loader.hold_command(model=BURST_MODEL, streams=readers)
    with gateway.held([*command, "--slow-bytes-per-s", str(SLOW_BYTES_PER_S)], readers):
        time.sleep(seconds)
        held_mb = gateway.rss_mb()
        time.sleep(seconds)
        later_mb, taken_bytes = gateway.rss_mb(), _read_bytes(gateway.pids) - before_bytes
    return {
        "rss_of_slow_readers_mb": held_mb - before_mb,
        "rss_growth_slow_readers_mb": later_mb - held_mb,
        "taken_by_slow_readers_kb": taken_bytes / KB / readers,
    }


def weigh_large(gateway: Weighed, scale: float) -> dict[str, float]:
    """Requests of 30 MB, some at once; meanwhile small calls show how long the event loop stood still at most."""
    body = _make_body(gateway.wire, gateway.call, [{"role": "user", "content": "h" * round(LARGE_BYTES * scale)}])
    before_mb = gateway.rss_mb()
    send = _sender(gateway.wire, gateway.call, body)
    sizes_mb: list[float] = []
    with _waits(gateway.beside[Wire.HTTP]) as waits_ms, _sampled(gateway, sizes_mb):
        send()
    with _sampled(gateway, sizes_mb), ThreadPoolExecutor(AT_ONCE) as pool:
        for sent in [pool.submit(send) for _ in range(AT_ONCE * LARGE_ROUNDS)]:
            sent.result()
    time.sleep(SETTLE_S * min(1.0, 4 * scale))
    return {
        "rss_peak_large_mb": max(sizes_mb),
        "rss_left_of_large_mb": gateway.rss_mb() - before_mb,
        "wait_beside_large_ms": max(waits_ms),
    }


def weigh_many(gateway: Weighed, scale: float) -> dict[str, float]:
    """One request of very many messages: the median of three requests' longest waits."""
    messages = [{"role": "user", "content": "x"}] * round(MANY_MESSAGES * scale)
    # Each message counts once more over gRPC, where its text is a part of its own.
    share = 3 / 4 if gateway.wire is Wire.GRPC else 1
    send = _sender(
        gateway.wire, gateway.call, _make_body(gateway.wire, gateway.call, messages[: round(len(messages) * share)])
    )
    longest_ms = []
    for _ in range(3):
        with _waits(gateway.beside[Wire.HTTP]) as waits_ms:
            send()
        longest_ms.append(max(waits_ms))
    return {"wait_beside_many_ms": statistics.median(longest_ms)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """One lane: what it does, and how its upstream answers."""

    measure: Callable[[Weighed, float], dict[str, float]]
    upstream: Mapping[str, int] = field(default_factory=dict)


WEIGHTS: Mapping[str, Weight] = MappingProxyType(
    {
        "streams": Weight(measure=weigh_streams),
        "idle": Weight(measure=weigh_idle),
        # An answer of 8 MB, which no buffer on the way should take whole.
        "slow": Weight(measure=weigh_slow_readers, upstream={"chunks": 8000, "chunk_bytes": 1000}),
        "large": Weight(measure=weigh_large),
        "many": Weight(measure=weigh_many),
    }
)
"""The lanes by name."""


def weigh(name: str, gateway: Weighed, scale: float) -> dict[str, float]:
    """Wait for a gateway and do what the lane does; `scale` is the share of the full numbers. Raises BenchError."""
    gateway.wait()
    return WEIGHTS[name].measure(gateway, scale)


def _make_body(wire: Wire, call: Call, messages: Sequence[Mapping[str, str]]) -> bytes:
    request = {"model": UNARY_MODEL, "messages": list(messages)}
    if wire is Wire.GRPC:
        return call.edit(build_request(request).SerializeToString())
    return call.edit(json.dumps(request).encode())


def _sender(wire: Wire, call: Call, body: bytes) -> Callable[[], None]:
    """What sends the body over a connection of its own and reads the answer. Raises BenchError where it is not a good one."""

    def send_http() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", call.port, timeout=ANSWER_S)
        try:
            connection.request(
                "POST", call.path, body=body, headers={"content-type": "application/json", **call.headers}
            )
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise BenchError(f"HTTP {answer.status}: {text[:300]!r}")

    def send_grpc() -> None:
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(f"127.0.0.1:{call.port}", options=options) as channel:
            try:
                ask: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(call.path)
                answer: bytes = ask(body, timeout=ANSWER_S, metadata=tuple(call.headers.items()))
            except grpc.RpcError as error:
                raise BenchError(f"gRPC: {error}") from error
        if not answer:
            raise BenchError("gRPC: the answer is empty")

    return send_grpc if wire is Wire.GRPC else send_http


@contextmanager
def _waits(call: Call) -> Iterator[list[float]]:
    """How long each of many requests for `/healthz` waited inside, ms; one after the other over one connection."""
    waits_ms: list[float] = []
    over = threading.Event()

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", call.port, timeout=ANSWER_S)
        while not over.is_set():
            begun_s = time.perf_counter()
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            waits_ms.append((time.perf_counter() - begun_s) * 1000)
            time.sleep(_PROBE_PAUSE_S)
        connection.close()

    with _beside(ask):
        try:
            yield waits_ms
        finally:
            over.set()


@contextmanager
def _sampled(gateway: Weighed, sizes_mb: list[float]) -> Iterator[None]:
    """Adds the sizes of a gateway inside, each some ms."""
    over = threading.Event()

    def look() -> None:
        while True:
            sizes_mb.append(gateway.rss_mb())
            if over.wait(0.02):
                return

    with _beside(look):
        try:
            yield
        finally:
            over.set()


@contextmanager
def _beside(work: Callable[[], None]) -> Iterator[None]:
    """Runs work in a thread of its own, until it ends. Raises what it raised."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work)
        yield
        done.result()


def _read_bytes(pids: Sequence[int]) -> int:
    """What processes have read from files and sockets so far."""
    return sum(
        int(Path(f"/proc/{pid}/io").read_text(encoding="ascii").partition("rchar: ")[2].split()[0]) for pid in pids
    )
