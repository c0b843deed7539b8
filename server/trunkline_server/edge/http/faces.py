# SPDX-License-Identifier: Apache-2.0
"""Faces: the languages in which clients ask for an answer of a model, each on a path of its own, and the one story behind them all.

A face knows words: how a request reads, how an answer, an event and a failure are written, where the key stands. The route knows what happens: the body is
read, the call admitted, its answer written whole or as events, with a status of its own for each failure before the first content and an event for each
after it. Chat completions are a face like the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, Protocol

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletion
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.call import LARGE_REQUEST_BYTES, Call, Principal
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch, Gateway
from trunkline_server.edge.admission import Admission, CallTerms
from trunkline_server.edge.completion import complete
from trunkline_server.edge.failures import error_of_exception, error_of_faults
from trunkline_server.edge.http.body import read_body
from trunkline_server.edge.http.errors import Refusal
from trunkline_server.edge.http.exchange import JSON, ClientGoneError, Exchange, Headers
from trunkline_server.edge.http.guard import check_accept
from trunkline_server.edge.http.options import HttpEdgeOptions
from trunkline_server.edge.http.request import Request
from trunkline_server.edge.http.sse import EVENTS, EventStream
from trunkline_server.jsonshape import Fault, ShapeFaults, parse_json

_LOG: Final = logging.getLogger("trunkline.http")


class Renderer(Protocol):
    """Writes one answer as events, those of a stream's end included."""

    def feed(self, batch: Batch) -> bytes:
        """The events of a batch; b"" where it says nothing yet."""

    def end(self) -> bytes:
        """The events that end a whole answer. Called once, last."""

    def fail(self, error: GatewayError) -> bytes:
        """The events that end an answer which failed. Called once, last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A client's request, and how its answer is written: `render` as a body, the renderer that `begin` makes as events."""

    request: ChatCompletionRequest
    streamed: bool
    render: Callable[[ChatCompletion], bytes]
    begin: Callable[[Call], Renderer]


class Face(Protocol):
    """One language, on one path.

    `keep_alive` is what a silent stream says so that nobody takes it for dead. With `tells_partial` an answer can tell that it failed half-way beside what
    was said; without, such an answer is a failure. `unserved` is a sentence for who looks for something below the face's path.
    """

    path: str
    keep_alive: bytes
    tells_partial: bool
    unserved: str

    def read(self, value: Any) -> Asked:
        """Reads a parsed body, which is used up. Raises ShapeFaults."""

    def refuse(self, error: GatewayError, request_id: str) -> Refusal:
        """The answer that a failure is."""

    def headers(self, request_id: str) -> Headers:
        """The headers that an answer has beside the edge's own."""

    def credentials(self, request: Request) -> Sequence[str]:
        """What was sent as `authorization`, or stands for it."""


class FaceRoute:
    """Serves a face with the gateway."""

    def __init__(self, face: Face, *, gateway: Gateway, admission: Admission, options: HttpEdgeOptions) -> None:
        self.face = face
        self.credentials = face.credentials
        self._gateway = gateway
        self._admission = admission
        self._options = options

    async def serve(self, exchange: Exchange, principal: Principal, _variables: Mapping[str, str], _query: str) -> None:
        """Answers the exchange. Raises GatewayError as long as no status line is out."""
        body = await read_body(exchange, self._options)
        if len(body) < LARGE_REQUEST_BYTES:
            asked, call = self._admit(exchange, principal, body)
        else:
            asked, call = await asyncio.to_thread(self._admit, exchange, principal, body)
        del body  # an answer may take minutes
        if call.streamed:
            await self._stream(exchange, call, asked.begin(call))
            return
        completion = await complete(self._gateway, call, keeps_partial=self.face.tells_partial)
        await exchange.answer(200, asked.render(completion), headers=self.face.headers(exchange.request_id))

    def _admit(self, exchange: Exchange, principal: Principal, body: bytes) -> tuple[Asked, Call]:
        try:
            asked = self.face.read(parse_json(body))
        except ShapeFaults as faults:
            raise error_of_faults(faults.faults) from None
        terms = CallTerms(wire="http", streamed=asked.streamed, size_bytes=len(body), headers=exchange.request.headers)
        # A stream may fail as JSON, and the vendors' own SDKs ask for a stream with `Accept: application/json`.
        check_accept(exchange.request, *((EVENTS, JSON) if terms.streamed else (JSON,)))
        ids = {"request_id": exchange.request_id, "generation_id": exchange.generation_id}
        return asked, self._admission.admit(asked.request, principal, terms, **ids)

    async def _stream(self, exchange: Exchange, call: Call, renderer: Renderer) -> None:
        options = self._options
        stream = EventStream(
            exchange,
            self.face.keep_alive,
            headers=self.face.headers(exchange.request_id),
            hold_s=options.first_byte_hold_s,
            interval_s=options.comment_interval_s,
        )
        last, is_last = b"", False
        with stream:
            try:
                async with aclosing(self._gateway.run(call)) as batches:
                    async for batch in batches:
                        if not batch:
                            continue
                        if is_last:  # it was not, against the contract: nothing is lost all the same
                            await stream.send(last)
                        is_last = batch[-1].HasField("usage")
                        events = renderer.feed(batch)
                        batch.clear()
                        if is_last:
                            last = events  # it leaves together with the end
                        elif events:
                            await stream.send(events)
            except ClientGoneError:
                raise
            except asyncio.CancelledError:
                if exchange.cut and exchange.began and not exchange.is_gone:
                    stopping = GatewayError(ErrorReason.ERROR_REASON_SHUTTING_DOWN, "The gateway is stopping.")
                    stream.finish_now(renderer.fail(stopping))
                raise
            except Exception as error:
                if not (exchange.began or is_last):
                    raise
                failure = error_of_exception(error, exchange.request_id)
                if not is_last:
                    stream.finish_now(renderer.fail(failure))
                    return
                _LOG.warning("request %s failed after its last chunk: %s", call.request_id, failure)
            await stream.finish(last + renderer.end() if is_last else renderer.end())


def read_object(value: Any) -> dict[str, Any]:
    """The object that a body is. Raises ShapeFaults where it is none."""
    if not isinstance(value, dict):
        raise ShapeFaults([Fault(path="", expected="an object")])
    return value
