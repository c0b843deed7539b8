# SPDX-License-Identifier: Apache-2.0
"""The composition root: settings become upstreams, engine and edges. What starts first stops last."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import re
import secrets
import signal
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trunkline.v1 import generation_service_pb2, key_service_pb2, model_service_pb2
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk
from trunkline.v1.error_pb2 import ErrorResponse
from trunkline_server.allocator import bound_heaps, trim_after_growth
from trunkline_server.catalog.directory import Directory
from trunkline_server.catalog.entry import Catalog, Provider
from trunkline_server.config.read import make_catalog
from trunkline_server.config.settings import Settings
from trunkline_server.core.ports import UnaryRpc, Upstream
from trunkline_server.core.secret import Secret
from trunkline_server.dialects.registry import make_dialects
from trunkline_server.edge.admission import Admission, KeyRecord, RandomPool
from trunkline_server.edge.grpc import GrpcEdge, GrpcEdgeOptions
from trunkline_server.edge.http import HttpEdge, HttpEdgeOptions
from trunkline_server.engine.record import Keepers
from trunkline_server.engine.run import Engine
from trunkline_server.jsonshape import Codec
from trunkline_server.stores.accounts import Accounts
from trunkline_server.stores.generations import Generations
from trunkline_server.stores.memory import MemoryRecords
from trunkline_server.stores.shared import SharedRecords
from trunkline_server.telemetry.call_log import CallLog
from trunkline_server.telemetry.log_setup import set_up_logging
from trunkline_server.upstream.http import HttpUpstream
from trunkline_server.upstream.simulator import SimulatorUpstream
from trunkline_server.workers.orders import Seat

_LOGGER: Final = logging.getLogger("trunkline")
# The services whose RPCs are all unary; who does their work is composed below.
_SERVICES: Final = tuple(
    service
    for file in (model_service_pb2, generation_service_pb2, key_service_pb2)
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
        self._catalog = make_catalog(settings)
        self._upstreams = make_upstreams(settings, self._catalog)
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
        gateway = Engine(
            catalog=lambda: self._catalog,
            upstreams=lambda: self._upstreams,
            dialects=make_dialects(codec),
            records=Keepers(CallLog(), records),
            monotonic_s=time.monotonic,
        )
        rpcs = make_unary_rpcs(
            {
                "ModelService": Directory(lambda: self._catalog),
                "GenerationService": Generations(shared.find),
                "KeyService": Accounts(shared.spending, time.time),
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
        for upstream in self._upstreams.values():
            await upstream.close()
        if self._retired and not await self._records.hand_over():
            _LOGGER.warning("no worker took the records and sums of this one")
        await self._records.close()


async def serve(settings: Settings, announce: Callable[[Bound], None], seat: Seat | None = None) -> int:
    """Serves until SIGTERM or SIGINT, then drains; a second signal cuts that short. `announce` is told where the edges listen once they do. The exit status: 0 after a drain.

    With a `seat` this is a worker: SIGHUP makes it retire, and it stops when its supervisor has gone. Raises OSError where an address is taken.
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
    announce(bound)
    trimming = asyncio.create_task(trim_after_growth())
    await _one_of(stopping.wait(), retiring.wait())
    if not stopping.is_set():
        _LOGGER.info("retiring: this worker ends when its connections have")
        await _one_of(stopping.wait(), app.retire())
    _LOGGER.info("draining: calls under way may take %s s; ask again to stop at once", settings.drain.grace_s)
    await app.stop()
    trimming.cancel()
    return 0


async def _one_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Waits until the first of several is over; the others are given up. Raises what it raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    for task in done:
        task.result()


def make_upstreams(settings: Settings, catalog: Catalog) -> Mapping[str, Upstream]:
    """The way to each provider of the catalog, by slug."""
    secrets_by_slug = {provider.slug: provider.api_key for provider in settings.providers}
    return {slug: _make_upstream(provider, secrets_by_slug.get(slug)) for slug, provider in catalog.providers.items()}


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


def _make_upstream(provider: Provider, secret: Secret | None) -> Upstream:
    if provider.transport == "simulator" or provider.base_url is None:
        return SimulatorUpstream(clock=time.time)
    return HttpUpstream(base_url=provider.base_url, secret=secret)


def _make_admission(settings: Settings) -> Admission:
    return Admission(
        keys=[KeyRecord(name=key.name, sha256=key.sha256) for key in settings.keys],
        default_timeout_s=settings.calls.default_timeout_s,
        max_timeout_s=settings.calls.max_timeout_s,
        clock_s=time.time,
        monotonic_s=time.monotonic,
        random_bytes=RandomPool(secrets.token_bytes).draw,
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
