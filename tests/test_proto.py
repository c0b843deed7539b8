# SPDX-License-Identifier: Apache-2.0
"""What holds for every file of the contract, read from the shipped descriptor set."""

from collections import Counter
from collections.abc import Iterator

import pytest
from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2

from support.source_tree import CLIENT, ROOT

DESCRIPTORS = descriptor_pb2.FileDescriptorSet.FromString((CLIENT / "descriptors.binpb").read_bytes())
OURS = [file for file in DESCRIPTORS.file if file.name.startswith("trunkline/")]

# Field numbers of descriptor.proto, from which source locations make their paths.
FILE = descriptor_pb2.FileDescriptorProto
MESSAGE = descriptor_pb2.DescriptorProto
ENUM = descriptor_pb2.EnumDescriptorProto
SERVICE = descriptor_pb2.ServiceDescriptorProto

Path = tuple[int, ...]


def elements(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[Path, str]]:
    """Every message, field, oneof, enum, value, extension, service and method of a file: its path and its name."""
    for number, message in enumerate(file.message_type):
        yield from message_elements((FILE.MESSAGE_TYPE_FIELD_NUMBER, number), message.name, message)
    for number, enum in enumerate(file.enum_type):
        yield from enum_elements((FILE.ENUM_TYPE_FIELD_NUMBER, number), enum.name, enum)
    for number, extension in enumerate(file.extension):
        yield (FILE.EXTENSION_FIELD_NUMBER, number), extension.name
    for number, service in enumerate(file.service):
        path = (FILE.SERVICE_FIELD_NUMBER, number)
        yield path, service.name
        for place, method in enumerate(service.method):
            yield (*path, SERVICE.METHOD_FIELD_NUMBER, place), f"{service.name}.{method.name}"


def message_elements(path: Path, name: str, message: descriptor_pb2.DescriptorProto) -> Iterator[tuple[Path, str]]:
    """A message and all within it; a map's entry and the oneof of an optional field are nobody's words."""
    if message.options.map_entry:
        return
    yield path, name
    synthetic = {field.oneof_index for field in message.field if field.proto3_optional}
    for number, field in enumerate(message.field):
        yield (*path, MESSAGE.FIELD_FIELD_NUMBER, number), f"{name}.{field.name}"
    for number, oneof in enumerate(message.oneof_decl):
        if number not in synthetic:
            yield (*path, MESSAGE.ONEOF_DECL_FIELD_NUMBER, number), f"{name}.{oneof.name}"
    for number, enum in enumerate(message.enum_type):
        yield from enum_elements((*path, MESSAGE.ENUM_TYPE_FIELD_NUMBER, number), f"{name}.{enum.name}", enum)
    for number, nested in enumerate(message.nested_type):
        yield from message_elements((*path, MESSAGE.NESTED_TYPE_FIELD_NUMBER, number), f"{name}.{nested.name}", nested)


def enum_elements(path: Path, name: str, enum: descriptor_pb2.EnumDescriptorProto) -> Iterator[tuple[Path, str]]:
    """An enum and its values."""
    yield path, name
    for number, value in enumerate(enum.value):
        yield (*path, ENUM.VALUE_FIELD_NUMBER, number), f"{name}.{value.name}"


def comments(file: descriptor_pb2.FileDescriptorProto) -> dict[Path, str]:
    """Path -> the comment before or behind the element."""
    places = file.source_code_info.location
    return {tuple(place.path): (place.leading_comments + place.trailing_comments).strip() for place in places}


def bindings() -> Iterator[tuple[str, str]]:
    """Every HTTP method and path of the contract, additional bindings included."""
    for method in (method for file in OURS for service in file.service for method in service.method):
        rule = method.options.Extensions[annotations_pb2.http]
        for bound in (rule, *rule.additional_bindings):
            if pattern := bound.WhichOneof("pattern"):
                yield pattern_of(bound, pattern)


def pattern_of(rule: http_pb2.HttpRule, pattern: str) -> tuple[str, str]:
    """The method and the path of one rule."""
    return (rule.custom.kind, rule.custom.path) if pattern == "custom" else (pattern.upper(), getattr(rule, pattern))


def test_the_descriptor_set_holds_every_proto() -> None:
    """Each file of proto/ is in the shipped descriptor set, and so is everything that they import."""
    committed = {path.relative_to(ROOT / "proto").as_posix() for path in (ROOT / "proto").rglob("*.proto")}
    names = {file.name for file in DESCRIPTORS.file}
    assert {file.name for file in OURS} == committed
    assert {dependency for file in DESCRIPTORS.file for dependency in file.dependency} <= names


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_every_element_is_commented(file: descriptor_pb2.FileDescriptorProto) -> None:
    """Every element of the contract says what it is, in the descriptor set that tools and people read."""
    said = comments(file)
    assert [name for path, name in elements(file) if not said.get(path)] == []


def test_no_two_methods_share_a_route() -> None:
    """No two RPCs have the same HTTP method and path: Envoy would match neither, grpc-gateway the last."""
    assert [route for route, times in Counter(bindings()).items() if times > 1] == []
