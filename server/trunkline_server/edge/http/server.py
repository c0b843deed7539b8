# SPDX-License-Identifier: Apache-2.0
"""The HTTP edge: its routes, what every request goes through, its life from start to stop."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, Protocol, cast

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor

from trunkline.v1 import openai_compat_service_pb2
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.call import Principal
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Gateway, UnaryRpc
from trunkline_server.edge.admission import REQUEST_ID_HEADER, Admission
from trunkline_server.edge.failures import error_of_exception
from trunkline_server.edge.http.chat import ChatFace
from trunkline_server.edge.http.errors import Refusal, refuse
from trunkline_server.edge.http.exchange import JSON, ClientGoneError, Exchange, HttpDate, head_bytes
from trunkline_server.edge.http.face_completions import CompletionsFace
from trunkline_server.edge.http.face_messages import MessagesFace
from trunkline_server.edge.http.face_responses import ResponsesFace
from trunkline_server.edge.http.faces import Face, FaceRoute
from trunkline_server.edge.http.guard import check_content_type, check_header_names, check_host, check_origin
from trunkline_server.edge.http.options import HttpEdgeOptions
from trunkline_server.edge.http.pages import Page, Pages
from trunkline_server.edge.http.protocol import EdgeServer
from trunkline_server.edge.http.request import Request
from trunkline_server.edge.http.retirement import empty_and_close
from trunkline_server.edge.http.routes import RouteTable, read_bindings, served_paths
from trunkline_server.edge.http.rpc import RpcRoute
from trunkline_server.jsonshape import Codec

_FACADE: Final = openai_compat_service_pb2.DESCRIPTOR.services_by_name["OpenAICompatService"].methods_by_name[
    "ChatCompletions"
]
_READY_PATH: Final = "/readyz"
_HEALTH_PATHS: Final = frozenset({"/healthz", _READY_PATH})
_READING: Final = frozenset({"GET", "HEAD"})
_STOPPING: Final = "The gateway is stopping; send the request again."
_BACKLOG: Final = 1024
_UNSENT_BYTES: Final = 128 << 10
_CUT_WAIT_S: Final = 2.0
_SHOWN: Final = 100


class Route(Protocol):
    """What serves one method of one path."""

    @property
    def credentials(self) -> Callable[[Request], Sequence[str]]:
        """What reads the values of `authorization` off a request."""

    async def serve(self, exchange: Exchange, principal: Principal, variables: Mapping[str, str], query: str) -> None:
        """Answers the exchange. Raises GatewayError as long as nothing is written."""


class HttpEdge:
    """Serves the contract's JSON wire, and the faces that clients of other APIs speak.

    `unary_rpcs` are keyed by full method name, and the modules of their services must be imported: the routes are read from their descriptors. `is_ready`
    is asked by `/readyz`. `clock_s` is the wall clock, for the Date header alone.
    """

    def __init__(
        self,
        *,
        gateway: Gateway,
        admission: Admission,
        codec: Codec,
        unary_rpcs: Mapping[str, UnaryRpc],
        options: HttpEdgeOptions,
        is_ready: Callable[[], bool] = lambda: True,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._admission = admission
        self._codec = codec
        self._options = options
        self._is_ready = is_ready
        self._date = HttpDate(clock_s)
        self._draining = False
        self._retiring = False
        self._in_flight: dict[Exchange, asyncio.Task[object]] = {}
        self._idle = asyncio.Event()
        self._server: EdgeServer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: list[asyncio.Server] = []
        self._pages = Pages()
        self._routes = RouteTable[Route]()
        self._faces: dict[str, Face] = {}
        for face in make_faces(codec, clock_s):
            route = FaceRoute(face, gateway=gateway, admission=admission, options=options)
            for path in served_paths(face.path):
                self._routes.add("POST", path, route)
                self._faces[path] = face
        for name, rpc in unary_rpcs.items():
            for binding in read_bindings(find_rpc(name)):
                self._routes.add(
                    binding.http_method, binding.path, RpcRoute(binding, rpc, codec=codec, options=options)
                )

    @property
    def routes(self) -> Sequence[tuple[str, str]]:
        """All (HTTP method, path) that are served beside health."""
        return sorted((method, path) for method, path, _ in self._routes)

    async def start(self, host: str, port: int, *, reuse_port: bool = False) -> int:
        """Listens on an address, one more each time it is called. Returns the port, which the system chooses where `port` is 0. Raises OSError."""
        if self._server is None:
            self._server = self._make_server()
        self._loop = loop = asyncio.get_running_loop()
        listener = await loop.create_server(self._server, host, port, backlog=_BACKLOG, reuse_port=reuse_port or None)
        self._listeners.append(listener)
        for place in listener.sockets if hasattr(socket, "TCP_NOTSENT_LOWAT") else ():
            # Connections inherit it. What a slow client has not taken then waits here, where it holds the provider back, instead of in MBs of the kernel's.
            place.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
        return int(listener.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return 0 if self._server is None else len(self._server.connections)

    async def retire(self) -> None:
        """Leaves new connections to the other processes on the port. Those that are there are served, and closed by their next answer."""
        self._retiring = True
        server, loop = self._server, asyncio.get_running_loop()
        for exchange in self._in_flight:
            exchange.keep_alive = False
        for listener in self._listeners:
            for connection in empty_and_close(listener):
                if server is not None:
                    await loop.connect_accepted_socket(server, connection)
        self._listeners.clear()

    async def drain(self) -> None:
        """Tells clients and load balancers to go elsewhere: `/readyz` says 503 and every answer closes its connection. Calls are still served."""
        self._draining = True
        for exchange in self._in_flight:
            exchange.keep_alive = False

    async def stop(self, grace_s: float) -> None:
        """Accepts nothing more, gives what is under way `grace_s` to finish, and ends the rest: with an error where an answer can still say so."""
        await self.drain()
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        server, self._server = self._server, None
        if server is None:
            return
        busy = {exchange.request.protocol for exchange in self._in_flight}
        for connection in server.connections:
            if connection not in busy:
                connection.force_close()
        if not await self._wait_until_idle(grace_s):
            for exchange, task in self._in_flight.items():
                exchange.cut = True
                task.cancel()
            await self._wait_until_idle(_CUT_WAIT_S)
        for connection in server.connections:
            connection.force_close()
        await server.shutdown(timeout=_CUT_WAIT_S)

    def _make_server(self) -> EdgeServer:
        options = self._options
        return EdgeServer(
            self._handle,
            refusal=self._refuse_unparsed,
            head_timeout_s=options.head_timeout_s,
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=options.keepalive_timeout_s,
            max_line_size=options.max_line_bytes,
            max_field_size=options.max_line_bytes,
            max_headers=options.max_headers,
        )

    async def _wait_until_idle(self, timeout_s: float) -> bool:
        """Whether nothing is under way any more after at most `timeout_s`."""
        if self._in_flight:
            self._idle.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._idle.wait()
            except TimeoutError:
                return False
        return True

    async def _handle(self, request: Request) -> bool:
        """Serves one request. Cancelled as soon as the client goes away, which closes the call's generator."""
        exchange = self._begin(request)
        self._in_flight[exchange] = cast("asyncio.Task[object]", asyncio.current_task(self._loop))
        try:
            await self._serve(exchange)
        except ClientGoneError:
            exchange.keep_alive = False
        except asyncio.CancelledError:
            if exchange.cut and not exchange.began and not exchange.is_gone:
                self._write_error(exchange, GatewayError(ErrorReason.ERROR_REASON_SHUTTING_DOWN, _STOPPING))
            raise
        except Exception as error:  # noqa: BLE001 - the edge: whatever failed, the client gets an answer and the log the cause
            await self._refuse(exchange, error)
        finally:
            del self._in_flight[exchange]
            if not self._in_flight:
                self._idle.set()
        return exchange.keep_alive

    def _begin(self, request: Request) -> Exchange:
        exchange = Exchange(
            request,
            request_id=self._admission.make_request_id(request.headers),
            generation_id=self._admission.make_generation_id(),
            date=self._date,
            write_timeout_s=self._options.write_timeout_s,
        )
        if self._draining or self._retiring:
            exchange.keep_alive = False
        return exchange

    async def _serve(self, exchange: Exchange) -> None:
        """What every request goes through: Host, route, origin and content type, key. The body is read by the route, after all that."""
        request = exchange.request
        path, _, query = request.raw_path.partition("?")
        if path in _HEALTH_PATHS and request.method in _READING:
            await self._tell_health(exchange, path)
            return
        check_host(request, loopback_only=self._options.loopback_only)
        check_header_names(request)
        if not path.startswith("/") and path != "*":
            raise GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, "The request line must name a path.")
        if (page := self._pages.find(path)) is not None:
            await self._show(exchange, page)
            return
        found = self._routes.find(path)
        if found is None:
            face = self._find_face(path)
            more = f" {face.unserved}" if face is not None and face.unserved else ""
            raise GatewayError(ErrorReason.ERROR_REASON_NOT_FOUND, f"Nothing is served at {path[:_SHOWN]!r}.{more}")
        methods, variables = found
        route = methods.get("GET" if request.method == "HEAD" else request.method)
        if route is None:
            await self._tell_methods(exchange, methods)
            return
        if self._admission.open_to_all:
            check_origin(request)
            if request.method not in _READING:
                check_content_type(request)
        principal = self._admission.authenticate(route.credentials(request))
        await route.serve(exchange, principal, variables, query)

    async def _tell_health(self, exchange: Exchange, path: str) -> None:
        """`/healthz`: the process answers. `/readyz`: it wants to be sent calls."""
        if path == _READY_PATH and (self._draining or not self._is_ready()):
            await exchange.answer(503, b'{"status":"not ready"}')
        else:
            await exchange.answer(200, b'{"status":"ok"}')

    async def _show(self, exchange: Exchange, page: Page) -> None:
        """Answers with a page; pages are for everybody, and hold nothing of anybody."""
        if exchange.request.method in _READING:
            await exchange.answer(200, page.body, content_type=page.content_type, headers=page.headers)
        else:
            await self._tell_methods(exchange, ("GET",))

    async def _tell_methods(self, exchange: Exchange, methods: Collection[str]) -> None:
        """Answers OPTIONS, and refuses a method that the path does not have. No answer allows another site's page anything."""
        allowed = sorted({*methods, "OPTIONS", *(("HEAD",) if "GET" in methods else ())})
        headers = [("Allow", ", ".join(allowed))]
        if exchange.request.method == "OPTIONS":
            await exchange.answer(204, b"", headers=headers)
            return
        error = GatewayError(ErrorReason.ERROR_REASON_METHOD_NOT_ALLOWED, f"This path serves {', '.join(allowed)}.")
        refusal = self._refusal(exchange, error)
        await exchange.answer(refusal.status, refusal.body, headers=[*headers, *refusal.headers])

    async def _refuse(self, exchange: Exchange, error: Exception) -> None:
        """Answers with a failure; where an answer has begun, all that is left is to break the connection."""
        exchange.keep_alive = exchange.keep_alive and not exchange.expects_continue
        failure = error_of_exception(error, exchange.request_id)
        if exchange.began:
            exchange.abort()
            return
        try:
            self._write_error(exchange, failure)
            await exchange.drain()
        except ClientGoneError:
            exchange.keep_alive = False

    def _write_error(self, exchange: Exchange, error: GatewayError) -> None:
        refusal = self._refusal(exchange, error)
        exchange.write_answer(refusal.status, refusal.body, headers=refusal.headers)

    def _refusal(self, exchange: Exchange, error: GatewayError) -> Refusal:
        """The failure in the words of the face that the client speaks, which its path tells."""
        face = self._find_face(exchange.request.raw_path.partition("?")[0])
        return refuse(self._codec, error) if face is None else face.refuse(error, exchange.request_id)

    def _find_face(self, path: str) -> Face | None:
        """The face on a path or above it; None for all other paths."""
        faces = self._faces.items()
        return next((face for root, face in faces if path == root or path.startswith(f"{root}/")), None)

    def _refuse_unparsed(self, error: GatewayError) -> bytes:
        """The answer where there is no whole request to answer; the connection is closed after it."""
        refusal = refuse(self._codec, error)
        headers = [
            ("Content-Type", JSON),
            ("Content-Length", str(len(refusal.body))),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Generation-Id", self._admission.make_generation_id()),
            (REQUEST_ID_HEADER.title(), self._admission.make_request_id({})),
            ("Date", self._date.text()),
            ("Connection", "close"),
        ]
        return head_bytes(refusal.status, headers) + refusal.body


def make_faces(codec: Codec, clock_s: Callable[[], float]) -> Sequence[Face]:
    """All faces. `clock_s` is the wall clock."""
    chat = ChatFace(_FACADE, codec)
    return (
        chat,
        MessagesFace(codec),
        ResponsesFace(codec, keep_alive=chat.keep_alive, clock_s=clock_s),
        CompletionsFace(codec, keep_alive=chat.keep_alive),
    )


def find_rpc(name: str) -> MethodDescriptor:
    """The descriptor of an RPC by its full name. Raises KeyError where its module is not imported."""
    return descriptor_pool.Default().FindMethodByName(name)
