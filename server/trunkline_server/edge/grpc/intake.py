# SPDX-License-Identifier: Apache-2.0
"""What a call brings: its metadata, its time limit, its request.

Requests arrive as raw bytes and are parsed here: grpc.aio's own deserialising answers garbage with UNKNOWN and the exception's text. They are also read
here, even where there is one alone: grpc.aio leaves a unary call without any request unanswered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from google.protobuf.message import DecodeError, Message
from grpc import aio

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.call import Principal
from trunkline_server.core.errors import FieldFault, GatewayError
from trunkline_server.edge.grpc.status import CallIds

MessageT = TypeVar("MessageT", bound=Message)
Context: TypeAlias = aio.ServicerContext[bytes, Message]
_AUTHORIZATION: Final = "authorization"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One call as it came in, its caller known. `headers` are lower-case names to values; `request_timeout_s` is how long its request may take."""

    context: Context
    ids: CallIds
    headers: Mapping[str, str]
    principal: Principal
    request_timeout_s: float

    @property
    def remaining_s(self) -> float | None:
        """What is left of the time limit that the client set (None: it set none)."""
        remaining_s: float | None = self.context.time_remaining()
        return remaining_s

    async def read(self, message_type: type[MessageT]) -> MessageT:
        """The call's one request. Raises GatewayError (INVALID_REQUEST, REQUEST_TIMEOUT)."""
        try:
            message = await self.read_next(message_type)
        except TimeoutError as error:
            waited = f"no whole request came in {self.request_timeout_s:g} s"
            raise GatewayError(ErrorReason.ERROR_REASON_REQUEST_TIMEOUT, f"The call was ended: {waited}.") from error
        if message is None:
            raise GatewayError(
                ErrorReason.ERROR_REASON_INVALID_REQUEST, "The call ended without a request; one is due."
            )
        return message

    async def read_next(self, message_type: type[MessageT]) -> MessageT | None:
        """The next request of several, None after the last. Raises GatewayError (INVALID_REQUEST), and TimeoutError where none comes."""
        async with asyncio.timeout(self.request_timeout_s):
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


def parse_message(message_type: type[MessageT], raw: bytes) -> MessageT:
    """The message that the bytes encode. Raises GatewayError (INVALID_REQUEST) where they are none, or nest deeper than protobuf's limit of 100."""
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
