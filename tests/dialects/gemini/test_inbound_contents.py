# SPDX-License-Identifier: Apache-2.0
"""Contents, read into messages."""

from typing import Any

import pytest

from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.gemini.inbound_contents import parse_contents

FORMAT = "google-gemini-v1"


def user(*parts: object) -> dict[str, Any]:
    """A content of the user's."""
    return {"role": "user", "parts": list(parts)}


def model(*parts: object) -> dict[str, Any]:
    """A content of the model's."""
    return {"role": "model", "parts": list(parts)}


def media(kind: str) -> dict[str, Any]:
    """A part with data."""
    return {"inlineData": {"mimeType": kind, "data": "AAAA"}}


def file(uri: str, **rest: str) -> dict[str, Any]:
    """A part that names a file."""
    return {"fileData": {"fileUri": uri, **rest}}


def test_forms_of_contents() -> None:
    """One content stands for a list of one, a content without role is the user's, and a text may stand for instructions."""
    body = {"contents": {"parts": {"text": "a"}}, "system_instruction": "b"}
    assert parse_contents(body) == [{"role": "system", "content": "b"}, {"role": "user", "content": "a"}]


MEDIA: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (media("image/png"), {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}),
    (media("video/mp4"), {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}),
    (media("audio/mpeg"), {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}),
    (media("audio/opus"), {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "opus"}}),
    (media("application/pdf"), {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}}),
    (file("https://youtu.be/x"), {"type": "video_url", "video_url": {"url": "https://youtu.be/x"}}),
    (
        file("https://example.com/a.png", mimeType="image/png"),
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ),
    (file("gs://a/b", mimeType="application/pdf"), {"type": "file", "file": {"file_id": "gs://a/b"}}),
]


@pytest.mark.parametrize(("part", "expected"), MEDIA, ids=[str(place) for place in range(len(MEDIA))])
def test_media(part: dict[str, Any], expected: dict[str, Any]) -> None:
    """Media are what their type says."""
    assert parse_contents({"contents": [user(part)]}) == [{"role": "user", "content": [expected]}]


def test_calls_and_results_without_ids() -> None:
    """Results belong to the calls of their function, in order; ids that Google does not have are made."""
    call = {"functionCall": {"name": "f", "args": {"a": 1}}}
    answer = {"functionResponse": {"name": "f", "response": {"output": "x"}}}
    other = {"functionResponse": {"name": "f", "response": {"y": 2}, "parts": [media("image/png")]}}
    messages = parse_contents({"contents": [model(call, call), user(answer, other, {"text": "well?"})]})
    ids = [made["id"] for made in messages[0]["tool_calls"]]
    assert ids == ["call_made_0", "call_made_1"]
    assert messages[1:] == [
        {"role": "tool", "tool_call_id": ids[0], "content": "x"},
        {
            "role": "tool",
            "tool_call_id": ids[1],
            "content": [
                {"type": "text", "text": '{"y":2}'},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ],
        },
        {"role": "user", "content": "well?"},
    ]
    lone = parse_contents({"contents": [user(answer)]})
    assert lone == [{"role": "tool", "tool_call_id": "call_made_f", "content": "x"}]


def test_a_turn_of_the_model() -> None:
    """Signatures stay with what they sign; Google's word for a call without one is none."""
    skip = {"functionCall": {"id": "c", "name": "f"}, "thoughtSignature": "skip_thought_signature_validator"}
    turn = model(
        {"text": "hm", "thought": True, "thoughtSignature": "A"},
        {"text": "Hi"},
        {"text": "!", "thoughtSignature": "B"},
        {**media("image/png"), "thoughtSignature": "C"},
        {"executableCode": {"language": "PYTHON", "code": "1"}},
        skip,
    )
    message = parse_contents({"contents": [turn]})[0]
    assert (message["content"], message["reasoning"]) == ("Hi!", "hm")
    assert [(item["type"], item.get("id"), item["index"]) for item in message["reasoning_details"]] == [
        ("reasoning.text", None, 0),
        ("reasoning.encrypted", "text:2:3", 1),
        ("reasoning.encrypted", "image:0", 2),
        ("reasoning.server_tool_call", None, 3),
    ]
    assert {item["format"] for item in message["reasoning_details"]} == {FORMAT}
    assert message["tool_calls"] == [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "contents"),
        ({"contents": "hi"}, "contents"),
        ({"contents": ["hi"]}, "contents[0].role"),
        ({"contents": [{"role": "tool", "parts": []}]}, "contents[0].role"),
        ({"contents": [{"role": "user"}]}, "contents[0].parts"),
        ({"contents": [user("hi")]}, "contents[0].parts"),
        ({"contents": [user({"text": 3})]}, "contents[0].parts[0]"),
        ({"contents": [user({"functionResponse": {}})]}, "contents[0].parts[0].functionResponse"),
        ({"contents": [model(media("audio/wav"))]}, "contents[0].parts[0]"),
        ({"contents": [user()], "systemInstruction": {"parts": [{}]}}, "systemInstruction.parts[0]"),
    ],
)
def test_faults(body: dict[str, Any], path: str) -> None:
    """What is no content is told by its path."""
    with pytest.raises(GatewayError) as caught:
        parse_contents(body)
    assert [fault.field for fault in caught.value.faults] == [path]
