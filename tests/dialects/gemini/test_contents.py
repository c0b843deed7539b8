# SPDX-License-Identifier: Apache-2.0
"""Messages as systemInstruction and contents."""

from typing import Any

import orjson
import pytest

from support.gemini_wire import CURRENT, OLDER, render
from support.gemini_wire import sent as sent_whole

FORMAT = "google-gemini-v1"
PNG = "data:image/png;base64,AAAA"
UNSIGNED = "skip_thought_signature_validator"


def user(content: object) -> dict[str, Any]:
    """The user's turn."""
    return {"role": "user", "content": content}


def calls(*ids: str, arguments: str = "{}", **rest: Any) -> dict[str, Any]:
    """The model's turn with a call of `look` for each id."""
    made = [{"id": one, "type": "function", "function": {"name": "look", "arguments": arguments}} for one in ids]
    return {"role": "assistant", "content": None, "tool_calls": made, **rest}


def result(call_id: str, content: object, **rest: Any) -> dict[str, Any]:
    """The result of a call."""
    return {"role": "tool", "tool_call_id": call_id, "content": content, **rest}


def thought(index: int, text: str, **rest: Any) -> dict[str, Any]:
    """A detail in the open."""
    return {"type": "reasoning.text", "text": text, "format": FORMAT, "index": index, **rest}


def proof(index: int, data: str, **rest: Any) -> dict[str, Any]:
    """A detail with a signature."""
    return {"type": "reasoning.encrypted", "data": data, "format": FORMAT, "index": index, **rest}


def contents(*messages: dict[str, Any], model: str = CURRENT) -> Any:
    """The contents that Google gets."""
    return sent_whole({"messages": messages}, model)["contents"]


def turn(message: dict[str, Any], model: str = CURRENT) -> Any:
    """The parts of a model's turn."""
    return contents(user("hi"), message, model=model)[1]["parts"]


def test_roles() -> None:
    """Instructions stand apart, wherever they stood; the user and the model take turns."""
    body = sent_whole(
        {
            "messages": [
                {"role": "system", "content": "A"},
                user("b"),
                user([{"type": "text", "text": "c"}, {"type": "text", "text": "d"}]),
                {"role": "developer", "content": "E"},
                {"role": "assistant", "content": "f", "refusal": "g"},
                user("h"),
            ]
        }
    )
    assert body["systemInstruction"] == {"parts": [{"text": "A"}, {"text": "E"}]}
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "b"}, {"text": "c"}, {"text": "d"}]},
        {"role": "model", "parts": [{"text": "f"}, {"text": "g"}]},
        {"role": "user", "parts": [{"text": "h"}]},
    ]


def test_instructions_alone() -> None:
    """There must be contents: instructions without a turn are the user's."""
    rendered = render({"messages": [{"role": "system", "content": "A"}]})
    assert orjson.loads(rendered.body) == {"contents": [{"role": "user", "parts": [{"text": "A"}]}]}
    assert rendered.changed == (("messages", "instructions sent as the user's turn"),)


RESULTS: list[tuple[object, dict[str, Any]]] = [
    ("4 C", {"output": "4 C"}),
    ("", {"output": ""}),
    ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], {"output": "a\n\nb"}),
    ('{"c": 4 }', {"c": 4}),
    ('{"output":"x"}', {"output": '{"output":"x"}'}),
    ("[1]", {"output": "[1]"}),
    ("{broken", {"output": "{broken"}),
]


@pytest.mark.parametrize(("content", "expected"), RESULTS)
def test_results(content: object, expected: dict[str, Any]) -> None:
    """A result is an object with the function's name; a text that is none stands under `output`."""
    made = contents(user("hi"), calls("c1"), result("c1", content))[2]
    response = {"id": "c1", "name": "look", "response": expected}
    assert made == {"role": "user", "parts": [{"functionResponse": response}]}


def test_results_of_parallel_calls_stand_together() -> None:
    """All results of a turn are parts of one content, and so is what the user says then."""
    made = contents(user("hi"), calls("c1", "c2"), result("c1", "a"), result("c2", "b"), user("well?"))[2]["parts"]
    assert [part.get("functionResponse", {}).get("id") for part in made] == ["c1", "c2", None]


def test_a_result_without_its_call() -> None:
    """The name that the client repeats serves; else there is none."""
    named, unknown = contents(user("hi"), result("x", "a", name="look"), result("y", "b"))[0]["parts"][1:]
    assert named["functionResponse"]["name"] == "look"
    assert unknown["functionResponse"]["name"] == "unknown_function"


def test_pictures_in_results() -> None:
    """A picture belongs to the result where the model takes it there, and follows it elsewhere."""
    content = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": PNG}}]
    media = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    response = {"id": "c1", "name": "look", "response": {"output": "a"}}
    messages = (user("hi"), calls("c1"), result("c1", content))
    assert contents(*messages)[2]["parts"] == [{"functionResponse": {**response, "parts": [media]}}]
    assert contents(*messages, model=OLDER)[2]["parts"] == [{"functionResponse": response}, media]


ARGUMENTS = [
    ('{"a": 1.0, "b": "é"}', {"a": 1.0, "b": "é"}),
    ("", {}),
    ("{}", {}),
    (" \n", {}),
    ("nonsense", {"arguments": "nonsense"}),
    ("[1]", {"arguments": "[1]"}),
]


@pytest.mark.parametrize(("text", "expected"), ARGUMENTS)
def test_arguments(text: str, expected: dict[str, Any]) -> None:
    """Arguments are an object; what a model wrote that is none is still told, and that it was none is reported."""
    part = turn(calls("c1", arguments=text), OLDER)[0]
    assert part == {"functionCall": {"id": "c1", "name": "look", "args": expected}}
    changed = dict(render({"messages": [user("hi"), calls("c1", arguments=text)]}, OLDER).changed)
    assert ("messages.tool_calls.function.arguments" in changed) is ("arguments" in expected)


def test_ids_that_the_gateway_made() -> None:
    """An id that Google never gave is not sent back."""
    made = contents(user("hi"), calls("call_made_x_0_0"), result("call_made_x_0_0", "a"), model=OLDER)
    assert made[1]["parts"] == [{"functionCall": {"name": "look", "args": {}}}]
    assert made[2]["parts"][0]["functionResponse"] == {"name": "look", "response": {"output": "a"}}


def test_signatures_go_back_to_their_parts() -> None:
    """Thoughts, texts, images and calls are signed as they were."""
    message = calls(
        "c1",
        "c2",
        content="Hello world",
        images=[{"type": "image_url", "image_url": {"url": PNG}}],
        reasoning="hm so",
        reasoning_details=[
            thought(0, "hm", signature="A"),
            thought(1, " so"),
            proof(2, "B", id="text:5:11"),
            proof(3, "C", id="image:0"),
            proof(4, "D", id="c1"),
        ],
    )
    assert turn(message) == [
        {"text": "hm", "thought": True, "thoughtSignature": "A"},
        {"text": " so", "thought": True},
        {"text": "Hello"},
        {"text": " world", "thoughtSignature": "B"},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thoughtSignature": "C"},
        {"functionCall": {"id": "c1", "name": "look", "args": {}}, "thoughtSignature": "D"},
        {"functionCall": {"id": "c2", "name": "look", "args": {}}},
    ]


def test_signatures_without_a_place() -> None:
    """As OpenRouter gives them: the first call has it, else the last text, else an empty one."""
    spare = {"reasoning_details": [proof(0, "S")]}
    assert turn(calls("c1", **spare))[0]["thoughtSignature"] == "S"
    assert turn({"role": "assistant", "content": "Hi", **spare}) == [{"text": "Hi", "thoughtSignature": "S"}]
    assert turn({"role": "assistant", "content": None, **spare}) == [{"text": "", "thoughtSignature": "S"}]


def test_calls_of_other_models() -> None:
    """A current model refuses calls without a signature, so the first of a turn has Google's word for it; an older one does not ask."""
    rendered = render({"messages": [user("hi"), calls("c1", "c2"), result("c1", "a"), result("c2", "b")]})
    parts = orjson.loads(rendered.body)["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == [UNSIGNED, None]
    assert rendered.changed == (("messages.tool_calls", "marked as not made by the provider"),)
    assert "thoughtSignature" not in turn(calls("c1"), OLDER)[0]


def test_reasoning_of_others() -> None:
    """What another provider's model thought is never sent as Google's; nor is text that nobody proves."""
    foreign = {"type": "reasoning.text", "text": "hm", "signature": "X", "format": "anthropic-claude-v1", "index": 0}
    unknown = {"type": "reasoning.new", "x": 1}
    message = {"role": "assistant", "content": "Hi", "reasoning": "hm", "reasoning_details": [foreign, unknown]}
    rendered = render({"messages": [user("hi"), message]})
    assert orjson.loads(rendered.body)["contents"][1]["parts"] == [{"text": "Hi"}]
    assert rendered.dropped == ("messages.reasoning_details", "messages.reasoning")


def test_signatures_of_what_is_gone() -> None:
    """The signature of an image that the turn has not any more is left out, and reported."""
    message = {"role": "assistant", "content": "Hi", "reasoning_details": [proof(0, "S", id="image:4")]}
    rendered = render({"messages": [user("hi"), message]})
    assert orjson.loads(rendered.body)["contents"][1]["parts"] == [{"text": "Hi"}]
    assert rendered.dropped == ("messages.reasoning_details",)


def test_summaries_and_server_tools() -> None:
    """A summary is a thought; code that Google ran comes back as it was."""
    ran = {
        "type": "reasoning.server_tool_call",
        "tool_name": "code_execution",
        "arguments": '{"language":"PYTHON","code":"1"}',
        "signature": "S",
        "format": FORMAT,
        "index": 1,
    }
    summary = {"type": "reasoning.summary", "summary": "hm", "format": FORMAT, "index": 0}
    message = {"role": "assistant", "content": "Hi", "reasoning_details": [summary, ran]}
    assert turn(message) == [
        {"text": "hm", "thought": True},
        {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "S"},
        {"text": "Hi"},
    ]


def test_sound_and_the_rest_of_a_turn() -> None:
    """Of sound the words are sent; names, annotations and marks are reported."""
    message = {
        "role": "assistant",
        "content": None,
        "audio": {"id": "a", "transcript": "Hi"},
        "annotations": [{"type": "url_citation", "url_citation": {"url": "https://example.com"}}],
        "model": "acme/one",
        "name": "bot",
    }
    rendered = render({"messages": [{**user("hi"), "name": "ann"}, message, {**message, "audio": {"id": "b"}}]})
    assert orjson.loads(rendered.body)["contents"][1]["parts"] == [{"text": "Hi"}]
    assert rendered.changed == (("messages.audio", "sent as its transcript"),)
    assert sorted(rendered.dropped) == ["messages.annotations", "messages.audio", "messages.model", "messages.name"]


def test_a_legacy_call() -> None:
    """The legacy form of a call is a call without an id."""
    message = {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}}
    assert turn(message, OLDER) == [{"functionCall": {"name": "look", "args": {}}}]
