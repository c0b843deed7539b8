# SPDX-License-Identifier: Apache-2.0
"""Messages as turns."""

from typing import Any

import pytest

from support.anthropic_wire import CODEC, render
from support.builders import make_endpoint, make_request
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.anthropic.conversation import ALONE, MOVED, clean_id
from trunkline_server.dialects.anthropic.request import render_request


def user(content: Any = "Hi", **rest: Any) -> dict[str, Any]:
    """A user's message."""
    return {"role": "user", "content": content, **rest}


def text(words: str, **rest: Any) -> dict[str, Any]:
    """A block, or part, of text."""
    return {"type": "text", "text": words, **rest}


def called(arguments: str, call_id: str = "c", **rest: Any) -> dict[str, Any]:
    """A turn that calls a function."""
    call = {"id": call_id, "type": "function", "function": {"name": "f", "arguments": arguments}, **rest}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def result(content: Any = "done", **rest: Any) -> dict[str, Any]:
    """The result of the call."""
    return {"role": "tool", "tool_call_id": "c", "content": content, **rest}


def turns(*messages: dict[str, Any]) -> list[Any]:
    """The turns that messages make, each as its role and blocks."""
    body, _ = render({"messages": list(messages)})
    return [(turn["role"], turn["content"]) for turn in body["messages"]]


def test_instructions_stand_apart() -> None:
    """System and developer messages go to the front, and one that was elsewhere is told of."""
    body, report = render(
        {"messages": [{"role": "system", "content": "a"}, user(), {"role": "developer", "content": "b", "name": "dev"}]}
    )
    assert body["system"] == [text("a"), text("b")]
    assert (report.changed, report.dropped) == ((("messages", MOVED),), ("messages.name",))


def test_instructions_are_text() -> None:
    """A picture cannot instruct."""
    picture = {"type": "image_url", "image_url": {"url": "https://a.example"}}
    with pytest.raises(GatewayError):
        render({"messages": [{"role": "system", "content": [picture]}, user()]})


def test_roles_take_turns() -> None:
    """Messages of one role in a row are one turn, and results stand first in theirs."""
    told = turns(user("a"), user("b"), called("{}"), user("c"), result(), user("d"))
    done = {"type": "tool_result", "tool_use_id": "c", "content": "done"}
    assert told == [
        ("user", [text("a"), text("b")]),
        ("assistant", [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]),
        ("user", [done, text("c"), text("d")]),
    ]


ARGUMENTS = [
    ("", {}),
    (" ", {}),
    ('{"a": 1}', {"a": 1}),
    ('{"n": 12345678901234567}', {"n": 12345678901234567}),
    ("[1]", {"arguments": "[1]"}),
    ("{broken", {"arguments": "{broken"}),
]


@pytest.mark.parametrize(("arguments", "sent"), ARGUMENTS)
def test_arguments(arguments: str, sent: dict[str, Any]) -> None:
    """Anthropic wants an object; text that is none is kept in one and told of."""
    body, report = render({"messages": [user(), called(arguments), result()]})
    assert body["messages"][1]["content"][0]["input"] == sent
    assert bool(report.changed) == (sent.keys() == {"arguments"})


def test_long_numbers() -> None:
    """A number that no float holds is sent digit by digit: it may be an id."""
    request = make_request("Hi")
    call = request.messages.add().assistant.tool_calls.add(id="c", type="function")
    call.function.name, call.function.arguments = "f", '{"id": 12345678901234567890123}'
    request.messages.add().tool.tool_call_id = "c"
    rendered = render_request(CODEC, request, make_endpoint(), stream=False)
    assert b'"input":{"id": 12345678901234567890123}' in rendered.body


LONG = {"type": "ephemeral", "ttl": "1h"}
RESULTS: list[tuple[Any, dict[str, Any]]] = [
    ("done", {"content": "done"}),
    ("", {}),
    (" \n", {}),
    ([text("", cache_control={"type": "ephemeral"})], {"cache_control": {"type": "ephemeral"}}),
    ([text("a"), text(" ", cache_control=LONG)], {"content": "a", "cache_control": LONG}),
    ([text("a"), text("b")], {"content": [text("a"), text("b")]}),
    ([text("a", cache_control={"type": "ephemeral"})], {"content": "a", "cache_control": {"type": "ephemeral"}}),
    (
        [{"type": "image_url", "image_url": {"url": "https://a.example"}}],
        {"content": [{"type": "image", "source": {"type": "url", "url": "https://a.example"}}]},
    ),
]


@pytest.mark.parametrize(("content", "members"), RESULTS)
def test_results(content: Any, members: dict[str, Any]) -> None:
    """A result may hold pictures; a mark on its last part is the result's own."""
    body, _ = render({"messages": [user(), called("{}"), result(content)]})
    assert body["messages"][2]["content"] == [{"type": "tool_result", "tool_use_id": "c", **members}]


def test_a_result_that_is_an_error() -> None:
    """That a tool failed is told in Anthropic's word."""
    body, report = render({"messages": [user(), called("{}"), result("no", is_error=True, name="f")]})
    assert body["messages"][2]["content"][0]["is_error"] is True
    assert report.dropped == ()


@pytest.mark.parametrize(("call_id", "sent"), [("call_1-a", "call_1-a"), ("functions.f:0", "functions_f_0"), ("", "_")])
def test_ids(call_id: str, sent: str) -> None:
    """Ids of other makers get the characters that Anthropic takes."""
    assert clean_id(call_id) == sent


def ids(*messages: dict[str, Any]) -> list[str]:
    """The ids of calls and results, in order."""
    blocks = [block for _, content in turns(user(), *messages) for block in content]
    return [block.get("tool_use_id") or block["id"] for block in blocks if block["type"].startswith("tool_")]


def test_ids_of_which_only_other_characters_differ() -> None:
    """Anthropic refuses an id twice, so the second gets a number, and its result the same."""
    calls = [*called("{}", "f:0")["tool_calls"], *called("{}", "f.0")["tool_calls"]]
    turn = {"role": "assistant", "content": None, "tool_calls": calls}
    results = [{**result(), "tool_call_id": "f:0"}, {**result(), "tool_call_id": "f.0"}]
    assert ids(turn, *results) == ["f_0", "f_0_2", "f_0", "f_0_2"]


def test_ids_that_come_again() -> None:
    """Some makers begin to count again in each turn; a result belongs to the call before it."""
    assert ids(called("{}"), result(), called("{}"), result(), called("{}", "c_2")) == ["c", "c", "c_2", "c_2", "c_2_2"]


def test_a_call_of_a_custom_tool() -> None:
    """Its input is text, which becomes the one argument of the function that the tool is here."""
    body, report = render(
        {"messages": [user(), called("*** Begin", openai_responses="custom_tool_call"), result()]},
    )
    assert body["messages"][1]["content"][0]["input"] == {"input": "*** Begin"}
    assert (report.dropped, report.changed) == ((), ())


def test_reasoning_as_it_was_streamed() -> None:
    """Pieces of a thinking block that a caller never put together are one block, or its signature would be refused."""
    own = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0}
    details = [{**own, "text": "I sh"}, {**own, "text": "ould"}, {**own, "signature": "S"}]
    told = turns(user(), {"role": "assistant", "content": "a", "reasoning_details": details}, user())
    assert told[1][1] == [{"type": "thinking", "thinking": "I should", "signature": "S"}, text("a")]


def test_instructions_alone() -> None:
    """There must be a turn, so they are the user's."""
    body, report = render({"messages": [{"role": "system", "content": "only"}]})
    assert ("system" in body, body["messages"]) == (False, [{"role": "user", "content": [text("only")]}])
    assert report.changed == (("messages", ALONE),)


def test_what_a_turn_loses() -> None:
    """What Anthropic does not take back is reported."""
    turn = {
        **called("{}", index=0, mine=1),
        "content": "So.",
        "reasoning": "hm",
        "name": "bot",
        "annotations": [{"type": "url_citation", "url_citation": {"url": "https://a.example"}}],
        "model": "acme/one",
    }
    _, report = render({"messages": [user("Hi", name="ann"), turn, result()]})
    assert set(report.dropped) == {
        "messages.name",
        "messages.reasoning",
        "messages.annotations",
        "messages.tool_calls.mine",
    }


def test_the_last_turn_may_be_the_models() -> None:
    """Its text may not end in white space; empty turns are none."""
    assert turns(user(), {"role": "assistant", "content": "So, \n"})[-1] == ("assistant", [text("So,")])
    assert [role for role, _ in turns(user(), {"role": "assistant", "content": " \n"}, user())] == ["user"]


def test_a_refusal_is_text() -> None:
    """What the model refused with is part of what it said."""
    assert turns(user(), {"role": "assistant", "content": None, "refusal": "No."}, user())[1] == (
        "assistant",
        [text("No.")],
    )
