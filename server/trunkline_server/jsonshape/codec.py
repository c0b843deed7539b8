# SPDX-License-Identifier: Apache-2.0
"""The codec: compiled once from descriptors, used by the HTTP edge and the dialects (JSON) and by the gRPC edge (validation).

Contradictions of the contract are found by `Codec.compile`. The functions of a message are written and executed when they are first used, which takes
about a millisecond; `Codec.load` does it ahead of the first call.
"""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

import orjson
from google.protobuf.message import Message

from trunkline_server.jsonshape import faults as fault_values
from trunkline_server.jsonshape import parse, rawjson, runtime
from trunkline_server.jsonshape.compiler import compile_messages
from trunkline_server.jsonshape.decoder import write_decoder
from trunkline_server.jsonshape.encoder import write_encoder
from trunkline_server.jsonshape.faults import Fault, Faults, ShapeFaults
from trunkline_server.jsonshape.refused import REFUSED_KEYS
from trunkline_server.jsonshape.source import function_name
from trunkline_server.jsonshape.validator import write_validator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from google.protobuf.descriptor import Descriptor, FieldDescriptor

    from trunkline_server.jsonshape.plan import MessagePlan

_M = TypeVar("_M", bound=Message)

Mode: TypeAlias = Literal["decode", "decode_loosely", "encode_answer", "encode_request", "validate"]
"""What generated code is for. `validate` holds the strict decoder as well, for catch-all keys that name a field."""

_PREFIXES: Final[Mapping[Mode, tuple[str, ...]]] = {
    "decode": ("decode",),
    "decode_loosely": ("decode",),
    "encode_answer": ("encode", "bare"),
    "encode_request": ("encode", "bare"),
    "validate": ("validate", "decode"),
}
"""What begins the names of the functions that a message's code calls for the messages it holds; the first is the one that is asked for."""


class Codec:
    """JSON <-> protobuf for a set of root messages and all that they hold."""

    def __init__(self, plans: Mapping[str, MessagePlan], refused: frozenset[str]) -> None:
        self.plans = plans
        self._refused = refused
        self._written: set[tuple[Mode, str]] = set()
        self._spaces: dict[Mode, dict[str, Any]] = {mode: self._namespace(mode) for mode in _PREFIXES}
        self._decode: dict[type[Message], Callable[..., bool]] = {}
        self._decode_loosely: dict[type[Message], Callable[..., bool]] = {}
        self._encode_answer: dict[type[Message], Callable[..., Any]] = {}
        self._encode_request: dict[type[Message], Callable[..., Any]] = {}
        self._validate: dict[type[Message], Callable[..., None]] = {}

    @classmethod
    def compile(cls, roots: Iterable[Descriptor], *, refused: frozenset[str] = REFUSED_KEYS) -> Codec:
        """Plan the root messages. `refused` are the keys that no caller may send. Raises CompileError with every contradiction of the options."""
        return cls(compile_messages(roots), refused)

    def decode(self, message: type[_M], value: object, *, strict: bool = True) -> _M:
        """Read parsed JSON (parse_json) into a new message.

        Strict, for callers: raises ShapeFaults with all that is wrong. Otherwise, for upstreams: takes what it can use, and raises ShapeFaults only
        when the value itself is no such message, such as a string where an object is due.
        """
        made = message()
        if not strict:
            function = self._decode_loosely.get(message) or self._ready("decode_loosely", message)
            if not function(value, made):
                raise ShapeFaults([Fault(path="", expected="an object", got=fault_values.describe(value))])
            return made
        faults: Faults = []
        function = self._decode.get(message) or self._ready("decode", message)
        function(value, made, None, faults)
        if faults:
            raise ShapeFaults([fault.finish() for fault in faults])
        return made

    def validate(self, message: Message) -> list[Fault]:
        """Hold a message from gRPC to the same rules, and bring it into the form that `decode` makes. Returns what is wrong, [] when nothing is."""
        faults: Faults = []
        function = self._validate.get(type(message)) or self._ready("validate", type(message))
        function(message, None, faults)
        return [fault.finish() for fault in faults]

    def encode(self, message: Message, *, answer: bool = True) -> dict[str, Any]:
        """Write a message as an object for orjson, as an answer to a client or, when not `answer`, as a request to an upstream.

        The message must come from `decode` or have passed `validate`: its raw JSON text goes out unchecked. For a message that is no object in JSON
        the value may be of another type.
        """
        kind = type(message)
        if answer:
            function = self._encode_answer.get(kind) or self._ready("encode_answer", kind)
        else:
            function = self._encode_request.get(kind) or self._ready("encode_request", kind)
        written: dict[str, Any] = function(message)
        return written

    def dump(self, message: Message, *, answer: bool = True) -> bytes:
        """Write a message as JSON text. The same as encode, with one call less on the way of every chunk."""
        kind = type(message)
        if answer:
            function = self._encode_answer.get(kind) or self._ready("encode_answer", kind)
        else:
            function = self._encode_request.get(kind) or self._ready("encode_request", kind)
        return orjson.dumps(function(message))

    def load(self, messages: Iterable[type[Message]], modes: Iterable[Mode]) -> None:
        """Make the functions of messages now, so that the first call need not. What they hold is left to the first call that uses it."""
        for mode in modes:
            for message in messages:
                self._ready(mode, message)

    def source(self, mode: Mode, name: str) -> str:
        """Show the code generated for the message of a full name."""
        plan = self.plans[name]
        match mode:
            case "decode" | "decode_loosely":
                return write_decoder(plan, self.plans, strict=mode == "decode")
            case "encode_answer" | "encode_request":
                return write_encoder(plan, self.plans, answer=mode == "encode_answer")
            case "validate":
                return write_decoder(plan, self.plans, strict=True) + write_validator(plan, self.plans)

    def _ready(self, mode: Mode, message: type[Message]) -> Callable[..., Any]:
        """Execute the code of a message and remember its function."""
        name = message.DESCRIPTOR.full_name
        if name not in self.plans:
            raise KeyError(
                f"{name} is not among the compiled messages; name it, or one that holds it, to Codec.compile"
            )
        self._write(mode, name)
        function: Callable[..., Any] = self._spaces[mode][function_name(_PREFIXES[mode][0], name)]
        table: dict[type[Message], Callable[..., Any]] = getattr(self, f"_{mode}")
        table[message] = function
        return function

    def _write(self, mode: Mode, name: str) -> None:
        """Execute the code of a message, once per mode."""
        if (mode, name) in self._written:
            return
        code = compile(self.source(mode, name), f"<jsonshape {mode} {name}>", "exec")
        # Apart first: another thread may call these functions as soon as they are to be found, and then needs all of them.
        names: dict[str, Any] = {}
        exec(code, self._spaces[mode], names)  # noqa: S102 - written from the contract alone
        self._spaces[mode].update(names)
        self._written.add((mode, name))

    def _stand_in(self, mode: Mode, name: str, prefix: str) -> Callable[..., Any]:
        """A function that puts the real one in its place when it is first called. Most calls use few of the messages that they could hold."""

        def write_and_call(*arguments: Any) -> Any:
            self._write(mode, name)
            return self._spaces[mode][function_name(prefix, name)](*arguments)

        return write_and_call

    def _namespace(self, mode: Mode) -> dict[str, Any]:
        """Make the names that generated code may use beside its own: stand-ins for the functions of every message, and what all of them call."""
        space: dict[str, Any] = {
            "re": re,
            "Fragment": orjson.Fragment,
            "INFINITY": float("inf"),
            "MAX_DEPTH": parse.MAX_DEPTH,
            "REFUSED": self._refused,
            "by_descriptor": self._by_descriptor,
            "field_of": self._field_of,
        }
        for module in (fault_values, runtime, rawjson):
            space.update(
                (name, item) for name, item in vars(module).items() if not name.startswith("_") and callable(item)
            )
        for name, prefix in product(self.plans, _PREFIXES[mode]):
            space[function_name(prefix, name)] = self._stand_in(mode, name, prefix)
        return space

    def _field_of(self, message: str, name: str) -> FieldDescriptor:
        """Find a field, which ListFields names by this very object."""
        return self.plans[message].descriptor.fields_by_name[name]

    def _by_descriptor(self, message: str, entries: Mapping[str, object]) -> dict[FieldDescriptor, object]:
        """Key a table by field descriptors instead of names. Fields that are not named are passed over."""
        fields = self.plans[message].descriptor.fields
        return {field: entries.get(field.name, runtime.ignore) for field in fields}
