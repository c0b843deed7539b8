# SPDX-License-Identifier: Apache-2.0
"""Whether a gateway answers well: one whole answer, tried until it comes, so that the time to it can be told."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable

import grpc
from google.protobuf.message import DecodeError

from bench.gateways import UNARY_MODEL, BenchError, Call, Wire
from bench.payload import make_grpc_request, make_request
from trunkline.v1.chat_response_pb2 import ChatCompletion

_PAUSE_S = 0.005
_ANSWER_S = 20.0


def wait_for_answer(wire: Wire, call: Call, *, timeout_s: float, is_alive: Callable[[], bool]) -> None:
    """Call until a good answer comes. Raises BenchError when none does in time or the gateway has ended, with what came instead."""
    ask = ask_http if wire is Wire.HTTP else ask_grpc
    end_s = time.monotonic() + timeout_s
    while (fault := ask(call)) is not None:
        if not is_alive():
            raise BenchError(f"it ended before it answered over {wire}: {fault}")
        if time.monotonic() > end_s:
            raise BenchError(f"it gave no good answer over {wire} in {timeout_s:.0f} s: {fault}")
        time.sleep(_PAUSE_S)


def ask_http(call: Call) -> str | None:
    """Ask for a whole answer over HTTP; returns what was wrong with it, None when it was good."""
    connection = http.client.HTTPConnection("127.0.0.1", call.port, timeout=_ANSWER_S)
    try:
        headers = {"content-type": "application/json", **call.headers}
        connection.request("POST", call.path, body=call.edit(make_request(UNARY_MODEL)), headers=headers)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    return _find_http_fault(answer.status, body)


def ask_grpc(call: Call) -> str | None:
    """Ask for a whole answer over gRPC; returns what was wrong with it, None when it was good."""
    metadata = tuple(call.headers.items())
    # grpc shares connections between channels and waits before it tries again: a channel of its own starts afresh.
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{call.port}", options=options) as channel:
        ask: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(call.path)
        try:
            answer = ask(call.edit(make_grpc_request(UNARY_MODEL)), timeout=_ANSWER_S, metadata=metadata)
        except grpc.RpcError as error:
            return " ".join(str(error).split())[:300]
    try:
        return None if ChatCompletion.FromString(answer).choices else "the answer has no choice"
    except DecodeError as error:
        return f"the answer is no ChatCompletion: {error}"


def _find_http_fault(status: int, body: bytes) -> str | None:
    text = body[:300].decode(errors="replace")
    if status != http.client.OK:
        return f"HTTP {status}: {text}"
    try:
        content = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        return f"not a chat completion: {text}"
    return None if content else f"without content: {text}"
