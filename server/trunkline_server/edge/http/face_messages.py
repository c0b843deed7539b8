# SPDX-License-Identifier: Apache-2.0
"""POST /v1/messages: Anthropic's Messages API as a face (platform.claude.com/docs/en/api/messages, November 2026).

Its SDKs send the key as `x-api-key` or as a bearer token, by their version. `anthropic-version` and `anthropic-beta` are not asked for and change nothing: there
is one version of this face. A Message cannot say that it failed half-way, so a whole answer that did is a failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from trunkline.v1.chat_response_pb2 import ChatCompletion
from trunkline.v1.router_metadata_pb2 import RouterMetadata
from trunkline_server.core.call import Call
from trunkline_server.core.errors import GatewayError, error_body
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.anthropic import EventRenderer, error_status, parse_request, render_answer, render_error
from trunkline_server.edge.http.errors import Refusal, error_headers
from trunkline_server.edge.http.exchange import Headers
from trunkline_server.edge.http.faces import Asked, Renderer, read_object
from trunkline_server.edge.http.guard import authorization
from trunkline_server.edge.http.request import Request
from trunkline_server.jsonshape import Codec

_KEY_HEADER: Final = "x-api-key"
_ID_HEADER: Final = "request-id"
_ROUTE: Final = "openrouter_metadata"


class MessagesFace:
    """The face of Anthropic's Messages."""

    path = "/v1/messages"
    keep_alive = EventRenderer().ping()
    tells_partial = False
    unserved = "Of this API POST /v1/messages alone is served: tokens are not counted, and there are no batches."

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def read(self, value: Any) -> Asked:
        """Reads a parsed body. Raises ShapeFaults."""
        request = parse_request(self._codec, read_object(value))
        return Asked(request=request, streamed=request.stream, render=self._render, begin=self._begin)

    def refuse(self, error: GatewayError, request_id: str) -> Refusal:
        """The envelope with `"type": "error"`; 529 is an overload."""
        body = orjson.dumps(error_value(self._codec, error, request_id))
        headers = (*error_headers(error), *self.headers(request_id))
        return Refusal(status=error_status(error), body=body, headers=headers)

    def headers(self, request_id: str) -> Headers:
        """The request's id under the name that the SDKs look for."""
        return ((_ID_HEADER, request_id),)

    def credentials(self, request: Request) -> Sequence[str]:
        """The header `authorization`, or the key of `x-api-key` in its place; a client that sends one key both ways has sent one."""
        keys = [f"Bearer {key}" for key in request.headers.getall(_KEY_HEADER, ())]
        return list(dict.fromkeys([*authorization(request), *keys]))

    def _render(self, completion: ChatCompletion) -> bytes:
        answer = render_answer(completion)
        if completion.HasField(_ROUTE):
            answer[_ROUTE] = self._codec.encode(completion.openrouter_metadata)
        return orjson.dumps(answer)

    def _begin(self, call: Call) -> Renderer:
        return _MessageEvents(self._codec, call.request_id)


class _MessageEvents:
    """Adds to a stream's events what the dialect does not know: the route, and the request's id."""

    __slots__ = ("_codec", "_events", "_request_id", "_route")

    def __init__(self, codec: Codec, request_id: str) -> None:
        self._codec = codec
        self._request_id = request_id
        self._events = EventRenderer()
        self._route: RouterMetadata | None = None

    def feed(self, batch: Batch) -> bytes:
        """The events of a batch."""
        if batch[-1].HasField(_ROUTE):
            self._route = batch[-1].openrouter_metadata
        return self._events.feed(batch)

    def end(self) -> bytes:
        """The last events; the very last one tells the route where it was asked for, as OpenRouter's does."""
        return self._events.end({} if self._route is None else {_ROUTE: self._codec.encode(self._route)})

    def fail(self, error: GatewayError) -> bytes:
        """One event, whose data is what a failure's body would have been."""
        return b"event: error\ndata: %b\n\n" % orjson.dumps(error_value(self._codec, error, self._request_id))


def error_value(codec: Codec, error: GatewayError, request_id: str) -> dict[str, Any]:
    """The envelope of a failure; beside Anthropic's words `error_type`, `metadata` and the route, as OpenRouter has them on this path."""
    value = render_error(error, request_id)
    said = codec.encode(error_body(error))
    value["error"]["error_type"] = error.shape.error_type
    value["metadata"] = said["metadata"]
    if (route := error.public_route) is not None:
        value[_ROUTE] = codec.encode(route)
    return value
