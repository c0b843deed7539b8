# SPDX-License-Identifier: Apache-2.0
"""ChatService: the typed chat completions, whole and in chunks.

The streaming handler writes to the context instead of being an async generator. When a call is cancelled while its generator waits in `yield`, grpc.aio
leaves the generator to the garbage collector (grpc#42295). A handler that waits in `write` is told there and then, and what it opened is closed in its
own task. The end of a call is never read from `context.cancelled()`, which misses cancellations (grpc#36193).
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Final

import grpc
from google.protobuf.message import Message

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletionChunk
from trunkline.v1.chat_service_pb2 import DESCRIPTOR
from trunkline_server.core.call import LARGE_REQUEST_BYTES, Call
from trunkline_server.core.chunks import merge_deltas
from trunkline_server.core.ports import Gateway
from trunkline_server.edge.admission import Admission, CallTerms
from trunkline_server.edge.completion import complete
from trunkline_server.edge.failures import error_of_faults
from trunkline_server.edge.grpc.intake import Arrival, Context, parse_message
from trunkline_server.edge.grpc.reception import Reception, write
from trunkline_server.jsonshape import Codec

SERVICE: Final = str(DESCRIPTOR.services_by_name["ChatService"].full_name)
RPCS: Final = (f"{SERVICE}.CreateChatCompletion", f"{SERVICE}.StreamChatCompletion")


class ChatHandlers:
    """The two methods of ChatService."""

    def __init__(self, *, gateway: Gateway, admission: Admission, codec: Codec, reception: Reception) -> None:
        self._gateway = gateway
        self._admission = admission
        self._codec = codec
        self._reception = reception

    def handler(self) -> grpc.GenericRpcHandler:
        """The service as grpc takes it."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "CreateChatCompletion": grpc.stream_unary_rpc_method_handler(self._create),
                "StreamChatCompletion": grpc.stream_stream_rpc_method_handler(
                    self._stream, response_serializer=ChatCompletionChunk.SerializeToString
                ),
            },
        )

    async def _create(self, _: object, context: Context) -> bytes | None:
        return await self._reception.serve(context, self._answer, generates=True)

    async def _stream(self, _: object, context: Context) -> None:
        await self._reception.serve(context, self._write_chunks, generates=True)

    async def _answer(self, arrival: Arrival) -> Message | None:
        return await complete(self._gateway, await self._admit(arrival, streamed=False))

    async def _write_chunks(self, arrival: Arrival) -> None:
        call = await self._admit(arrival, streamed=True)
        context = arrival.context
        begun = False
        async with aclosing(self._gateway.run(call)) as batches:
            async for batch in batches:
                if not begun:
                    # Not earlier: until headers are sent, a client's own retry policy may retry a call that failed.
                    await context.send_initial_metadata(arrival.ids.metadata())
                    begun = True
                merged = merge_deltas(batch)
                if merged is not batch:
                    batch.clear()
                for chunk in merged:
                    await write(context, chunk)

    async def _admit(self, arrival: Arrival, *, streamed: bool) -> Call:
        raw = await arrival.receive()
        if len(raw) < LARGE_REQUEST_BYTES:
            return self._make_call(arrival, raw, streamed=streamed)
        return await asyncio.to_thread(self._make_call, arrival, raw, streamed=streamed)

    def _make_call(self, arrival: Arrival, raw: bytes, *, streamed: bool) -> Call:
        request = parse_message(ChatCompletionRequest, raw)
        if faults := self._codec.validate(request):
            raise error_of_faults(faults)
        terms = CallTerms(
            wire="grpc",
            streamed=streamed,
            size_bytes=len(raw),
            headers=arrival.headers,
            timeout_s=arrival.remaining_s,
        )
        ids = arrival.ids
        return self._admission.admit(
            request, arrival.principal, terms, request_id=ids.request_id, generation_id=ids.generation_id or ""
        )
