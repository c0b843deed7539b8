# SPDX-License-Identifier: Apache-2.0
"""Comments of a descriptor set, found by name."""

import importlib.resources

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

import trunkline
from trunkline_server.jsonshape.openapi_comments import read_comments

COMMENTS = read_comments(
    FileDescriptorSet.FromString((importlib.resources.files(trunkline) / "descriptors.binpb").read_bytes())
)


@pytest.mark.parametrize(
    ("name", "comment"),
    [
        ("trunkline.v1.ChatMessage", "One message of a conversation; `role` says whose."),
        ("trunkline.v1.ToolMessage.tool_call_id", "The id of the call that this answers."),
        ("trunkline.v1.FinishReason", "Why an answer ended."),
        ("trunkline.v1.FinishReason.FINISH_REASON_ERROR", "The provider failed."),
        ("trunkline.v1.ModelService.ListProviders", "Lists the providers."),
        ("trunkline.v1.OpenAICompatService", "Chat completions in OpenAI's JSON."),
    ],
)
def test_everything_named_has_its_comment(name: str, comment: str) -> None:
    """Messages, fields, enums, values, services and methods are found by their full names."""
    assert COMMENTS[name].startswith(comment)


def test_nested_names_are_found() -> None:
    """A message and an enum inside a message carry its name; a comment of several lines becomes one."""
    files = FileDescriptorSet()
    file = files.file.add(package="p")
    outer = file.message_type.add(name="Outer")
    outer.nested_type.add(name="Inner").field.add(name="f")
    outer.enum_type.add(name="E").value.add(name="ONE")
    for path, text in [
        ((4, 0, 3, 0), " In\n here.\n"),
        ((4, 0, 3, 0, 2, 0), "F."),
        ((4, 0, 4, 0, 2, 0), "V."),
        ((3, 0), "x"),
    ]:
        file.source_code_info.location.add(path=path, leading_comments=text)
    file.source_code_info.location.add(path=(4, 0))
    assert read_comments(files) == {"p.Outer.Inner": "In here.", "p.Outer.Inner.f": "F.", "p.Outer.E.ONE": "V."}
