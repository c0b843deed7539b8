# SPDX-License-Identifier: Apache-2.0
"""Reading a request's body within its limits."""

from __future__ import annotations

import asyncio

from aiohttp import hdrs
from aiohttp.web_protocol import RequestPayloadError

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.http.exchange import Exchange
from trunkline_server.edge.http.options import HttpEdgeOptions
from trunkline_server.edge.http.request import Request

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def read_body(exchange: Exchange, options: HttpEdgeOptions) -> bytes:
    """The whole body; b"" where there is none.

    Raises GatewayError: UNSUPPORTED_MEDIA_TYPE for a compressed one, PAYLOAD_TOO_LARGE by its declared length before it is read and by counting while it
    is, REQUEST_TIMEOUT for one that comes too slowly, INVALID_REQUEST for broken framing. Where part of the body is left unread the connection is closed
    after the answer.
    """
    request = exchange.request
    try:
        _check_head(request, options.max_body_bytes)
        if exchange.expects_continue and not request.content.is_eof() and request.transport is not None:
            request.transport.write(_CONTINUE)
        return await _read_all(request, options)
    except GatewayError:
        exchange.keep_alive = False
        raise


def _check_head(request: Request, max_bytes: int) -> None:
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower()
    if encoding != "identity":
        raise GatewayError(
            ErrorReason.ERROR_REASON_UNSUPPORTED_MEDIA_TYPE,
            "Compressed bodies are not read: send the body without content-encoding.",
        )
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)


async def _read_all(request: Request, options: HttpEdgeOptions) -> bytes:
    content = request.content
    if content.is_eof():  # the usual request comes in one piece, head and body
        return _within(content.read_nowait(), options.max_body_bytes)
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout_at(started_s + options.body_timeout_s) as limit:
            while piece := await content.readany():
                pieces.append(piece)
                size += len(piece)
                if size > options.max_body_bytes:
                    raise _too_large(options.max_body_bytes)
                limit.reschedule(started_s + options.body_timeout_s + size / options.body_bytes_per_s)
    except TimeoutError:
        raise GatewayError(
            ErrorReason.ERROR_REASON_REQUEST_TIMEOUT, f"The body came too slowly: {size} bytes so far."
        ) from None
    except RequestPayloadError as error:
        raise GatewayError(
            ErrorReason.ERROR_REASON_INVALID_REQUEST, "The body's framing is broken; send it again."
        ) from error
    return b"".join(pieces)


def _within(body: bytes, max_bytes: int) -> bytes:
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
    return body


def _too_large(max_bytes: int) -> GatewayError:
    return GatewayError(ErrorReason.ERROR_REASON_PAYLOAD_TOO_LARGE, f"The body may have at most {max_bytes} bytes.")
