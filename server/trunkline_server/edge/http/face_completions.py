# SPDX-License-Identifier: Apache-2.0
"""POST /v1/completions: OpenAI's text completions as a face (platform.openai.com/docs/api-reference/completions, November 2026)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson

from trunkline.v1.chat_response_pb2 import ChatCompletion
from trunkline_server.core.call import Call
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.openai_completions.inbound import Prompt, parse_request
from trunkline_server.dialects.openai_completions.outbound import ChunkRenderer, render_answer
from trunkline_server.edge.http.errors import Refusal
from trunkline_server.edge.http.exchange import Headers
from trunkline_server.edge.http.face_responses import refuse_as_openai
from trunkline_server.edge.http.faces import Asked, Renderer, read_object
from trunkline_server.edge.http.guard import authorization
from trunkline_server.edge.http.request import Request
from trunkline_server.jsonshape import Codec


class CompletionsFace:
    """The face of text completions. `keep_alive` is a comment."""

    path = "/v1/completions"
    tells_partial = True
    unserved = "Of this API POST /v1/completions alone is served."

    def __init__(self, codec: Codec, *, keep_alive: bytes) -> None:
        self._codec = codec
        self.keep_alive = keep_alive

    def read(self, value: Any) -> Asked:
        """Reads a parsed body. Raises ShapeFaults."""
        request, prompt = parse_request(self._codec, read_object(value))
        return Asked(
            request=request,
            streamed=request.stream,
            render=partial(self._render, prompt),
            begin=partial(self._begin, prompt),
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

    def _render(self, prompt: Prompt, completion: ChatCompletion) -> bytes:
        return orjson.dumps(render_answer(self._codec, completion, prompt))

    def _begin(self, prompt: Prompt, _call: Call) -> Renderer:
        return ChunkRenderer(self._codec, prompt)
