# SPDX-License-Identifier: Apache-2.0
"""Which fields a message can have, and which it has, at every depth: for tests that must leave none out."""

from collections.abc import Collection, Iterator

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message


def reachable(descriptor: Descriptor, exempt: Collection[str], found: set[str] | None = None) -> set[str]:
    """All fields below a message, as "Message.field", without those that are exempt and what is below them."""
    found = set() if found is None else found
    for field in descriptor.fields:
        name = f"{descriptor.name}.{field.name}"
        if name in found or name in exempt:
            continue
        found.add(name)
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            reachable(field.message_type, exempt, found)
    return found


def present(message: Message) -> Iterator[str]:
    """All fields that are set in a message, as "Message.field"."""
    for field, value in message.ListFields():
        yield f"{message.DESCRIPTOR.name}.{field.name}"
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for item in value if field.is_repeated else [value]:
                yield from present(item)
