# SPDX-License-Identifier: Apache-2.0
"""Chat completions over HTTP: one path, whole or streamed as the request's switch field says.

The path, the typed pair of RPCs that it stands for, the switch field and the framing come from the options of the façade's RPC; the façade's own
messages are never built.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import aclosing
from typing import Final

from google.protobuf.descriptor import MethodDescriptor

from trunkline.jsonshape.v1 import options_pb2
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletionChunk
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.call import LARGE_REQUEST_BYTES, Call, Principal
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch, Gateway
from trunkline_server.edge.admission import Admission, CallTerms
from trunkline_server.edge.completion import complete
from trunkline_server.edge.events import Framing, error_chunk, frame_event, frame_events
from trunkline_server.edge.failures import error_of_exception, error_of_faults
from trunkline_server.edge.http.body import read_body
from trunkline_server.edge.http.exchange import JSON, ClientGoneError, Exchange
from trunkline_server.edge.http.guard import check_accept
from trunkline_server.edge.http.options import HttpEdgeOptions
from trunkline_server.edge.http.sse import EVENTS, EventStream
from trunkline_server.jsonshape import Codec, ShapeFaults, parse_json

_LOG: Final = logging.getLogger("trunkline.http")


class ChatRoute:
    """Serves the façade's RPC with the codec and the gateway."""

    def __init__(
        self,
        facade: MethodDescriptor,
        *,
        gateway: Gateway,
        admission: Admission,
        codec: Codec,
        options: HttpEdgeOptions,
    ) -> None:
        shape = facade.GetOptions().Extensions[options_pb2.method]
        self._switch_field = shape.typed.switch_field
        self._framing = Framing.read(shape.sse)
        self._gateway = gateway
        self._admission = admission
        self._codec = codec
        self._options = options

    async def serve(self, exchange: Exchange, principal: Principal, _variables: Mapping[str, str], _query: str) -> None:
        """Answers the exchange. Raises GatewayError as long as no status line is out."""
        body = await read_body(exchange, self._options)
        if len(body) < LARGE_REQUEST_BYTES:
            call = self._admit(exchange, principal, body)
        else:
            call = await asyncio.to_thread(self._admit, exchange, principal, body)
        del body  # an answer may take minutes
        if call.streamed:
            await self._stream(exchange, call)
        else:
            await exchange.answer(200, self._codec.dump(await complete(self._gateway, call)))

    def _admit(self, exchange: Exchange, principal: Principal, body: bytes) -> Call:
        try:
            request = self._codec.decode(ChatCompletionRequest, parse_json(body))
        except ShapeFaults as faults:
            raise error_of_faults(faults.faults) from None
        terms = CallTerms(
            wire="http",
            streamed=getattr(request, self._switch_field),
            size_bytes=len(body),
            headers=exchange.request.headers,
        )
        # A stream may fail as JSON, and OpenAI's own SDK asks for a stream with `Accept: application/json`.
        check_accept(exchange.request, *((EVENTS, JSON) if terms.streamed else (JSON,)))
        return self._admission.admit(
            request, principal, terms, request_id=exchange.request_id, generation_id=exchange.generation_id
        )

    async def _stream(self, exchange: Exchange, call: Call) -> None:
        options = self._options
        stream = EventStream(
            exchange, self._framing, hold_s=options.first_byte_hold_s, interval_s=options.comment_interval_s
        )
        said = ChatCompletionChunk(model=call.request.model)
        last = b""
        with stream:
            try:
                async with aclosing(self._gateway.run(call)) as batches:
                    async for batch in batches:
                        if not batch:
                            continue
                        if last:  # it was not, against the contract: nothing is lost all the same
                            await stream.send(last)
                            last = b""
                        said = batch[-1]
                        events = self._events(batch)
                        batch.clear()
                        if said.HasField("usage"):
                            last = events  # it leaves together with the terminator
                        else:
                            await stream.send(events)
            except ClientGoneError:
                raise
            except asyncio.CancelledError:
                if exchange.cut and exchange.began and not exchange.is_gone:
                    stopping = GatewayError(ErrorReason.ERROR_REASON_SHUTTING_DOWN, "The gateway is stopping.")
                    stream.fail(self._failure(stopping, call, said))
                raise
            except Exception as error:
                if not (exchange.began or last):
                    raise
                failure = error_of_exception(error, exchange.request_id)
                if not last:
                    stream.fail(self._failure(failure, call, said))
                    return
                _LOG.warning("request %s failed after its last chunk: %s", call.request_id, failure)
            await stream.finish(last)

    def _events(self, batch: Batch) -> bytes:
        dump = self._codec.dump
        if len(batch) == 1:  # the usual batch
            return frame_event(dump(batch[0]))
        return frame_events([dump(chunk) for chunk in batch])

    def _failure(self, error: GatewayError, call: Call, said: ChatCompletionChunk) -> bytes:
        """The event that ends a failed stream, with the ids of the chunks before it; `said` is the last of them."""
        chunk = error_chunk(
            error,
            generation_id=call.generation_id,
            created_s=call.created_s,
            model=said.model or call.request.model,
            provider=said.provider,
        )
        return frame_event(self._codec.dump(chunk))
