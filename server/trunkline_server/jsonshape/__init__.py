# SPDX-License-Identifier: Apache-2.0
"""JSON <-> protobuf, compiled from the shape options of the contract (proto/trunkline/jsonshape/v1/options.proto)."""

from trunkline_server.jsonshape.codec import Codec, Mode
from trunkline_server.jsonshape.compiler import CompileError, compile_messages
from trunkline_server.jsonshape.faults import MAX_FAULTS, Fault, JsonFaults, ShapeFaults
from trunkline_server.jsonshape.parse import MAX_DEPTH, MAX_ITEMS, parse_json
from trunkline_server.jsonshape.refused import REFUSED_KEYS, REFUSED_REASONS

__all__ = [
    "MAX_DEPTH",
    "MAX_FAULTS",
    "MAX_ITEMS",
    "REFUSED_KEYS",
    "REFUSED_REASONS",
    "Codec",
    "CompileError",
    "Fault",
    "JsonFaults",
    "Mode",
    "ShapeFaults",
    "compile_messages",
    "parse_json",
]
