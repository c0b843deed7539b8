# SPDX-License-Identifier: Apache-2.0
"""The comments of a contract, by the full names of what they stand above. They are in the descriptor set alone: generated modules carry none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from google.protobuf.descriptor_pb2 import (
        DescriptorProto,
        EnumDescriptorProto,
        FileDescriptorProto,
        FileDescriptorSet,
    )

_Path = tuple[int, ...]

# Field numbers of descriptor.proto, of which the paths of SourceCodeInfo are made.
_FILE_MESSAGES: Final = 4
_FILE_ENUMS: Final = 5
_FILE_SERVICES: Final = 6
_MESSAGE_FIELDS: Final = 2
_MESSAGE_MESSAGES: Final = 3
_MESSAGE_ENUMS: Final = 4
_ENUM_VALUES: Final = 2
_SERVICE_METHODS: Final = 2


def read_comments(files: FileDescriptorSet) -> Mapping[str, str]:
    """Full name -> comment, of messages, fields, enums, their values (`package.Enum.VALUE`), services and methods that have one."""
    found: dict[str, str] = {}
    for file in files.file:
        names = dict(_file_names(file))
        for location in file.source_code_info.location:
            name = names.get(tuple(location.path))
            text = " ".join(line.strip() for line in location.leading_comments.splitlines() if line.strip())
            if name is not None and text:
                found[name] = text
    return found


def _file_names(file: FileDescriptorProto) -> Iterator[tuple[_Path, str]]:
    package = f"{file.package}." if file.package else ""
    for number, message in enumerate(file.message_type):
        yield from _message_names((_FILE_MESSAGES, number), package, message)
    for number, enum in enumerate(file.enum_type):
        yield from _enum_names((_FILE_ENUMS, number), package, enum)
    for number, service in enumerate(file.service):
        path, name = (_FILE_SERVICES, number), package + service.name
        yield path, name
        for inner, method in enumerate(service.method):
            yield (*path, _SERVICE_METHODS, inner), f"{name}.{method.name}"


def _message_names(path: _Path, prefix: str, message: DescriptorProto) -> Iterator[tuple[_Path, str]]:
    name = prefix + message.name
    yield path, name
    for number, field in enumerate(message.field):
        yield (*path, _MESSAGE_FIELDS, number), f"{name}.{field.name}"
    for number, nested in enumerate(message.nested_type):
        yield from _message_names((*path, _MESSAGE_MESSAGES, number), f"{name}.", nested)
    for number, enum in enumerate(message.enum_type):
        yield from _enum_names((*path, _MESSAGE_ENUMS, number), f"{name}.", enum)


def _enum_names(path: _Path, prefix: str, enum: EnumDescriptorProto) -> Iterator[tuple[_Path, str]]:
    name = prefix + enum.name
    yield path, name
    for number, value in enumerate(enum.value):
        yield (*path, _ENUM_VALUES, number), f"{name}.{value.name}"
