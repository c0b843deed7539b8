# SPDX-License-Identifier: Apache-2.0
"""The unary answer: the fold of the stream, on both wires."""

from __future__ import annotations

from contextlib import aclosing

from trunkline.v1.chat_response_pb2 import ChatCompletion
from trunkline_server.core.call import Call
from trunkline_server.core.chunks import Fold
from trunkline_server.core.errors import GatewayError, error_body
from trunkline_server.core.ports import Gateway
from trunkline_server.edge.failures import tell_log


async def complete(gateway: Gateway, call: Call, *, keeps_partial: bool = True) -> ChatCompletion:
    """The whole answer to a call.

    A failure before the first content is raised (GatewayError). One after it is told beside the partial content: `error` set, finish reason `error`; without
    `keeps_partial`, for languages that cannot say that, it is raised as well.
    """
    fold = Fold()
    try:
        async with aclosing(gateway.run(call)) as batches:
            async for batch in batches:
                fold.add(batch)
    except GatewayError as error:
        if not (keeps_partial and fold.has_content):
            raise
        tell_log(error, call.request_id)
        answer = fold.fail(error_body(error))
        if (route := error.public_route) is not None:
            answer.openrouter_metadata.CopyFrom(route)
        return answer
    return fold.result()
