# SPDX-License-Identifier: Apache-2.0
"""The composition root: settings become upstreams, engine and edges. What starts first stops last."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import re
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trunkline.v1 import generation_service_pb2, key_service_pb2, model_service_pb2, route_service_pb2
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk
from trunkline.v1.error_pb2 import ErrorResponse
from trunkline_server.allocator import bound_heaps, trim_after_growth
from trunkline_server.catalog.directory import Directory
from trunkline_server.config.settings import FetchSettings, Settings
from trunkline_server.core.ports import UnaryRpc
from trunkline_server.dialects.registry import make_dialects
from trunkline_server.edge.admission import Admission, KeyRecord, RandomPool
from trunkline_server.edge.grpc import GrpcEdge, GrpcEdgeOptions
from trunkline_server.edge.http import HttpEdge, HttpEdgeOptions
from trunkline_server.engine.budget import RetryBudget
from trunkline_server.engine.explain import Explainer
from trunkline_server.engine.health import HealthBook
from trunkline_server.engine.ledgers import Ledgers
from trunkline_server.engine.limits import EndpointLimits
from trunkline_server.engine.media import Fetching
from trunkline_server.engine.record import Keepers
from trunkline_server.engine.run import Engine
from trunkline_server.engine.sessions import SessionPins
from trunkline_server.engine.waits import HeadWaits
from trunkline_server.jsonshape import Codec
from trunkline_server.offer import Offer
from trunkline_server.reload import Reloader, SettingsSource
from trunkline_server.stores.accounts import Accounts
from trunkline_server.stores.generations import Generations
from trunkline_server.stores.memory import MemoryRecords
from trunkline_server.stores.shared import SharedRecords
from trunkline_server.telemetry.call_log import CallLog
from trunkline_server.telemetry.log_setup import set_up_logging
from trunkline_server.upstream.addresses import make_judge
from trunkline_server.upstream.fetch import FetchRules, MediaFetcher
from trunkline_server.workers.orders import Seat

_LOGGER: Final = logging.getLogger("trunkline")
# The services whose RPCs are all unary; who does their work is composed below.
_SERVICES: Final = tuple(
    service
    for file in (model_service_pb2, generation_service_pb2, key_service_pb2, route_service_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
)
_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
# How long a gRPC connection stays with a worker where the settings do not say, and by how much grpc core may exceed it.
_AGE_S: Final = 60.0
_AGE_SPREAD: Final = 1.1
_RETIRING_STEP_S: Final = 0.25
_WORD: Final = re.compile(r"(?<!^)(?=[A-Z])")
# Fewer, later collections: what start makes lives for ever, and a call's messages are freed by reference counts.
_GC_THRESHOLDS: Final = (50_000, 20, 50)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Where the edges listen, as clients write it: "http://127.0.0.1:8080" and "127.0.0.1:50051"."""

    http_url: str
    grpc_target: str


class App:
    """A gateway made from settings. `start` it once, `stop` it once, on one event loop. With a `seat` it is one of several workers on the same ports."""

    def __init__(self, settings: Settings, seat: Seat | None = None) -> None:
        self._settings = settings
        self._offer = Offer.make(settings)
        self._ready = False
        self._is_worker = seat is not None
        self._retired = False
        codec = make_codec()
        admission = _make_admission(settings)
        records = MemoryRecords(most=settings.records.most)
        shared = self._records = SharedRecords(
            records,
            most=settings.records.most,
            folder=None if seat is None else Path(seat.folder),
            # What the supervisor looks for where a worker died.
            name=str(os.getpid()),
        )
        ledgers = self._ledgers = _make_ledgers(settings)
        gateway = Engine(
            catalog=lambda: self._offer.catalog,
            deployment=lambda: self._offer.deployment,
            upstreams=lambda: self._offer.upstreams,
            dialects=make_dialects(codec),
            records=Keepers(CallLog(), records),
            ledgers=ledgers,
            fetching=_make_fetching(settings.fetch),
        )
        rpcs = make_unary_rpcs(
            {
                "ModelService": Directory(lambda: self._offer.catalog, lambda: ledgers.waits.snapshot().endpoints),
                "GenerationService": Generations(shared.find),
                "KeyService": Accounts(shared.spending, time.time),
                "RouteService": Explainer(gateway.prepare),
            }
        )
        http_options, grpc_options = _http_options(settings), _grpc_options(settings, is_worker=self._is_worker)
        self._http = HttpEdge(
            gateway=gateway,
            admission=admission,
            codec=codec,
            unary_rpcs=rpcs,
            options=http_options,
            is_ready=lambda: self._ready,
        )
        self._grpc = GrpcEdge(gateway=gateway, admission=admission, codec=codec, unary_rpcs=rpcs, options=grpc_options)

    async def start(self) -> Bound:
        """Begins to listen. Raises OSError where an address is taken; nothing listens then."""
        http, grpc = self._settings.http.listen, self._settings.grpc.listen
        await self._records.open()
        http_port = await self._http.start(http.host, http.port, reuse_port=self._is_worker)
        try:
            grpc_port = await self._grpc.start(grpc.host, grpc.port)
        except BaseException:  # whatever stops the start must not leave the other port open
            await self._http.stop(0)
            raise
        self._ready = True
        return Bound(http_url=f"http://{_joined(http.host, http_port)}", grpc_target=_joined(grpc.host, grpc_port))

    async def take_over(self, settings: Settings) -> None:
        """Offers from now on what other settings say. Calls under way go on as they began."""
        last, self._offer = self._offer, await self._offer.following(settings)
        self._ledgers.forget(last.mended(self._offer))
        await last.retire(self._offer)

    async def retire(self) -> None:
        """Leaves new clients to the other workers, and waits until those of this one have gone there too, or would have by any count."""
        self._retired = True
        await self._http.retire()
        self._grpc.retire()
        age_s, longest_s = self._settings.grpc.max_connection_age_s or _AGE_S, self._settings.calls.max_timeout_s
        try:
            async with asyncio.timeout(age_s * _AGE_SPREAD + longest_s):
                while self._http.connections or self._grpc.connections:  # noqa: ASYNC110 - nobody tells when grpc core lost one
                    await asyncio.sleep(_RETIRING_STEP_S)
        except TimeoutError:
            _LOGGER.warning("clients stay connected; what they do is ended by the drain")

    async def stop(self) -> None:
        """Drains: new calls are refused, calls under way may finish within the grace, then the connections to providers close."""
        drain = self._settings.drain
        self._ready = False
        await asyncio.gather(self._http.drain(), self._grpc.announce_end())
        await asyncio.sleep(drain.delay_s)
        await asyncio.gather(self._http.stop(drain.grace_s), self._grpc.drain(drain.grace_s))
        await self._offer.close()
        if self._retired and not await self._records.hand_over():
            _LOGGER.warning("no worker took the records and sums of this one")
        await self._records.close()


async def serve(
    settings: Settings,
    announce: Callable[[Bound], None],
    *,
    seat: Seat | None = None,
    source: SettingsSource | None = None,
) -> int:
    """Serves until SIGTERM or SIGINT, then drains; a second signal cuts that short. `announce` is told where the edges listen once they do. The exit status: 0 after a drain.

    What the file at `source` offers is taken over when it changes, and on SIGHUP; None: there is no file. With a `seat` this is a worker: SIGHUP makes it retire,
    and it stops when its supervisor has gone. Raises OSError where an address is taken.
    """
    set_up_logging(settings.log.format, settings.log.level)
    bound_heaps()
    app = App(settings, seat)
    stopping, retiring = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def take_stop() -> None:
        stopping.set()
        for number in _STOP_SIGNALS:
            # Whoever asks twice does not want to wait: the second signal ends the process as if nobody had taken it.
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    def lose_supervisor(control_fd: int) -> None:
        # An end can be read again and again, which would keep the loop busy for as long as the drain takes.
        loop.remove_reader(control_fd)
        stopping.set()

    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, take_stop)
    if seat is not None:
        loop.add_signal_handler(signal.SIGHUP, retiring.set)
        # Nothing is ever sent there: that it can be read means that it has ended.
        loop.add_reader(seat.control_fd, lose_supervisor, seat.control_fd)
    bound = await app.start()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    trimming = asyncio.create_task(trim_after_growth())
    try:
        async with _reloading(app, settings, source, on_hang_up=seat is None):
            announce(bound)
            await _one_of(stopping.wait(), retiring.wait())
        if not stopping.is_set():
            _LOGGER.info("retiring: this worker ends when its connections have")
            await _one_of(stopping.wait(), app.retire())
        _LOGGER.info("draining: calls under way may take %s s; ask again to stop at once", settings.drain.grace_s)
    finally:
        # Whatever went wrong: with an edge that still listens the loop would never close, and this process not end.
        await app.stop()
        trimming.cancel()
    return 0


@asynccontextmanager
async def _reloading(
    app: App, settings: Settings, source: SettingsSource | None, *, on_hang_up: bool
) -> AsyncIterator[None]:
    """Keeps what the app offers as its settings file says (None: there is no file). With `on_hang_up` SIGHUP has the file read at once."""
    if source is None:
        yield
        return
    reloader = Reloader(source, settings, app.take_over)
    loop = asyncio.get_running_loop()
    if on_hang_up:
        loop.add_signal_handler(signal.SIGHUP, reloader.ask)
    running = asyncio.create_task(reloader.run())
    try:
        yield
    finally:
        running.cancel()
        if on_hang_up:
            # A hang-up during the drain must not end the calls under way.
            loop.remove_signal_handler(signal.SIGHUP)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)


async def _one_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Waits until the first of several is over; the others are given up. Raises what it raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    for task in done:
        task.result()


def make_codec() -> Codec:
    """The codec for everything that travels as JSON, with the code of the chat messages already made."""
    chat = [ChatCompletionRequest.DESCRIPTOR, ChatCompletion.DESCRIPTOR, ChatCompletionChunk.DESCRIPTOR]
    rpcs = [method for service in _SERVICES for method in service.methods]
    types = [*(method.input_type for method in rpcs), *(method.output_type for method in rpcs)]
    codec = Codec.compile([*chat, ErrorResponse.DESCRIPTOR, *types])
    codec.load([ChatCompletionRequest], ["decode", "validate", "encode_request"])
    codec.load([ChatCompletionChunk], ["decode_loosely"])
    codec.load([ChatCompletion, ChatCompletionChunk, ErrorResponse], ["encode_answer"])
    return codec


def make_unary_rpcs(services: Mapping[str, object]) -> Mapping[str, UnaryRpc]:
    """All RPCs of the unary services by full name: each is the method of its name in snake_case of the object that does its service's work.

    `services` are by the name of the service. Raises KeyError for a service without an object, AttributeError for an RPC without a method.
    """
    return {
        method.full_name: getattr(services[service.name], _WORD.sub("_", method.name).lower())
        for service in _SERVICES
        for method in service.methods
    }


def _make_admission(settings: Settings) -> Admission:
    return Admission(
        keys=[KeyRecord(name=key.name, sha256=key.sha256) for key in settings.keys],
        default_timeout_s=settings.calls.default_timeout_s,
        max_timeout_s=settings.calls.max_timeout_s,
        clock_s=time.time,
        monotonic_s=time.monotonic,
        random_bytes=RandomPool(secrets.token_bytes).draw,
    )


def _make_fetching(settings: FetchSettings) -> Fetching:
    rules = FetchRules(
        enabled=settings.enabled, hosts=settings.hosts, max_bytes=settings.max_bytes, timeout_s=settings.timeout_s
    )
    return Fetching(
        fetcher=MediaFetcher(rules, is_allowed=make_judge(settings.networks)), most=settings.max_per_request
    )


def _make_ledgers(settings: Settings) -> Ledgers:
    limits, health = settings.limits, HealthBook(time.monotonic)
    return Ledgers(
        health=health,
        waits=HeadWaits(health, time.monotonic),
        budget=RetryBudget(time.monotonic),
        limits=EndpointLimits(most_waiting=limits.most_waiting, monotonic_s=time.monotonic),
        pins=SessionPins(time.monotonic),
        longest_wait_s=limits.longest_wait_s,
        hedge_after_s=settings.attempts.hedge_after_s,
        monotonic_s=time.monotonic,
        draw=random.random,
        sleep=asyncio.sleep,
    )


def _http_options(settings: Settings) -> HttpEdgeOptions:
    http = settings.http
    return HttpEdgeOptions(
        max_body_bytes=settings.calls.max_body_bytes,
        first_byte_hold_s=http.first_byte_hold_s,
        comment_interval_s=http.comment_interval_s,
        keepalive_timeout_s=http.keepalive_timeout_s,
        loopback_only=not settings.keys and not settings.insecure,
    )


def _grpc_options(settings: Settings, *, is_worker: bool) -> GrpcEdgeOptions:
    grpc = settings.grpc
    return GrpcEdgeOptions(
        max_message_bytes=settings.calls.max_body_bytes,
        reflection=grpc.reflection,
        keepalive_time_s=grpc.keepalive_interval_s,
        keepalive_timeout_s=grpc.keepalive_timeout_s,
        min_ping_interval_s=grpc.min_ping_interval_s,
        max_connection_idle_s=grpc.max_connection_idle_s,
        # A connection stays with its worker until it ends: without an age, old ones would never use a new worker.
        max_connection_age_s=grpc.max_connection_age_s or (_AGE_S if is_worker else None),
        max_connection_age_grace_s=grpc.max_connection_age_grace_s,
        max_concurrent_streams=grpc.max_concurrent_streams,
        request_timeout_s=grpc.request_timeout_s,
        so_reuseport=is_worker,
        # The façade's event streams keep the HTTP edge's times.
        first_byte_hold_s=settings.http.first_byte_hold_s,
        comment_interval_s=settings.http.comment_interval_s,
    )


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
