# SPDX-License-Identifier: Apache-2.0
"""What a call brings: its metadata, its time limit, its request.

Requests arrive as raw bytes and are parsed here: grpc.aio's own deserialising answers garbage with UNKNOWN and the exception's text. They are also read
here, even where there is one alone: grpc.aio leaves a unary call without any request unanswered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar, cast

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from grpc import aio

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.call import Principal
from trunkline_server.core.errors import FieldFault, GatewayError
from trunkline_server.edge.grpc.items import has_more_items
from trunkline_server.edge.grpc.patience import Patience
from trunkline_server.edge.grpc.status import CallIds
from trunkline_server.jsonshape import MAX_ITEMS

MessageT = TypeVar("MessageT", bound=Message)
Context: TypeAlias = aio.ServicerContext[bytes, Message]
_AUTHORIZATION: Final = "authorization"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One call as it came in, its caller known. `headers` are lower-case names to values; `patience` is how long its request may take."""

    context: Context
    ids: CallIds
    headers: Mapping[str, str]
    principal: Principal
    patience: Patience

    @property
    def remaining_s(self) -> float | None:
        """What is left of the time limit that the client set (None: it set none)."""
        remaining_s: float | None = self.context.time_remaining()
        return remaining_s

    async def read(self, message_type: type[MessageT]) -> MessageT:
        """The call's one request, once the client has said that it was the last. Raises GatewayError (INVALID_REQUEST, REQUEST_TIMEOUT)."""
        return parse_message(message_type, await self.receive())

    async def receive(self) -> bytes:
        """The same, not parsed."""
        try:
            with self.patience.wait():
                raw: object = await self.context.read()
                further: object = await self.context.read() if isinstance(raw, bytes) else None
        except TimeoutError as error:
            waited = f"no whole request came in {self.patience.limit_s:g} s"
            raise GatewayError(ErrorReason.ERROR_REASON_REQUEST_TIMEOUT, f"The call was ended: {waited}.") from error
        if not isinstance(raw, bytes):
            raise GatewayError(
                ErrorReason.ERROR_REASON_INVALID_REQUEST, "The call ended without a request; one is due."
            )
        if isinstance(further, bytes):
            raise GatewayError(
                ErrorReason.ERROR_REASON_INVALID_REQUEST, "The call sent more than one request; one is due."
            )
        return raw

    async def read_next(self, message_type: type[MessageT]) -> MessageT | None:
        """The next request of several, None after the last. Raises GatewayError (INVALID_REQUEST), and TimeoutError where none comes."""
        with self.patience.wait():
            raw: object = await self.context.read()
        return parse_message(message_type, raw) if isinstance(raw, bytes) else None


def read_metadata(context: Context) -> tuple[Mapping[str, str], Sequence[str]]:
    """The call's metadata, without binary values, and apart from it every value of `authorization`. Of other repeated names the last counts."""
    headers: dict[str, str] = {}
    authorization: list[str] = []
    for name, value in context.invocation_metadata() or ():
        if not isinstance(value, str):
            continue
        if name == _AUTHORIZATION:
            authorization.append(value)
        else:
            headers[name] = value
    return headers, authorization


def check_headers(headers: Mapping[str, str]) -> None:
    """Raises GatewayError (INVALID_REQUEST) for a value with a control character. grpc core lets them through; over HTTP such a value is none."""
    if not _CONTROL.search("".join(headers.values())):
        return
    for name, value in headers.items():
        if _CONTROL.search(value):
            description = "must be free of line breaks and other control characters"
            fault = FieldFault(field=name, description=description)
            message = f"The metadata `{name}` {description}."
            raise GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, message, faults=[fault])


def parse_message(message_type: type[MessageT], raw: bytes) -> MessageT:
    """The message that the bytes encode.

    Raises GatewayError (INVALID_REQUEST) where they are none, nest deeper than protobuf's limit of 100, or hold more items than a JSON body may.
    """
    if has_more_items(raw, cast("Descriptor", message_type.DESCRIPTOR), MAX_ITEMS):
        description = f"must have at most {MAX_ITEMS} fields and items in all"
        fault = FieldFault(field="", description=description)
        raise GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, f"The request {description}.", faults=[fault])
    message = message_type()
    try:
        message.ParseFromString(raw)
    except DecodeError as error:
        description = f"must be a {message_type.DESCRIPTOR.full_name} in protobuf's encoding, not nested too deep"
        fault = FieldFault(field="", description=description)
        raise GatewayError(
            ErrorReason.ERROR_REASON_INVALID_REQUEST, f"The request {description}.", faults=[fault]
        ) from error
    return message
