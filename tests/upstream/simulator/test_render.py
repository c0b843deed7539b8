# SPDX-License-Identifier: Apache-2.0
"""The two forms of an answer, key by key."""

from typing import Any

import orjson
import pytest

from trunkline_server.upstream.simulator.render import Envelope, render_stream, render_whole
from trunkline_server.upstream.simulator.script import Call, Choice, Picture, Reasoning, Segment, Text

HEAD = {"created": 7, "id": "i", "model": "m", "system_fingerprint": "sim-1"}
THOUGHT = Reasoning(tokens=["a", " b"], detail_id="r", signature="s", shown=True)
CALL = Call(position=0, call_id="c", name="f", tokens=["{", "}"])
USAGE = {"prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0}}


def envelope(**keys: Any) -> Envelope:
    """What stands around the choices in these tests."""
    given = {
        "answer_id": "i",
        "created_s": 7,
        "model": "m",
        "service_tier": None,
        "prompt_tokens": 5,
        "alternatives": None,
    }
    return Envelope(**{**given, **keys})


def whole(*segments: Segment) -> Any:
    """The whole form of one choice."""
    return orjson.loads(b"".join(render_whole(envelope(), [Choice(index=0, segments=segments, finish="stop")])))


def deltas(*segments: Segment, finish: str | None = "stop") -> list[Any]:
    """The deltas of one choice's stream."""
    events = render_stream(envelope(), [Choice(index=0, segments=segments, finish=finish)], with_usage=False)
    return [orjson.loads(event.data)["choices"][0]["delta"] for event in events]


def test_a_whole_answer_has_every_key() -> None:
    """Nothing that strict readers require is missing."""
    assert whole(Text(tokens=["Hi", " there"])) == {
        **HEAD,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi there", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7, **USAGE},
    }


def test_a_stream_has_every_key() -> None:
    """finish_reason is null until the last content, and usage comes alone, after it."""
    events = [
        orjson.loads(event.data)
        for event in render_stream(envelope(), [Choice(index=0, segments=[Text(tokens=["Hi"])], finish="stop")])
    ]
    head = {**HEAD, "object": "chat.completion.chunk"}
    choices = [
        {"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None},
        {"index": 0, "delta": {"content": "Hi"}, "logprobs": None, "finish_reason": None},
        {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"},
    ]
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6, **USAGE}
    assert events == [*({**head, "choices": [choice]} for choice in choices), {**head, "choices": [], "usage": usage}]


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ((), {"content": None}),
        ((Text(tokens=[]),), {"content": ""}),
        (
            (THOUGHT,),
            {
                "content": None,
                "reasoning": "a b",
                "reasoning_details": [
                    {
                        "type": "reasoning.text",
                        "text": "a b",
                        "id": "r",
                        "signature": "s",
                        "format": "unknown",
                        "index": 0,
                    }
                ],
            },
        ),
        (
            (CALL,),
            {
                "content": None,
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
        ),
        ((Picture(url="u"),), {"content": None, "images": [{"type": "image_url", "image_url": {"url": "u"}}]}),
    ],
)
def test_whole_messages(segments: tuple[Segment, ...], expected: dict[str, Any]) -> None:
    """Content is null where there is no text, and each kind of segment has its key."""
    assert whole(*segments)["choices"][0]["message"] == {"role": "assistant", "refusal": None, **expected}


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ((), [{"role": "assistant", "content": None}, {}]),
        (
            (THOUGHT, Text(tokens=["x"])),
            [
                {"role": "assistant", "content": ""},
                {
                    "reasoning": "a",
                    "reasoning_details": [
                        {"type": "reasoning.text", "text": "a", "id": "r", "format": "unknown", "index": 0}
                    ],
                },
                {
                    "reasoning": " b",
                    "reasoning_details": [{"type": "reasoning.text", "text": " b", "format": "unknown", "index": 0}],
                },
                {"reasoning_details": [{"type": "reasoning.text", "signature": "s", "format": "unknown", "index": 0}]},
                {"content": "x"},
                {},
            ],
        ),
        (
            (CALL,),
            [
                {"role": "assistant", "content": None},
                {
                    "tool_calls": [
                        {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
                    ]
                },
                {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]},
                {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]},
                {},
            ],
        ),
    ],
)
def test_streamed_deltas(segments: tuple[Segment, ...], expected: list[Any]) -> None:
    """Ids and names come once, at the start of what they name."""
    assert deltas(*segments) == expected


def test_hidden_thoughts_are_not_shown() -> None:
    """They count and leave no trace in either form."""
    hidden = Reasoning(tokens=["a"], detail_id="r", signature="s", shown=False)
    answer = whole(hidden)
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": None, "refusal": None}
    assert answer["usage"]["completion_tokens_details"] == {"reasoning_tokens": 1}
    assert deltas(hidden) == [{"role": "assistant", "content": None}, {}]


def test_a_stream_without_finish_just_stops() -> None:
    """Without a finish there is no chunk for it."""
    assert deltas(Text(tokens=["a"]), finish=None) == [{"role": "assistant", "content": ""}, {"content": "a"}]


def test_tokens_are_marked_for_pacing() -> None:
    """Roles, signatures, images, finishes and usage bring no token."""
    choice = Choice(index=0, segments=[THOUGHT, Text(tokens=["x"]), Picture(url="u")], finish="stop")
    events = render_stream(envelope(), [choice])
    assert [event.has_token for event in events] == [False, True, True, False, True, False, False, False]


def test_the_tier_that_served_is_told_to_those_who_ask() -> None:
    """There is only one tier, whatever was asked for."""
    assert envelope(service_tier="flex").head("x")["service_tier"] == "default"
    assert "service_tier" not in envelope().head("x")


def test_usage_can_be_left_out() -> None:
    """Without usage the key is absent, and so is the stream's last chunk."""
    choice = Choice(index=0, segments=[], finish="stop")
    assert "usage" not in orjson.loads(b"".join(render_whole(envelope(), [choice], with_usage=False)))
    assert len(list(render_stream(envelope(), [choice], with_usage=False))) == 2
