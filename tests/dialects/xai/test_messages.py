# SPDX-License-Identifier: Apache-2.0
"""Messages as xAI takes them; xAI's own client is the referee where it can say the same."""

from typing import Any

import pytest
from xai_sdk import chat as theirs

from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.dialects.gemini.report import Report
from trunkline_server.dialects.xai.messages import FORMAT, render_message

PNG = "data:image/png;base64,AAAA"


def render(message: dict[str, Any], *, takes_developer_role: bool = True) -> tuple[list[bytes], tuple[str, ...]]:
    """The messages that one becomes, and what is lost."""
    report = Report()
    made = list(render_message(message, report, takes_developer_role=takes_developer_role))
    return [one.SerializeToString() for one in made], report.dropped


def text(value: str) -> dict[str, Any]:
    """A part of text."""
    return {"type": "text", "text": value}


def file(**keys: str) -> dict[str, Any]:
    """A message with a file."""
    return {"role": "user", "content": [{"type": "file", "file": keys}]}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"role": "user", "content": "hi"}, theirs.user("hi")),
        ({"role": "system", "content": "hi"}, theirs.system("hi")),
        ({"role": "developer", "content": [text("hi")]}, theirs.developer("hi")),
        ({"role": "assistant", "content": "hi"}, theirs.assistant("hi")),
        ({"role": "assistant", "content": None}, theirs.assistant("")),
        ({"role": "user", "content": ""}, theirs.user("")),
        ({"role": "tool", "tool_call_id": "c1", "content": "4 C"}, theirs.tool_result("4 C", "c1")),
        (
            {"role": "user", "content": [text("a"), {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}]},
            theirs.user("a", theirs.image(PNG, detail="low")),
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a"}}]},
            theirs.user(theirs.image("https://example.com/a")),
        ),
        (file(file_id="file-1"), theirs.user(theirs.file("file-1"))),
        (
            file(file_data="data:application/pdf;base64,JVBE", filename="a.pdf"),
            theirs.user(theirs.file(data=b"%PD", filename="a.pdf", mime_type="application/pdf")),
        ),
        (
            file(file_data="JVBE", filename="a.pdf"),
            theirs.user(theirs.file(data=b"%PD", filename="a.pdf", mime_type="application/pdf")),
        ),
        (
            file(file_data="https://example.com/a.csv"),
            theirs.user(theirs.file(url="https://example.com/a.csv", mime_type="text/csv")),
        ),
        (file(file_data="data:;base64,JVBE"), theirs.user(theirs.file(data=b"%PD", mime_type="text/plain"))),
    ],
)
def test_as_their_client_writes_it(message: dict[str, Any], expected: Any) -> None:
    """The bytes are those that xAI's client makes of the same message."""
    assert render(message) == ([expected.SerializeToString()], ())


def test_without_the_developers_role() -> None:
    """Where a provider does not know it, it is the system's."""
    message = {"role": "developer", "content": "hi"}
    assert render(message, takes_developer_role=False)[0] == [theirs.system("hi").SerializeToString()]


def one(message: dict[str, Any]) -> tuple[Any, tuple[str, ...]]:
    """The one message that a message becomes."""
    report = Report()
    (made,) = render_message(message, report, takes_developer_role=True)
    return made, report.dropped


def test_a_turn_with_calls_and_a_refusal() -> None:
    """Calls are the client's; a refusal is text; names are for users; what has no place is reported."""
    call = {"id": "c1", "type": "function", "index": 0, "function": {"name": "look", "arguments": "{}"}, "more": 1}
    made, dropped = one({"role": "assistant", "name": "x", "content": "hm", "refusal": "No.", "tool_calls": [call]})
    assert [part.text for part in made.content] == ["hm", "No."]
    ((call_id, kind, function),) = [(call.id, call.type, call.function) for call in made.tool_calls]
    assert (call_id, kind, function.name, function.arguments) == ("c1", 1, "look", "{}")
    assert dropped == ("messages.name", "messages.tool_calls.more")
    assert one({"role": "user", "name": "ann", "content": "hi"})[0].name == "ann"


def test_marks_and_details() -> None:
    """Marks of caches are reported; a detail that xAI does not know is told as auto."""
    report = Report()
    image = {"type": "image_url", "image_url": {"url": PNG, "detail": "original"}, "cache_control": {}}
    list(render_message({"role": "user", "content": [image]}, report, takes_developer_role=True))
    assert report.dropped == ("messages.content.cache_control",)
    assert report.changed == (("messages.content.image_url.detail", 'sent as "auto"'),)


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}, "messages.content.input_audio"),
        ({"type": "video_url", "video_url": {"url": "https://example.com"}}, "messages.content.video_url"),
        ({"type": "input_video", "video_url": {"url": "https://example.com"}}, "messages.content.video_url"),
        ({"type": "file", "file": {"file_data": "no base64!"}}, "messages.content.file.file_data"),
    ],
)
def test_what_xai_cannot_read(part: dict[str, Any], field: str) -> None:
    """Content is no parameter: the request is refused."""
    with pytest.raises(GatewayError) as caught:
        render({"role": "user", "content": [part]})
    assert reason_name(caught.value.reason) == "INVALID_REQUEST"
    assert [fault.field for fault in caught.value.faults] == [field]


def detail(kind: str, form: str | None = FORMAT, **keys: Any) -> dict[str, Any]:
    """A reasoning detail."""
    return {"type": f"reasoning.{kind}", **({} if form is None else {"format": form}), **keys}


@pytest.mark.parametrize(
    ("details", "steps", "lost"),
    [
        ([detail("text", text="a"), detail("text", text="b"), detail("encrypted", data="X")], [("ab", "X")], False),
        ([detail("encrypted", data="X"), detail("encrypted", data="Y")], [("", "X"), ("", "Y")], False),
        (
            [detail("text", text="a"), detail("encrypted", data="X"), detail("summary", summary="b")],
            [("a", "X"), ("b", "")],
            False,
        ),
        ([detail("text", "anthropic-claude-v1", text="a", signature="s")], [("", "")], True),
        ([detail("text", None, text="a")], [("", "")], True),
        ([detail("encrypted", data="X"), detail("strange")], [("", "X")], True),
    ],
)
def test_reasoning_goes_back(details: list[dict[str, Any]], steps: list[tuple[str, str]], lost: bool) -> None:
    """What is xAI's own goes back as it came, each step in its message, the last one with what was said."""
    report = Report()
    message = {"role": "assistant", "content": "so", "reasoning_details": details}
    made = list(render_message(message, report, takes_developer_role=True))
    assert [(one.reasoning_content, one.encrypted_content) for one in made] == steps
    assert ["".join(part.text for part in one.content) for one in made] == [*[""] * (len(steps) - 1), "so"]
    assert ("messages.reasoning_details" in report.dropped) is lost


def test_reasoning_of_nobody() -> None:
    """Plain text of unknown origin is not sent as xAI's own, and that is reported."""
    made, dropped = one({"role": "assistant", "content": "so", "reasoning": "hm"})
    assert (made.reasoning_content, dropped) == ("", ("messages.reasoning",))
