# SPDX-License-Identifier: Apache-2.0
"""Chat completions over HTTP: the contract's own face, whole or streamed as the request's switch field says.

The path, the typed pair of RPCs that it stands for, the switch field and the framing come from the options of the façade's RPC; the façade's own
messages are never built.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor import MethodDescriptor

from trunkline.jsonshape.v1 import options_pb2
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletionChunk
from trunkline_server.core.call import Call
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.edge.events import Framing, error_chunk, frame_event, frame_events
from trunkline_server.edge.http.errors import Refusal, refuse
from trunkline_server.edge.http.exchange import Headers
from trunkline_server.edge.http.faces import Asked, Renderer
from trunkline_server.edge.http.guard import authorization
from trunkline_server.edge.http.request import Request
from trunkline_server.edge.http.routes import read_bindings
from trunkline_server.jsonshape import Codec


class ChatFace:
    """The face of the façade's RPC, written by the codec."""

    tells_partial = True
    unserved = ""

    def __init__(self, facade: MethodDescriptor, codec: Codec) -> None:
        shape = facade.GetOptions().Extensions[options_pb2.method]
        self.path = read_bindings(facade)[0].path
        self._switch_field = shape.typed.switch_field
        self._framing = Framing.read(shape.sse)
        self.keep_alive = self._framing.comment
        self._codec = codec

    def read(self, value: Any) -> Asked:
        """Reads a parsed body. Raises ShapeFaults."""
        request = self._codec.decode(ChatCompletionRequest, value)
        return Asked(
            request=request, streamed=getattr(request, self._switch_field), render=self._codec.dump, begin=self._begin
        )

    def refuse(self, error: GatewayError, request_id: str) -> Refusal:
        """The contract's body of a failure."""
        return refuse(self._codec, error, request_id)

    def headers(self, _request_id: str) -> Headers:
        """None: all that there is to say is in the edge's own."""
        return ()

    def credentials(self, request: Request) -> Sequence[str]:
        """The header `authorization`."""
        return authorization(request)

    def _begin(self, call: Call) -> Renderer:
        return _ChunkRenderer(self._codec, call, self._framing.terminator)


class _ChunkRenderer:
    """Writes chunks as they are."""

    __slots__ = ("_call", "_dump", "_said", "_terminator")

    def __init__(self, codec: Codec, call: Call, terminator: bytes) -> None:
        self._dump = codec.dump
        self._call = call
        self._terminator = terminator
        self._said = ChatCompletionChunk(model=call.request.model)

    def feed(self, batch: Batch) -> bytes:
        """One event a chunk."""
        self._said = batch[-1]
        dump = self._dump
        if len(batch) == 1:  # the usual batch
            return frame_event(dump(self._said))
        return frame_events([dump(chunk) for chunk in batch])

    def end(self) -> bytes:
        """What the contract says: the stream is done."""
        return self._terminator

    def fail(self, error: GatewayError) -> bytes:
        """The event of a failure, with the ids of the chunks before it."""
        call, said = self._call, self._said
        chunk = error_chunk(
            error,
            generation_id=call.generation_id,
            created_s=call.created_s,
            model=said.model or call.request.model,
            provider=said.provider,
        )
        return frame_event(self._dump(chunk))
