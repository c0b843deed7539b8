# SPDX-License-Identifier: Apache-2.0
"""Unary RPCs over HTTP: the request message from path, query and body, the response as JSON. No RPC is named here."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.call import LARGE_REQUEST_BYTES, Principal
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import UnaryRpc
from trunkline_server.edge.admission import take_session
from trunkline_server.edge.failures import error_of_faults
from trunkline_server.edge.http.body import read_body
from trunkline_server.edge.http.errors import error_of_fault
from trunkline_server.edge.http.exchange import JSON, Exchange
from trunkline_server.edge.http.guard import authorization, check_accept
from trunkline_server.edge.http.options import HttpEdgeOptions
from trunkline_server.edge.http.routes import Binding
from trunkline_server.jsonshape import Codec, ShapeFaults, parse_json

_MOST_PARAMETERS: Final = 100
_INTEGER: Final = re.compile(r"-?[0-9]{1,20}")
_INTEGER_KINDS: Final = frozenset(
    {
        FieldDescriptor.CPPTYPE_INT32,
        FieldDescriptor.CPPTYPE_INT64,
        FieldDescriptor.CPPTYPE_UINT32,
        FieldDescriptor.CPPTYPE_UINT64,
    }
)
_NUMBER_KINDS: Final = frozenset({FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE})


class RpcRoute:
    """Serves one binding of a unary RPC."""

    def __init__(self, binding: Binding, rpc: UnaryRpc, *, codec: Codec, options: HttpEdgeOptions) -> None:
        self._binding = binding
        self._rpc = rpc
        self._codec = codec
        self._options = options
        self._input = binding.rpc.input_type
        self.credentials = authorization
        self._input_class = message_factory.GetMessageClass(binding.rpc.input_type)

    async def serve(self, exchange: Exchange, principal: Principal, variables: Mapping[str, str], query: str) -> None:
        """Answers the exchange. Raises GatewayError."""
        check_accept(exchange.request, JSON)
        body = await read_body(exchange, self._options) if self._binding.body else b""
        if len(body) < LARGE_REQUEST_BYTES:
            request = self._decode(body, query, variables)
        else:
            request = await asyncio.to_thread(self._decode, body, query, variables)
        del body
        take_session(request, exchange.request.headers)
        response = await self._rpc(request, principal)
        await exchange.answer(200, self._codec.dump(response))

    def _decode(self, body: bytes, query: str, variables: Mapping[str, str]) -> Message:
        try:
            return self._codec.decode(self._input_class, self._read(body, query, variables))
        except ShapeFaults as faults:
            raise error_of_faults(faults.faults) from None

    def _read(self, body: bytes, query: str, variables: Mapping[str, str]) -> Any:
        """The request as JSON: the body, wherever the rule puts it, beside what path and query say."""
        match self._binding.body:
            case "":
                value: Any = {}
            case "*":
                value = parse_json(body)
            case field:
                value = {field: parse_json(body)} if body else {}
        if isinstance(value, dict):  # the codec refuses anything else
            read_query(self._input, query, value)
            read_variables(self._input, variables, value)
        return value


def read_query(descriptor: Descriptor, query: str, value: dict[str, Any]) -> None:
    """Puts query parameters into a request's JSON, each as its field's type. Raises GatewayError.

    `a.b=1` means field b of message a; a repeated field takes a parameter several times. What no field takes is left for the codec to refuse.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise GatewayError(
            ErrorReason.ERROR_REASON_INVALID_REQUEST,
            f"The query must be UTF-8 with at most {_MOST_PARAMETERS} parameters.",
        ) from None
    for name, text in pairs:
        holder, key, field = _place(descriptor, name, value)
        item = text if field is None else _json_value(field, text)
        if field is not None and field.is_repeated:
            known = holder.setdefault(key, [])
            if isinstance(known, list):
                known.append(item)
                continue
        if key in holder:
            raise error_of_fault(name, "must be given once")
        holder[key] = item


def read_variables(descriptor: Descriptor, variables: Mapping[str, str], value: dict[str, Any]) -> None:
    """Puts the path's variables into a request's JSON. Raises GatewayError where another part of the request sets the same field."""
    for name, text in variables.items():
        holder, key, field = _place(descriptor, name, value)
        if key in holder:
            raise error_of_fault(name, "stands in the path and must be given there alone")
        holder[key] = text if field is None else _json_value(field, text)


def _place(
    descriptor: Descriptor, name: str, value: dict[str, Any]
) -> tuple[dict[str, Any], str, FieldDescriptor | None]:
    """The object and key that a dotted name means, and its field; where no field has the name, the name itself in the request."""
    *path, last = name.split(".")
    holder, message = value, descriptor
    for step in path:
        field = message.fields_by_name.get(step)
        if field is None or field.message_type is None or field.is_repeated:
            return value, name, None
        inner = holder.setdefault(step, {})
        if not isinstance(inner, dict):
            return value, name, None
        holder, message = inner, field.message_type
    return holder, last, message.fields_by_name.get(last)


def _json_value(field: FieldDescriptor, text: str) -> object:
    """A parameter's text as the JSON value that its field is read from; text that is no such value stays text, and the codec says what was due."""
    kind = field.cpp_type
    if kind in _INTEGER_KINDS and _INTEGER.fullmatch(text):
        return int(text)
    if kind in _NUMBER_KINDS:
        return _number(text)
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return {"true": True, "false": False}.get(text, text)
    return text


def _number(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text
