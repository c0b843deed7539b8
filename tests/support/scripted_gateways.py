# SPDX-License-Identifier: Apache-2.0
"""Gateways on loopback that answer the command line with a script, one for each wire."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletionChunk
from trunkline.v1.chat_service_pb2_grpc import ChatServiceServicer, add_ChatServiceServicer_to_server
from trunkline.v1.model_pb2 import Endpoint, Model, ModelEndpoints
from trunkline.v1.model_service_pb2 import (
    ListModelEndpointsRequest,
    ListModelEndpointsResponse,
    ListModelsRequest,
    ListModelsResponse,
)
from trunkline.v1.model_service_pb2_grpc import ModelServiceServicer, add_ModelServiceServicer_to_server
from trunkline.v1.route_service_pb2 import ExplainRouteResponse, RoutePlan
from trunkline.v1.route_service_pb2_grpc import RouteServiceServicer, add_RouteServiceServicer_to_server


@dataclass(slots=True, kw_only=True)
class HttpScript:
    """What the HTTP gateway answers (`body` is cut off where `whole` is false), and what it was asked: method, path, headers, body.

    `bodies` are those of single paths, before `body`.
    """

    status: int = 200
    body: bytes = b""
    bodies: Mapping[str, bytes] = field(default_factory=dict)
    whole: bool = True
    address: str = ""
    asked: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)


@contextmanager
def http_gateway(script: HttpScript) -> Iterator[HttpScript]:
    """Serve a script while the context lasts; its address is then set."""

    class Handler(BaseHTTPRequestHandler):
        """Plays the script."""

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Stay silent."""

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            script.asked.append((self.command, self.path, headers, json.loads(body) if body else None))
            answer = script.bodies.get(self.path, script.body)
            self.send_response(script.status)
            self.send_header("content-length", str(len(answer) + (0 if script.whole else 100)))
            self.end_headers()
            self.wfile.write(answer)
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    script.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sse(*events: object) -> bytes:
    """Server-sent events: each is text as it is, or an object as JSON."""
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return "".join(f"data: {text}\n\n" for text in texts).encode()


@dataclass(slots=True, kw_only=True)
class GrpcScript(ChatServiceServicer, ModelServiceServicer, RouteServiceServicer):
    """What the gRPC gateway answers: chunks, models or a plan, then `failure` where it is set. `asked` holds requests with the `authorization` they came with."""

    chunks: Sequence[ChatCompletionChunk] = ()
    models: Sequence[Model] = ()
    endpoints: Mapping[str, Sequence[Endpoint]] = field(default_factory=dict)
    plan: RoutePlan | None = None
    failure: tuple[grpc.StatusCode, str] | None = None
    address: str = ""
    asked: list[tuple[ChatCompletionRequest, str | None]] = field(default_factory=list)

    def StreamChatCompletion(  # noqa: N802 - the contract's name
        self, request: ChatCompletionRequest, context: grpc.ServicerContext
    ) -> Iterator[ChatCompletionChunk]:
        """Plays the script."""
        metadata = dict(context.invocation_metadata())
        self.asked.append((request, metadata.get("authorization")))
        yield from self.chunks
        if self.failure is not None:
            context.abort(*self.failure)

    def ListModels(  # noqa: N802 - the contract's name
        self, request: ListModelsRequest, context: grpc.ServicerContext
    ) -> ListModelsResponse:
        """Lists the script's models."""
        return ListModelsResponse(data=self.models)

    def ListModelEndpoints(  # noqa: N802 - the contract's name
        self, request: ListModelEndpointsRequest, context: grpc.ServicerContext
    ) -> ListModelEndpointsResponse:
        """Lists the endpoints that the script has of a model; without them it fails as the script says."""
        slug = f"{request.author}/{request.slug}"
        if slug not in self.endpoints:
            context.abort(*(self.failure or (grpc.StatusCode.NOT_FOUND, "Not found.")))
        self.asked.append((ChatCompletionRequest(), dict(context.invocation_metadata()).get("authorization")))
        return ListModelEndpointsResponse(data=ModelEndpoints(id=slug, endpoints=self.endpoints[slug]))

    def ExplainRoute(  # noqa: N802 - the contract's name
        self, request: ChatCompletionRequest, context: grpc.ServicerContext
    ) -> ExplainRouteResponse:
        """Tells the script's plan."""
        self.asked.append((request, dict(context.invocation_metadata()).get("authorization")))
        if self.failure is not None:
            context.abort(*self.failure)
        return ExplainRouteResponse(data=self.plan)


@contextmanager
def grpc_gateway(script: GrpcScript) -> Iterator[GrpcScript]:
    """Serve a script while the context lasts; its address is then set."""
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    add_ChatServiceServicer_to_server(script, server)
    add_ModelServiceServicer_to_server(script, server)
    add_RouteServiceServicer_to_server(script, server)
    script.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield script
    finally:
        server.stop(None).wait()
