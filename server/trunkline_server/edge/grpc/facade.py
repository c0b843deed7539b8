# SPDX-License-Identifier: Apache-2.0
"""OpenAICompatService: OpenAI's JSON through gRPC, for stock transcoders such as Envoy's and grpc-gateway.

A transcoder writes each `google.api.HttpBody` as it is, the content type of the first one being the answer's. So an answer here is one body of JSON, or
a stream of bodies that hold server-sent events, each the events of a batch.

A failure before the first content is the call's status, from which the transcoder makes its HTTP status. Later no status can say it: transcoders have
sent 200 and end the answer without a word, or write JSON of their own into the stream. So a stream that fails after its first content ends in the
event that the HTTP edge would send, without the terminator, and the call is OK: what went wrong stands in the body, which is the answer.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, suppress
from typing import Final, Self

import grpc
from google.api.httpbody_pb2 import HttpBody

from trunkline.jsonshape.v1 import options_pb2
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletionChunk
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.openai_compat_service_pb2 import DESCRIPTOR, ChatCompletionsRequest
from trunkline_server.core.call import LARGE_REQUEST_BYTES, Call
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch, Gateway
from trunkline_server.edge.admission import Admission, CallTerms
from trunkline_server.edge.completion import complete
from trunkline_server.edge.events import Framing, error_chunk, frame_events
from trunkline_server.edge.failures import error_of_exception, error_of_faults
from trunkline_server.edge.grpc.intake import Arrival, Context, parse_message
from trunkline_server.edge.grpc.reception import ClientGone, Reception, write
from trunkline_server.edge.grpc.struct_json import read_struct
from trunkline_server.jsonshape import Codec, ShapeFaults

SERVICE: Final = "trunkline.v1.OpenAICompatService"
RPCS: Final = (f"{SERVICE}.ChatCompletions",)
_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream"
_LOG: Final = logging.getLogger("trunkline.grpc")


class FacadeHandlers:
    """The one method of OpenAICompatService.

    A stream that is silent for `hold_s` before its first content, and later for `interval_s` (both in seconds), says a comment.
    """

    def __init__(
        self,
        *,
        gateway: Gateway,
        admission: Admission,
        codec: Codec,
        reception: Reception,
        hold_s: float,
        interval_s: float,
    ) -> None:
        method = DESCRIPTOR.services_by_name["OpenAICompatService"].methods_by_name["ChatCompletions"]
        shape = method.GetOptions().Extensions[options_pb2.method]
        self._switch_field = shape.typed.switch_field
        self._framing = Framing.read(shape.sse)
        self._gateway = gateway
        self._admission = admission
        self._codec = codec
        self._reception = reception
        self._hold_s = hold_s
        self._interval_s = interval_s

    def handler(self) -> grpc.GenericRpcHandler:
        """The service as grpc takes it."""
        method: grpc.RpcMethodHandler[bytes, HttpBody] = grpc.stream_stream_rpc_method_handler(
            self._serve, response_serializer=HttpBody.SerializeToString
        )
        return grpc.method_handlers_generic_handler(SERVICE, {"ChatCompletions": method})

    async def _serve(self, _: object, context: Context) -> None:
        await self._reception.serve(context, self._answer, generates=True)

    async def _answer(self, arrival: Arrival) -> None:
        call = await self._admit(arrival)
        context = arrival.context
        if call.streamed:
            await self._stream(arrival, call)
            return
        answer = self._codec.dump(await complete(self._gateway, call))
        await context.send_initial_metadata(arrival.ids.metadata())
        await write(context, HttpBody(content_type=_JSON, data=answer))

    async def _admit(self, arrival: Arrival) -> Call:
        raw = await arrival.receive()
        if len(raw) < LARGE_REQUEST_BYTES:
            return self._make_call(arrival, raw)
        return await asyncio.to_thread(self._make_call, arrival, raw)

    def _make_call(self, arrival: Arrival, raw: bytes) -> Call:
        payload = parse_message(ChatCompletionsRequest, raw).payload
        try:
            request = self._codec.decode(ChatCompletionRequest, read_struct(payload))
        except ShapeFaults as faults:
            raise error_of_faults(faults.faults) from None
        terms = CallTerms(
            wire="grpc",
            streamed=getattr(request, self._switch_field),
            size_bytes=len(raw),
            headers=arrival.headers,
            timeout_s=arrival.remaining_s,
        )
        ids = arrival.ids
        return self._admission.admit(
            request, arrival.principal, terms, request_id=ids.request_id, generation_id=ids.generation_id or ""
        )

    async def _stream(self, arrival: Arrival, call: Call) -> None:
        said = ChatCompletionChunk(model=call.request.model)
        last = b""
        async with EventBodies(arrival, self._framing, hold_s=self._hold_s, interval_s=self._interval_s) as bodies:
            try:
                async with aclosing(self._gateway.run(call)) as batches:
                    async for batch in batches:
                        if not batch:
                            continue
                        if last:  # it was not, against the contract: nothing is lost all the same
                            await bodies.send(last)
                            last = b""
                        said = batch[-1]
                        if said.HasField("usage"):
                            last = self._events(batch)  # it leaves together with the terminator
                        else:
                            await bodies.send(self._events(batch))
            except ClientGone:
                raise
            except asyncio.CancelledError:
                if not (bodies.begun and self._reception.is_closing):
                    raise
                stopping = GatewayError(ErrorReason.ERROR_REASON_SHUTTING_DOWN, "The gateway is stopping.")
                await bodies.send(self._failure(stopping, call, said))
                return
            except Exception as raised:
                if not (bodies.begun or last):
                    raise
                failure = error_of_exception(raised, arrival.ids.request_id)
                if not last:
                    await bodies.send(self._failure(failure, call, said))
                    return
                _LOG.warning("request %s failed after its last chunk: %s", call.request_id, failure)
            await bodies.send(last + self._framing.terminator)

    def _events(self, batch: Batch) -> bytes:
        return frame_events([self._codec.dump(chunk) for chunk in batch])

    def _failure(self, error: GatewayError, call: Call, said: ChatCompletionChunk) -> bytes:
        """The event that ends a failed stream; `said` is the last chunk before it."""
        chunk = error_chunk(
            error,
            generation_id=call.generation_id,
            created_s=call.created_s,
            model=said.model or call.request.model,
            provider=said.provider,
        )
        return frame_events([self._codec.dump(chunk)])


class EventBodies:
    """A stream of bodies that hold events. While it is open, a task of its own says a comment after each long silence."""

    def __init__(self, arrival: Arrival, framing: Framing, *, hold_s: float, interval_s: float) -> None:
        self.begun = False
        self._arrival = arrival
        self._comment = framing.comment
        self._hold_s = hold_s
        self._interval_s = interval_s
        self._loop = asyncio.get_running_loop()
        self._last_write_s = 0.0
        # grpc core takes one write at a time.
        self._writing = asyncio.Lock()
        self._commenting: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._commenting = self._loop.create_task(self._comment_on_silence())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._commenting is not None:
            async with self._writing:  # so that it is not cut while it writes
                self._commenting.cancel()
            await asyncio.wait((self._commenting,))

    async def send(self, block: bytes) -> None:
        """Sends events as one body; waits while the client reads slowly. Raises ClientGone."""
        async with self._writing:
            context = self._arrival.context
            if not self.begun:
                await context.send_initial_metadata(self._arrival.ids.metadata())
                self.begun = True
            await write(context, HttpBody(content_type=_EVENTS, data=block))
            self._last_write_s = self._loop.time()

    async def _comment_on_silence(self) -> None:
        wait_s = self._hold_s
        with suppress(ClientGone):
            while True:
                await asyncio.sleep(wait_s)
                wait_s = self._last_write_s + self._interval_s - self._loop.time() if self.begun else 0.0
                if wait_s <= 0:
                    await self.send(self._comment)
                    wait_s = self._interval_s
