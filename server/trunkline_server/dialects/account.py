# SPDX-License-Identifier: Apache-2.0
"""What a dialect does with each field of a request, field by field.

Each dialect says it in the `ACCOUNT` of its `account.py`. A field of the contract that an account does not name fails the tests, so that a new field
cannot be lost in silence; docs/dialects.md is made from the accounts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from trunkline.jsonshape.v1 import options_pb2
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest, ReasoningConfig, ResponseFormat
from trunkline.v1.message_pb2 import (
    AssistantMessage,
    ContentPart,
    DeveloperMessage,
    SystemMessage,
    ToolMessage,
    UserMessage,
)
from trunkline.v1.tool_pb2 import Tool


class Kind(Enum):
    """What becomes of a field."""

    SENT = "sent"
    """Under its own name, with its own meaning."""
    RENAMED = "renamed"
    """Under another name, in another place or form, with the same meaning."""
    CLAMPED = "clamped"
    """With a narrower range; a value beyond it is changed and reported."""
    GATEWAY = "gateway"
    """Not sent, because the gateway itself does what it asks for."""
    DROPPED = "dropped"
    """Not sent and not done; reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What becomes of one field.

    `word` is the provider's name, place or range of it, "" where that is the field's own; `why` the reason where it is not sent, or what limits it.
    """

    kind: Kind
    word: str = ""
    why: str = ""


Accounts: TypeAlias = Mapping[str, Account]
"""By path, see FIELDS."""

SENT: Final = Account(kind=Kind.SENT)


def renamed(word: str, why: str = "") -> Account:
    """A field that is sent as `word`."""
    return Account(kind=Kind.RENAMED, word=word, why=why)


def clamped(word: str, why: str = "") -> Account:
    """A field that is sent within the range `word`."""
    return Account(kind=Kind.CLAMPED, word=word, why=why)


def gateway(why: str) -> Account:
    """A field that the gateway acts on."""
    return Account(kind=Kind.GATEWAY, why=why)


def dropped(why: str) -> Account:
    """A field that is not sent."""
    return Account(kind=Kind.DROPPED, why=why)


def missing(account: Accounts) -> tuple[str, ...]:
    """The fields that an account does not name, in order."""
    return tuple(path for path in FIELDS if path not in account)


def refused(account: Accounts) -> frozenset[str]:
    """The top-level fields that are dropped: a caller who requires all parameters to be known cannot be served."""
    return frozenset(path for path, entry in account.items() if entry.kind is Kind.DROPPED and "." not in path)


def _names(descriptor: Descriptor, prefix: str = "") -> Iterator[str]:
    """The JSON keys and tags of a message, without the catch-all of unknown keys."""
    for field in descriptor.fields:
        options = field.GetOptions().Extensions[options_pb2.field]
        if options.catch_all or options.unknown_tags == options_pb2.UNKNOWN_TAGS_KEPT_FROM_UPSTREAM:
            continue  # unknown keys have no names, and what only providers send is in no request
        yield f"{prefix}{_tag_of(field)}"


def _tag_of(field: FieldDescriptor) -> str:
    """The first tag of a variant, else the field's name. All server tools are one, since one place decides about them."""
    tags = field.GetOptions().Extensions[options_pb2.field].tags
    tag = str(tags[0]) if tags else field.name
    return "openrouter:*" if tag.startswith("openrouter:") else tag


def _fields() -> Iterator[str]:
    yield from _names(ChatCompletionRequest.DESCRIPTOR)
    yield "messages.role"
    for turn in (SystemMessage, UserMessage, DeveloperMessage, AssistantMessage, ToolMessage):
        yield from _names(turn.DESCRIPTOR, "messages.")
    yield from _names(ContentPart.DESCRIPTOR, "messages.content.")
    yield from _names(Tool.DESCRIPTOR, "tools.")
    yield from _names(ResponseFormat.DESCRIPTOR, "response_format.")
    yield from _names(ReasoningConfig.DESCRIPTOR, "reasoning.")


FIELDS: Final = tuple(dict.fromkeys(_fields()))
"""Every path that an account has to name: top-level fields, then what messages, content parts, tools, forms and reasoning have inside. A field that a new
version of the contract adds stands here by itself.
"""
