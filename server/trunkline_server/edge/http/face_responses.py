# SPDX-License-Identifier: Apache-2.0
"""POST /v1/responses: OpenAI's Responses API as a face, without state (platform.openai.com/docs/api-reference/responses, November 2026)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import orjson

from trunkline.v1.chat_response_pb2 import ChatCompletion
from trunkline_server.core.call import Call
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.openai_responses.errors import render_error
from trunkline_server.dialects.openai_responses.events import EventRenderer
from trunkline_server.dialects.openai_responses.inbound import parse_request
from trunkline_server.dialects.openai_responses.outbound import Echo, make_echo, render_answer
from trunkline_server.edge.http.errors import Refusal, error_headers
from trunkline_server.edge.http.exchange import Headers
from trunkline_server.edge.http.faces import Asked, Renderer, read_object
from trunkline_server.edge.http.guard import authorization
from trunkline_server.edge.http.request import Request
from trunkline_server.jsonshape import Codec


class ResponsesFace:
    """The face of OpenAI's Responses. `keep_alive` is a comment; `clock_s` is the wall clock, which tells when an answer was whole."""

    path = "/v1/responses"
    tells_partial = True
    unserved = "Of this API POST /v1/responses alone is served: answers are not stored, so there is none to get, list, cancel or delete."

    def __init__(self, codec: Codec, *, keep_alive: bytes, clock_s: Callable[[], float]) -> None:
        self._codec = codec
        self.keep_alive = keep_alive
        self._clock_s = clock_s

    def read(self, value: Any) -> Asked:
        """Reads a parsed body. Raises ShapeFaults."""
        body = read_object(value)
        request = parse_request(self._codec, body)
        echo = make_echo(body)
        return Asked(
            request=request,
            streamed=request.stream,
            render=partial(self._render, echo),
            begin=partial(self._begin, echo),
        )

    def refuse(self, error: GatewayError, _request_id: str) -> Refusal:
        """OpenAI's envelope."""
        return refuse_as_openai(self._codec, error)

    def headers(self, _request_id: str) -> Headers:
        """None: `X-Request-Id`, which the SDKs look for, is the edge's own."""
        return ()

    def credentials(self, request: Request) -> Sequence[str]:
        """The header `authorization`."""
        return authorization(request)

    def _render(self, echo: Echo, completion: ChatCompletion) -> bytes:
        return orjson.dumps(render_answer(self._codec, completion, echo, completed_s=int(self._clock_s())))

    def _begin(self, echo: Echo, _call: Call) -> Renderer:
        return _ResponseEvents(EventRenderer(self._codec, echo), self._clock_s)


class _ResponseEvents:
    """Tells the dialect, which has no clock, when an answer was whole."""

    __slots__ = ("_clock_s", "_events")

    def __init__(self, events: EventRenderer, clock_s: Callable[[], float]) -> None:
        self._events = events
        self._clock_s = clock_s

    def feed(self, batch: Batch) -> bytes:
        """The events of a batch."""
        return self._events.feed(batch)

    def end(self) -> bytes:
        """The last events."""
        return self._events.end(int(self._clock_s()))

    def fail(self, error: GatewayError) -> bytes:
        """The event of a failure."""
        return self._events.fail(error)


def refuse_as_openai(codec: Codec, error: GatewayError) -> Refusal:
    """The answer that a failure is in OpenAI's words, with the route that the call took where the caller asked for it."""
    value = render_error(codec, error)
    if (route := error.public_route) is not None:
        value["openrouter_metadata"] = codec.encode(route)
    return Refusal(status=error.shape.http_status, body=orjson.dumps(value), headers=error_headers(error))
