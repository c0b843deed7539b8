# SPDX-License-Identifier: Apache-2.0
"""Answers of providers that speak gRPC, recorded in JSON, and requests to them as JSON.

A recording is a JSON list of messages in their own JSON; where the call ends with a failure its last item is `{"status": {"code": ..., "message": ...}}`, with
`reason` where another gateway gives one.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from google.protobuf.json_format import MessageToDict, ParseDict
from google.rpc import error_details_pb2, status_pb2

from support.answer_cuts import make_codec
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletionChunk
from trunkline_server.dialects.trunkline.errors import DOMAIN, error_of_status
from trunkline_server.dialects.xai.stubs import chat_stubs

CODEC: Final = make_codec()


def read_messages(dialect: str, path: Path) -> Iterator[bytes]:
    """The messages of a recording. Raises what the upstream raises for a status."""
    for item in orjson.loads(path.read_bytes()):
        status = item.get("status")
        if status is not None:
            raise error_of_status(status["code"], status["message"], _details(status.get("reason")))
        yield _WRITERS[dialect](item)


def read_body(dialect: str, body: bytes) -> Any:
    """A request's message as JSON."""
    return orjson.loads(orjson.dumps(_READERS[dialect](body)))


def write_chunk(item: dict[str, Any]) -> bytes:
    """A message of xAI's, from protobuf's JSON."""
    return bytes(ParseDict(item, chat_stubs().GetChatCompletionChunk()).SerializeToString())


def _write_contract(item: dict[str, Any]) -> bytes:
    return CODEC.decode(ChatCompletionChunk, item, strict=False).SerializeToString()


def _read_contract(body: bytes) -> Any:
    return CODEC.encode(ChatCompletionRequest.FromString(body), answer=False)


def _read_xai(body: bytes) -> Any:
    return MessageToDict(chat_stubs().GetCompletionsRequest.FromString(body), preserving_proto_field_name=True)


def _details(reason: str | None) -> bytes:
    status = status_pb2.Status()
    if reason is not None:
        status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN))
    return status.SerializeToString()


_WRITERS: Final[Mapping[str, Callable[[dict[str, Any]], bytes]]] = {"trunkline": _write_contract, "xai": write_chunk}
_READERS: Final[Mapping[str, Callable[[bytes], Any]]] = {"trunkline": _read_contract, "xai": _read_xai}
