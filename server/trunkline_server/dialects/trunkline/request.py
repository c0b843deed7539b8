# SPDX-License-Identifier: Apache-2.0
"""Requests as they go to another gateway.

What this gateway has decided is not decided again: the models to fall back to, and which providers may serve, as the other one has others. What must hold
wherever the call ends travels on: prices, privacy, quantizations.
"""

from __future__ import annotations

from typing import Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.jsonshape import Codec

PATH: Final = "/trunkline.v1.ChatService/StreamChatCompletion"


def render_request(
    codec: Codec, request: ChatCompletionRequest, endpoint: Endpoint, *, stream: bool
) -> RenderedRequest:
    """Writes the request for an endpoint."""
    copy = ChatCompletionRequest()
    copy.CopyFrom(request)
    copy.ClearField("models")
    copy.ClearField("route")
    if copy.HasField("provider"):
        # They name providers of this gateway, which mean nothing at another one.
        copy.provider.ClearField("order")
        copy.provider.ClearField("only")
        copy.provider.ClearField("ignore")
    copy.model = endpoint.upstream_model
    if endpoint.service_tier is not None:
        copy.service_tier = endpoint.service_tier
    copy.stream = stream
    echo = codec.dump(copy, answer=False) if request.debug.echo_upstream_body else None
    return RenderedRequest(path=PATH, headers={}, body=copy.SerializeToString(), echo=echo)
