# SPDX-License-Identifier: Apache-2.0
"""Plain Python values into protobuf messages, by the messages' declared JSON shapes.

Every fault is a TypeError (a value of the wrong kind) or a ValueError (of the right kind and still wrong) which begins with the path of the value,
such as `messages[2].content[0].type`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from trunkline.jsonshape.v1 import options_pb2
from trunkline.shapes import FieldShape, MessageShape, UnionShape, shape_of

_FLOATS: Final = frozenset({FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT})
_TEXT_KINDS: Final = frozenset({options_pb2.JSON_KIND_STRING, options_pb2.JSON_KIND_ANY})


def fill(message: Message, members: Mapping[str, object], path: str) -> None:
    """Set the members of a dict in a message. Raises TypeError and ValueError."""
    shape = shape_of(message.DESCRIPTOR)
    targets = [message]
    done: frozenset[str] = frozenset()
    if shape.union is not None:
        variant, done = _choose(message, shape.union, members, path)
        targets += variant
    for key, value in members.items():
        if not isinstance(key, str):
            raise TypeError(f"{path or 'the request'}: keys must be strings, not {type(key).__name__}")
        if value is None or key in done:
            continue
        if not any(_place(target, key, value, _join(path, key)) for target in targets):
            _keep_unknown(targets, key, value, _join(path, key))


def set_member(message: Message, member: FieldShape, value: object, path: str) -> None:
    """Set one field of a message from a value that is not None. Raises TypeError and ValueError."""
    name = member.field.name
    if (item_field := member.map_value) is not None:
        _fill_map(getattr(message, name), member, item_field, value, path)
    elif member.field.is_repeated:
        _fill_list(getattr(message, name), member, value, path)
    elif member.field.message_type is not None:
        nested = getattr(message, name)
        nested.SetInParent()
        _fill_message(nested, value, path)
    else:
        _guarded_set(message, name, _scalar(member.field, member.options, value, path), path)


def _place(message: Message, key: str, value: object, path: str) -> bool:
    """Set the member under this key, in the message or in one that is flattened into it. False: there is none."""
    shape = shape_of(message.DESCRIPTOR)
    member = shape.members.get(key)
    if member is not None:
        set_member(message, member, value, path)
        return True
    return any(_place(getattr(message, flat.field.name), key, value, path) for flat in shape.flattened)


def _keep_unknown(targets: list[Message], key: str, value: object, path: str) -> None:
    flattened = [
        getattr(target, flat.field.name) for target in targets for flat in shape_of(target.DESCRIPTOR).flattened
    ]
    for target in (*targets, *flattened):
        catch_all = shape_of(target.DESCRIPTOR).catch_all
        if catch_all is not None:
            _guarded_put(getattr(target, catch_all.field.name), key, _json_text(value, path), path)
            return
    known = sorted({name for target in targets for name in shape_of(target.DESCRIPTOR).members})
    raise ValueError(f"{path} is not known here; known are {', '.join(known) or 'no keys'}")


def _fill_message(message: Message, value: object, path: str) -> None:
    descriptor = message.DESCRIPTOR
    shape = shape_of(descriptor)
    if isinstance(value, Message):
        _copy(message, shape, value, path)
    elif isinstance(value, Mapping) and not (shape.union is not None and shape.union.untagged):
        fill(message, value, path)
    elif shape.union is not None and shape.union.untagged:
        set_member(message, _untagged_variant(shape.union, value, path), value, path)
    elif shape.shorthand is not None:
        set_member(message, shape.shorthand, value, path)
    else:
        _refuse(path, f"a dict or a {descriptor.name}", value)


def _copy(message: Message, shape: MessageShape, value: Message, path: str) -> None:
    """Take a typed message as it is; one of a union's variants stands for the union, so that an answer's message goes back into `messages`."""
    if value.DESCRIPTOR.full_name == message.DESCRIPTOR.full_name:
        message.CopyFrom(value)
        return
    variants = () if shape.union is None else shape.union.variants
    fitting = [variant for variant in variants if _is_of(value, variant.field.message_type)]
    if len(fitting) != 1:
        _refuse(path, f"a dict or a {message.DESCRIPTOR.name}", value)
    getattr(message, fitting[0].field.name).CopyFrom(value)


def _is_of(value: Message, descriptor: Descriptor | None) -> bool:
    return descriptor is not None and value.DESCRIPTOR.full_name == descriptor.full_name


def _untagged_variant(union: UnionShape, value: object, path: str) -> FieldShape:
    """The variant whose kind of value this is: a dict for the message, a string or number for the scalar."""
    is_dict = isinstance(value, Mapping)
    for variant in union.variants:
        if (variant.field.message_type is not None) == is_dict:
            return variant
    return _refuse(path, "a string, a number or a dict", value)


def _choose(
    message: Message, union: UnionShape, members: Mapping[str, object], path: str
) -> tuple[list[Message], frozenset[str]]:
    """Choose a tagged union's variant. Returns the messages that take members beside the enclosing one, and the keys that are dealt with."""
    tag = _present(members, union.discriminator, path)
    tag_path = _join(path, union.discriminator)
    if not isinstance(tag, str):
        _refuse(tag_path, "a string", tag)
    variant = union.tagged.get(tag)
    if variant is None:
        if union.unknown is None:
            raise ValueError(f"{tag_path} must be one of {', '.join(union.tagged)}, not {tag!r}")
        _guarded_set(message, union.unknown.field.name, _json_text(members, path), path)
        return [], frozenset(members)
    if variant.field.message_type is None:
        set_member(message, variant, _present(members, variant.key, path), _join(path, variant.key))
        return [], frozenset({union.discriminator, variant.key})
    chosen = getattr(message, variant.field.name)
    chosen.SetInParent()
    kept = shape_of(chosen.DESCRIPTOR).kept_tag
    if kept is not None and tag != variant.options.tags[0]:
        _guarded_set(chosen, kept.field.name, tag, tag_path)
    if variant.options.inline or not union.nested:
        return [chosen], frozenset({union.discriminator})
    if members.get(variant.key) is not None:
        _fill_message(chosen, members[variant.key], _join(path, variant.key))
    elif any(member.options.required for member in shape_of(chosen.DESCRIPTOR).members.values()):
        _present(members, variant.key, path)
    return [], frozenset({union.discriminator, variant.key})


def _present(members: Mapping[str, object], key: str, path: str) -> object:
    value = members.get(key)
    if value is None:
        raise ValueError(f"{_join(path, key)} is missing")
    return value


def _fill_list(items: Any, member: FieldShape, value: object, path: str) -> None:
    if member.options.one_or_many and isinstance(value, str):
        value = [value]
    if isinstance(value, str | bytes | Mapping | Message) or not isinstance(value, Iterable):
        _refuse(path, "a list or a string" if member.options.one_or_many else "a list", value)
    for index, item in enumerate(value):
        item_path = f"{path}[{index}]"
        if member.field.message_type is not None:
            _fill_message(items.add(), item, item_path)
            continue
        scalar = _scalar(member.field, member.options, item, item_path)
        try:
            items.append(scalar)
        except (TypeError, ValueError) as error:
            raise _type_of(error)(f"{item_path}: {error}") from error


def _fill_map(entries: Any, member: FieldShape, item_field: FieldDescriptor, value: object, path: str) -> None:
    if not isinstance(value, Mapping):
        _refuse(path, "a dict", value)
    for key, item in value.items():
        # Token ids of `logit_bias` are numbers in Python and text in JSON.
        name = str(key) if isinstance(key, int) and not isinstance(key, bool) else key
        if not isinstance(name, str):
            _refuse(f"a key of {path}", "a string", key)
        item_path = _join(path, name)
        if item is not None:
            text = (
                _json_text(item, item_path)
                if member.options.catch_all
                else _scalar(item_field, member.options, item, item_path)
            )
            _guarded_put(entries, name, text, item_path)


def _scalar(
    field: FieldDescriptor, options: options_pb2.FieldShape, value: object, path: str
) -> str | int | float | bool:
    """The value of a scalar field, of one item of a list or of one value of a map."""
    if options.raw_json:
        return _raw_json(options, value, path)
    if options.HasField("decimal"):
        return _decimal(options.decimal.scale, value, path)
    if field.enum_type is not None:
        return _enum(field.enum_type, value, path)
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING:
        return _text(options, value, path)
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return value if isinstance(value, bool) else _refuse(path, "True or False", value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse(path, "a number" if kind in _FLOATS else "an integer", value)
    if kind in _FLOATS:
        return float(value)
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(f"{path} must be an integer, not {value!r}")
    return int(value)


def _text(options: options_pb2.FieldShape, value: object, path: str) -> str:
    if not isinstance(value, str):
        _refuse(path, "a string", value)
    if options.constant and value != options.constant:
        raise ValueError(f"{path} must be {options.constant!r}, not {value!r}")
    return value


def _enum(enum: EnumDescriptor, value: object, path: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    words: dict[str, int] = {}
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    for item in enum.values:
        if item.number:
            options = item.GetOptions().Extensions[options_pb2.value]
            words |= dict.fromkeys(
                (options.json or item.name.removeprefix(prefix).lower(), *options.aliases), item.number
            )
    if value not in words:
        raise ValueError(f"{path} must be one of {', '.join(words)}, not {value!r}")
    return words[str(value)]


def _decimal(scale: int, value: object, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        _refuse(path, "a number or its text", value)
    try:
        scaled = Decimal(str(value)).scaleb(scale)
        whole = int(scaled)
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise ValueError(f"{path} must be a number, not {value!r}") from error
    if whole != scaled:
        raise ValueError(f"{path} must have at most {scale} decimal places, not be {value!r}")
    return whole


def _raw_json(options: options_pb2.FieldShape, value: object, path: str) -> str:
    """JSON text of a value. A string where no JSON string may stand is taken for JSON text, which the gateway checks."""
    if isinstance(value, str) and not _TEXT_KINDS.intersection(options.raw_json):
        return value
    return _json_text(value, path)


def _json_text(value: object, path: str) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise _type_of(error)(f"{path} must be a JSON value: {error}") from error


def _guarded_set(message: Message, name: str, value: object, path: str) -> None:
    """Set a scalar; protobuf's own complaint (an integer out of range, text that is not Unicode) gets the path."""
    try:
        setattr(message, name, value)
    except (TypeError, ValueError) as error:
        raise _type_of(error)(f"{path}: {error}") from error


def _guarded_put(entries: Any, key: str, value: object, path: str) -> None:
    try:
        entries[key] = value
    except (TypeError, ValueError) as error:
        raise _type_of(error)(f"{path}: {error}") from error


def _type_of(error: Exception) -> type[Exception]:
    """TypeError or ValueError: subclasses such as UnicodeEncodeError cannot be raised with a sentence alone."""
    return TypeError if isinstance(error, TypeError) else ValueError


def _refuse(path: str, expected: str, value: object) -> NoReturn:
    came = (
        "None"
        if value is None
        else f"a {value.DESCRIPTOR.name}"
        if isinstance(value, Message)
        else type(value).__name__
    )
    raise TypeError(f"{path or 'the request'} must be {expected}, not {came}")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
