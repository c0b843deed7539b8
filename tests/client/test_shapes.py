# SPDX-License-Identifier: Apache-2.0
"""The JSON shapes that the client reads from the contract's options."""

from google.protobuf.descriptor import Descriptor

from trunkline.shapes import shape_of
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest, StopCondition
from trunkline.v1.message_pb2 import AssistantMessage, ChatMessage, ContentPart, VideoUrl
from trunkline.v1.provider_preferences_pb2 import MaxPrice, ProviderSort
from trunkline.v1.tool_pb2 import Tool, WebSearchShorthand


def test_the_request() -> None:
    """Every field is a member under its own name, but for the catch-all."""
    shape = shape_of(ChatCompletionRequest.DESCRIPTOR)
    names = {field.name for field in ChatCompletionRequest.DESCRIPTOR.fields}
    assert set(shape.members) == names - {"extra"}
    assert shape.catch_all is not None
    assert shape.catch_all.field.name == "extra"
    assert shape.union is None


def test_keys_that_are_no_field_names() -> None:
    """Money has keys without its unit, and aliases name the same field."""
    assert set(shape_of(MaxPrice.DESCRIPTOR).members) == {"prompt", "completion", "request", "image", "audio"}
    members = shape_of(AssistantMessage.DESCRIPTOR).members
    assert members["reasoning_content"] is members["reasoning"]


def test_unions() -> None:
    """Tagged unions know their tags and discriminator, untagged ones their variants."""
    roles = shape_of(ChatMessage.DESCRIPTOR).union
    parts = shape_of(ContentPart.DESCRIPTOR)
    sort = shape_of(ProviderSort.DESCRIPTOR).union
    assert roles is not None
    assert parts.union is not None
    assert sort is not None
    assert (roles.discriminator, roles.nested, sorted(roles.tagged)) == (
        "role",
        False,
        ["assistant", "developer", "system", "tool", "user"],
    )
    assert parts.union.nested
    assert parts.union.unknown is None
    assert parts.shorthand is not None
    assert parts.shorthand.key == "text"
    assert (sort.untagged, [variant.key for variant in sort.variants]) == (True, ["by", "config"])


def test_what_stands_apart() -> None:
    """Flattened members and kept tags have no keys of their own; unknown tools are kept."""
    shorthand = shape_of(WebSearchShorthand.DESCRIPTOR)
    tools = shape_of(Tool.DESCRIPTOR).union
    assert [flat.field.name for flat in shorthand.flattened] == ["settings"]
    assert set(shorthand.members) == {"parameters"}
    assert shorthand.kept_tag is not None
    assert "received_type" not in shape_of(VideoUrl.DESCRIPTOR).members
    assert tools is not None
    assert tools.unknown is not None
    assert tools.tagged["openrouter:web_search"].key == "parameters"


def test_maps() -> None:
    """A map knows the field of its values; other fields have none."""
    members = shape_of(ChatCompletionRequest.DESCRIPTOR).members
    assert members["logit_bias"].map_value is not None
    assert members["messages"].map_value is None
    assert members["model"].map_value is None


def test_every_union_of_a_request_is_understood() -> None:
    """Each real oneof below the request is tagged or untagged, so that no value is ambiguous."""
    unions = [message for message in messages_below(ChatCompletionRequest.DESCRIPTOR) if real_oneofs(message)]
    assert StopCondition.DESCRIPTOR in unions
    assert [message.full_name for message in unions if shape_of(message).union is None] == []


def messages_below(message: Descriptor, known: set[str] | None = None) -> list[Descriptor]:
    """A message type and all that it holds, each once."""
    known = set() if known is None else known
    if message.full_name in known:
        return []
    known.add(message.full_name)
    held = [field.message_type for field in message.fields if field.message_type is not None]
    return [message, *(below for one in held for below in messages_below(one, known))]


def real_oneofs(message: Descriptor) -> list[str]:
    """The oneofs of a message that are not made by `optional`."""
    return [oneof.name for oneof in message.oneofs if len(oneof.fields) > 1]
