# SPDX-License-Identifier: Apache-2.0
"""Requests from plain Python values, for both clients.

A message is written as the dict that the gateway's JSON API takes: `{"role": "user", "content": "hi"}`. Which keys a message has, which unions are
tagged and which strings hold JSON text is read from the contract's own options, so no field is named here. A typed message may stand anywhere in place
of its dict. None means absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from google.protobuf.message import Message

from trunkline.shapes import shape_of
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.values import fill, set_member

MessageT = TypeVar("MessageT", bound=Message)


def build_request(
    request: ChatCompletionRequest | Mapping[str, object] | None = None, /, **fields: object
) -> ChatCompletionRequest:
    """A chat completion request from a message or a dict, from fields by keyword, or from both: a keyword replaces what the first argument says.

    Keys of a dict that the contract does not know are kept and sent along, as over HTTP; an unknown keyword is taken for a typing error, and
    `extra={"name": value}` is the way to send one. Raises TypeError or ValueError, naming the field.
    """
    if isinstance(request, ChatCompletionRequest) and not fields:
        return request
    return build_message(ChatCompletionRequest, request, fields)


def build_message(
    message_type: type[MessageT], start: MessageT | Mapping[str, object] | None, fields: Mapping[str, object]
) -> MessageT:
    """A message of any type, by the rules of `build_request`. Raises TypeError or ValueError, naming the field."""
    message = message_type()
    if isinstance(start, message_type):
        message.CopyFrom(start)
    elif isinstance(start, Mapping):
        fill(message, start, "")
    elif start is not None:
        raise TypeError(
            f"the request must be a {message_type.DESCRIPTOR.name}, a dict or absent, not {type(start).__name__}"
        )
    shape = shape_of(message_type.DESCRIPTOR)
    for name, value in fields.items():
        member = (
            shape.catch_all
            if shape.catch_all is not None and name == shape.catch_all.field.name
            else shape.members.get(name)
        )
        if member is None:
            raise TypeError(
                f"{name} is no field of {message_type.DESCRIPTOR.name}{_way_out(shape.catch_all is not None)}"
            )
        message.ClearField(member.field.name)
        if value is not None:
            set_member(message, member, value, name)
    return message


def _way_out(keeps_unknown: bool) -> str:
    return '; one that the contract does not know goes into extra={"name": value}' if keeps_unknown else ""
