# SPDX-License-Identifier: Apache-2.0
"""A proxy on grpc.aio that looks at nothing: bytes in, bytes out. It says what gRPC alone costs in Python.

`python -m bench.grpc_proxy HOST:PORT` prints `listening on PORT`, and serves until it is ended.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import grpc
import uvloop
from grpc import aio

from bench.gateways import GRPC_STREAM_PATH

_OPTIONS = [("grpc.so_reuseport", 0), ("grpc.max_concurrent_streams", 1000)]


class _Passing(grpc.GenericRpcHandler):
    """Every method, handed to the upstream as it is."""

    def __init__(self, channel: aio.Channel) -> None:
        self._channel = channel

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        """The handler of one call."""
        path: str = handler_call_details.method
        if path == GRPC_STREAM_PATH:
            pass_stream: aio.UnaryStreamMultiCallable[bytes, bytes] = self._channel.unary_stream(path)

            async def answer_stream(request: bytes, context: aio.ServicerContext[bytes, bytes]) -> AsyncIterator[bytes]:
                async for message in pass_stream(request, timeout=context.time_remaining()):
                    yield message

            return grpc.unary_stream_rpc_method_handler(answer_stream)
        pass_unary: aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(path)

        async def answer(request: bytes, context: aio.ServicerContext[bytes, bytes]) -> bytes:
            return await pass_unary(request, timeout=context.time_remaining())

        return grpc.unary_unary_rpc_method_handler(answer)


async def serve(target: str) -> None:
    """Serve on a free port of loopback, for ever."""
    async with aio.insecure_channel(target) as channel:
        server = aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers((_Passing(channel),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        print(f"listening on {port}", flush=True)
        await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
