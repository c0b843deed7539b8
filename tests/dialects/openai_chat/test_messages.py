# SPDX-License-Identifier: Apache-2.0
"""Messages as a plain server of chat completions gets them."""

import re
from typing import Any

import orjson
import pytest

from support.answer_cuts import make_codec
from support.builders import make_endpoint, make_provider
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.dialects.openai_chat import OpenAiChat
from trunkline_server.dialects.openai_chat.messages import MOVED, RENAMED_ID
from trunkline_server.dialects.registry import make_dialects

CODEC = make_codec()
DIALECT = OpenAiChat(CODEC)
IMAGE: dict[str, Any] = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
HELLO = {"role": "user", "content": "hi"}
FROM_C1 = {"type": "text", "text": "From the result of the tool call c1:"}
SEEN = {"type": "text", "text": "seen"}
BELOW = {"type": "text", "text": "The result stands in the next message."}


def call(call_id: str, arguments: str = "{}", **more: Any) -> dict[str, Any]:
    """A past call of the function `f`."""
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": arguments}, **more}


def turn(*calls: dict[str, Any]) -> dict[str, Any]:
    """A turn of the model's that made calls."""
    return {"role": "assistant", "tool_calls": list(calls)}


def result(call_id: str, content: Any, **more: Any) -> dict[str, Any]:
    """What a tool gave."""
    return {"role": "tool", "tool_call_id": call_id, "content": content, **more}


def render(messages: list[dict[str, Any]], **row: Any) -> RenderedRequest:
    """The request that a provider with such a row gets."""
    request = CODEC.decode(ChatCompletionRequest, orjson.loads(orjson.dumps({"messages": messages})))
    return DIALECT.render_request(request, make_endpoint(make_provider("plain", **row)), stream=False)


def messages_of(rendered: RenderedRequest) -> Any:
    """The messages that the provider gets."""
    return orjson.loads(rendered.body)["messages"]


@pytest.mark.parametrize(
    ("content", "behind", "left", "shown"),
    [
        pytest.param([SEEN, IMAGE], [], [SEEN], [{"role": "user", "content": [FROM_C1, IMAGE]}], id="at the end"),
        pytest.param([IMAGE], [], [BELOW], [{"role": "user", "content": [FROM_C1, IMAGE]}], id="no text"),
        pytest.param(
            [SEEN, IMAGE],
            [{"role": "user", "content": "go on", "name": "ann"}],
            [SEEN],
            [{"role": "user", "content": [FROM_C1, IMAGE, {"type": "text", "text": "go on"}], "name": "ann"}],
            id="before the user's",
        ),
        pytest.param(
            [SEEN, IMAGE],
            [{"role": "assistant", "content": "so"}],
            [SEEN],
            [{"role": "user", "content": [FROM_C1, IMAGE]}, {"role": "assistant", "content": "so"}],
            id="before the model's",
        ),
        pytest.param("seen", [HELLO], "seen", [HELLO], id="text alone"),
        pytest.param([SEEN, SEEN], [HELLO], [SEEN, SEEN], [HELLO], id="texts alone"),
    ],
)
def test_what_a_tool_showed(content: Any, behind: list[Any], left: Any, shown: list[Any]) -> None:
    """Images of a tool's result go into the user's message behind it, since a tool's message takes text alone."""
    rendered = render([HELLO, turn(call("c1")), result("c1", content), *behind])
    assert messages_of(rendered)[2:] == [result("c1", left), *shown]
    assert rendered.changed == (
        (("messages.content.image_url", MOVED),) if type(content) is list and IMAGE in content else ()
    )


def test_a_run_of_results_stays_together() -> None:
    """What several tools showed stands behind all of their results: nothing may come between them."""
    rendered = render([HELLO, turn(call("c1"), call("c2")), result("c1", [IMAGE]), result("c2", "b"), HELLO])
    assert [message["role"] for message in messages_of(rendered)] == ["user", "assistant", "tool", "tool", "user"]
    assert messages_of(rendered)[4]["content"] == [FROM_C1, IMAGE, {"type": "text", "text": "hi"}]


def test_images_stay_where_the_row_says_so() -> None:
    """A provider that takes images in tools' results gets them there."""
    messages = [HELLO, turn(call("c1")), result("c1", [SEEN, IMAGE])]
    rendered = render(messages, takes_images_in_results=True)
    assert messages_of(rendered)[2] == messages[2]
    assert rendered.changed == ()


@pytest.mark.parametrize("own", ["toolu_01AbCdEfGh", "call_1", "c1"])
def test_ids_in_the_form_of_the_row(own: str) -> None:
    """An id of another form becomes nine letters and digits, the same in the call and its result."""
    rendered = render([HELLO, turn(call(own)), result(own, "x")], tool_ids="alphanumeric_9")
    _, said, told = messages_of(rendered)
    assert re.fullmatch("[A-Za-z0-9]{9}", told["tool_call_id"])
    assert said["tool_calls"][0]["id"] == told["tool_call_id"]
    assert rendered.changed == (("messages.tool_calls.id", RENAMED_ID),)


@pytest.mark.parametrize(("own", "row"), [("D681PevKs", {"tool_ids": "alphanumeric_9"}), ("toolu_01AbCdEfGh", {})])
def test_ids_that_fit(own: str, row: dict[str, Any]) -> None:
    """An id that the provider takes is sent as it is."""
    rendered = render([HELLO, turn(call(own)), result(own, "x")], **row)
    assert messages_of(rendered)[2]["tool_call_id"] == own
    assert rendered.changed == ()


def test_two_calls_keep_two_ids() -> None:
    """Different ids become different ones."""
    rendered = render(
        [HELLO, turn(call("call_1"), call("call_2")), result("call_1", "a"), result("call_2", "b")],
        tool_ids="alphanumeric_9",
    )
    assert len({item["id"] for item in messages_of(rendered)[1]["tool_calls"]}) == 2


@pytest.mark.parametrize(("arguments", "expected"), [("", "{}"), (" ", "{}"), ('{"a": 1 }', '{"a": 1 }'), ("{a", "{a")])
def test_arguments(arguments: str, expected: str) -> None:
    """A past call without arguments has an empty object; what the model wrote stays as it is."""
    rendered = render([HELLO, turn(call("c1", arguments)), result("c1", "x")])
    assert messages_of(rendered)[1]["tool_calls"][0]["function"]["arguments"] == expected


@pytest.mark.parametrize("name", ["openai_chat", "openai_responses"])
def test_arguments_that_are_absent(name: str) -> None:
    """A call that came over gRPC may have none at all."""
    request = ChatCompletionRequest()
    said = request.messages.add().assistant.tool_calls.add(id="c1")
    said.function.name = "f"
    endpoint = make_endpoint(make_provider(name, dialect=name))
    rendered = make_dialects(CODEC)[name].render_request(request, endpoint, stream=False)
    assert b'"arguments":"{}"' in rendered.body


def test_a_custom_call() -> None:
    """A past call whose input is text, as OpenAI's Responses tell it, is one of a custom tool."""
    rendered = render([HELLO, turn(call("c1", "*** Begin", openai_responses="custom_tool_call")), result("c1", "ok")])
    assert messages_of(rendered)[1]["tool_calls"] == [
        {"id": "c1", "type": "custom", "custom": {"name": "f", "input": "*** Begin"}}
    ]
    assert rendered.dropped == ()


def test_what_anthropic_alone_knows_is_left_out() -> None:
    """Keys of Anthropic's are taken out and reported: OpenAI would refuse the whole request for one."""
    block = {"type": "text", "text": "found", "anthropic_block": {"type": "search_result"}, "citations": []}
    file = {"type": "file", "file": {"file_id": "f", "citations": {"enabled": True}, "context": "c", "source": {}}}
    image = {"type": "image_url", "image_url": {**IMAGE["image_url"], "transformations": []}}
    rendered = render(
        [
            {"role": "user", "content": [block, file, image]},
            turn(call("c1", caller={"type": "direct"})),
            result("c1", "bad", is_error=True),
        ]
    )
    assert messages_of(rendered) == [
        {
            "role": "user",
            "content": [{"type": "text", "text": "found"}, {"type": "file", "file": {"file_id": "f"}}, IMAGE],
        },
        turn(call("c1")),
        result("c1", "bad"),
    ]
    assert set(rendered.dropped) == {
        "messages.content.anthropic_block",
        "messages.content.citations",
        "messages.content.file.citations",
        "messages.content.file.context",
        "messages.content.file.source",
        "messages.content.image_url.transformations",
        "messages.tool_calls.caller",
        "messages.is_error",
    }


def test_a_server_with_extensions_gets_messages_as_they_are() -> None:
    """An upstream that takes all extensions does such things itself."""
    messages = [HELLO, turn(call("c1", "")), result("c1", [IMAGE], is_error=True)]
    assert messages_of(render(messages, takes_extensions=True, tool_ids="alphanumeric_9")) == messages
