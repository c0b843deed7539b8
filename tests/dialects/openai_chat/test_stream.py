# SPDX-License-Identifier: Apache-2.0
"""Streams of openai_chat with the oddities of real servers, each cut in every way."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.answer_cuts import cuts, make_codec, play, play_every_way, tell
from support.golden import Golden
from trunkline_server.core.chunks import has_content
from trunkline_server.dialects.openai_chat.stream import StreamDecoder

CODEC = make_codec()
DONE = b"data: [DONE]\n\n"


def make_decoder() -> StreamDecoder:
    """A decoder for one stream."""
    return StreamDecoder(CODEC, {})


def event(**value: Any) -> bytes:
    """An event with these members."""
    return b"data: " + json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def chunk(delta: object, finish: object = None, **rest: object) -> bytes:
    """An event with one choice."""
    return event(choices=[{"index": 0, "delta": delta, "finish_reason": finish}], **rest)


def say(text: str) -> bytes:
    """An event that adds text."""
    return chunk({"content": text})


STOP = chunk({}, "stop")
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
HI = {"choice 0": {"text": "Hi", "finish": "stop", "native": "stop"}}
HI_USED = {**HI, "usage": (3, 2, 5)}

ENDS = [
    ("as OpenAI does", say("Hi") + STOP + event(choices=[], usage=USAGE) + DONE, HI_USED),
    ("F36 no DONE", say("Hi") + STOP, HI),
    ("F35 no blank line at the end", say("Hi") + STOP.rstrip(), HI),
    ("F35 usage without a blank line", say("Hi") + STOP + event(choices=[], usage=USAGE).rstrip(), HI_USED),
    ("cut after the finish", say("Hi") + STOP + event(choices=[], usage=USAGE)[:-9], HI),
    ("DONE without a blank line", say("Hi") + STOP + b"data: [DONE]", HI),
    ("DONE with spaces", say("Hi") + STOP + b"data:  [done] \n\n", HI),
    ("F38 data after DONE", say("Hi") + STOP + DONE + say("no") + b"data: {broken\n\n", HI),
    ("DONE without a finish", say("Hi") + DONE, {"choice 0": {"text": "Hi", "finish": "stop"}}),
    ("F41 usage in the finish chunk", say("Hi") + chunk({}, "stop", usage=USAGE) + DONE, HI_USED),
    (
        "F41 usage in every chunk",
        chunk({"content": "Hi"}, usage={"prompt_tokens": 3, "completion_tokens": 1}) + chunk({}, "stop", usage=USAGE),
        HI_USED,
    ),
    ("usage before the finish", say("Hi") + event(choices=[], usage=USAGE) + STOP, HI_USED),
    (
        "usage inside the choice",
        say("Hi") + event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop", "usage": USAGE}]) + DONE,
        HI_USED,
    ),
    ("usage null", chunk({"content": "Hi"}, usage=None) + STOP, HI),
    ("F42 usage negative", say("Hi") + chunk({}, "stop", usage={**USAGE, "completion_tokens": -2}), HI),
    ("F42 usage a string", say("Hi") + chunk({}, "stop", usage="3"), HI),
    ("F48 two finishes", say("Hi") + STOP + chunk({}, "length") + DONE, HI),
    ("F48 content after the finish", say("Hi") + STOP + say("no") + DONE, HI),
    (
        "F48 the finish again, with usage",
        say("Hi") + STOP + chunk({"content": ""}, "stop", usage=USAGE) + DONE,
        HI_USED,
    ),
]


@pytest.mark.parametrize(("body", "expected"), [case[1:] for case in ENDS], ids=[case[0] for case in ENDS])
def test_ends(body: bytes, expected: dict[str, object]) -> None:
    """However a server ends its stream, each choice gets one finish and usage is read."""
    assert tell(play_every_way(make_decoder, body)) == expected


ODDITIES = [
    ("F47 finish_reason absent", event(choices=[{"index": 0, "delta": {"content": "Hi"}}]) + STOP, HI),
    (
        "F47 role in each chunk",
        chunk({"role": "assistant", "content": "H"}) + chunk({"role": "assistant", "content": "i"}, "stop"),
        HI,
    ),
    ("F47 delta null", say("Hi") + chunk(None) + chunk(None, "stop"), HI),
    ("delta absent", say("Hi") + event(choices=[{"index": 0, "finish_reason": "stop"}]), HI),
    ("F47 choices absent", event(id="x") + say("Hi") + event(object="ping") + STOP, HI),
    ("F47 choices null", event(choices=None) + say("Hi") + STOP, HI),
    ("choices empty, as Azure begins", event(choices=[], prompt_filter_results=[{}]) + say("Hi") + STOP, HI),
    ("index absent", event(choices=[{"delta": {"content": "Hi"}}]) + event(choices=[{"finish_reason": "stop"}]), HI),
    ("a finish of an empty string", chunk({"content": "Hi"}, "") + STOP, HI),
    ("a finish of the word null", chunk({"content": "Hi"}, "null") + STOP, HI),
    ("a finish that is no string", chunk({"content": "Hi"}, False) + STOP, HI),
    ("a choice that is no object", event(choices=[None, 1]) + say("Hi") + STOP, HI),
    ("content null", chunk({"role": "assistant", "content": None}) + say("Hi") + STOP, HI),
    ("F33 comments and other fields", b": ping\n\nid: 1\nretry: 3\n" + say("Hi") + b": ping\n\n" + STOP, HI),
    ("events named message", b"event: message\n" + say("Hi") + STOP, HI),
    ("empty data", b"data: \n\n" + say("Hi") + b"data:\n\n" + STOP, HI),
    ("F34 data in several lines", b'data: {"choices":\ndata: [{"delta":{"content":"Hi"}}]}\n\n' + STOP, HI),
    ("F31 CRLF and a byte order mark", b"\xef\xbb\xbf" + (say("Hi") + STOP).replace(b"\n", b"\r\n"), HI),
    ("error null", event(error=None, choices=[{"delta": {"content": "Hi"}}]) + STOP, HI),
    (
        "F29 F32 characters kept as they are",
        say("é\u2028😀\u0085") + STOP,
        {"choice 0": {"text": "é\u2028😀\u0085", "finish": "stop", "native": "stop"}},
    ),
    (
        "F30 bytes that are no UTF-8",
        say("a?").replace(b"?", b"\xff") + STOP,
        {"choice 0": {"text": "a\ufffd", "finish": "stop", "native": "stop"}},
    ),
    (
        "half of a pair, and a number that JSON lacks",
        b'data: {"choices":[{"delta":{"content":"\\ud83d"},"logprobs":{"content":[{"token":"a","logprob":-Infinity}]}}]}\n\n'
        + STOP,
        {"choice 0": {"text": "\ufffd", "finish": "stop", "native": "stop"}},
    ),
    (
        "two choices, interleaved",
        event(choices=[{"index": 1, "delta": {"content": "b"}}])
        + event(choices=[{"index": 0, "delta": {"content": "a"}}, {"index": 1, "delta": {"content": "B"}}])
        + event(choices=[{"index": 1, "finish_reason": "length"}, {"index": 0, "finish_reason": "stop"}]),
        {
            "choice 0": {"text": "a", "finish": "stop", "native": "stop"},
            "choice 1": {"text": "bB", "finish": "length", "native": "length"},
        },
    ),
    (
        "two choices without index",
        event(
            choices=[
                {"delta": {"content": "a"}, "finish_reason": "stop"},
                {"delta": {"content": "b"}, "finish_reason": "stop"},
            ]
        ),
        {
            "choice 0": {"text": "a", "finish": "stop", "native": "stop"},
            "choice 1": {"text": "b", "finish": "stop", "native": "stop"},
        },
    ),
    (
        "reasoning under its alias",
        chunk({"reasoning_content": "hm", "content": None}) + say("Hi") + STOP,
        {"choice 0": {"text": "Hi", "reasoning": "hm", "finish": "stop", "native": "stop"}},
    ),
    (
        "content in parts",
        chunk(
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                    {"type": "text", "text": "Hi"},
                ]
            }
        )
        + STOP,
        {"choice 0": {"text": "Hi", "reasoning": "hm", "finish": "stop", "native": "stop"}},
    ),
    (
        "the legacy function call",
        chunk({"function_call": {"name": "f", "arguments": ""}})
        + chunk({"function_call": {"arguments": "{}"}})
        + chunk({}, "function_call"),
        {"choice 0": {"function_call": ("f", "{}"), "finish": "function_call", "native": "function_call"}},
    ),
    (
        "a tool call, id in the first piece only",
        chunk(
            {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}]}
        )
        + chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a":'}}]})
        + chunk({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]})
        + chunk({}, "tool_calls"),
        {"choice 0": {"calls": [("c1", "f", '{"a":1}')], "finish": "tool_calls", "native": "tool_calls"}},
    ),
    (
        "DONE without a finish after a tool call",
        chunk({"tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}]}) + DONE,
        {"choice 0": {"calls": [("c1", "f", "{}")], "finish": "tool_calls"}},
    ),
]


@pytest.mark.parametrize(("body", "expected"), [case[1:] for case in ODDITIES], ids=[case[0] for case in ODDITIES])
def test_oddities(body: bytes, expected: dict[str, object]) -> None:
    """What servers do differently comes out the same."""
    assert tell(play_every_way(make_decoder, body)) == expected


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("end_turn", "stop"),
        ("eos", "stop"),
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("model_length", "length"),
        ("tool_use", "tool_calls"),
        ("SAFETY", "content_filter"),
        ("never heard of", "stop"),
    ],
)
def test_finish_reasons(said: str, reason: str) -> None:
    """F46: a foreign finish reason becomes the contract's, and the provider's own word is kept."""
    told = tell(play_every_way(make_decoder, chunk({"content": "Hi"}, said)))
    assert told == {"choice 0": {"text": "Hi", "finish": reason, "native": said}}


def test_a_native_finish_reason_is_kept() -> None:
    """A provider that tells both words is believed."""
    body = event(choices=[{"delta": {"content": "Hi"}, "finish_reason": "stop", "native_finish_reason": "end_turn"}])
    assert tell(play_every_way(make_decoder, body)) == {
        "choice 0": {"text": "Hi", "finish": "stop", "native": "end_turn"}
    }


PART = {"choice 0": {"text": "Hi"}}


def call_of(arguments: str) -> bytes:
    """The first piece of a tool call, with the beginning of its arguments."""
    function = {"name": "f", "arguments": arguments}
    return chunk({"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": function}]})


@pytest.mark.parametrize(
    ("body", "error", "is_finished"),
    [
        pytest.param(call_of('{"x"') + DONE, "PROVIDER_UNAVAILABLE", False, id="cut"),
        pytest.param(call_of('{"x"') + call_of(": 1}") + DONE, None, True, id="whole in two pieces"),
        pytest.param(call_of("") + DONE, None, True, id="no arguments"),
        pytest.param(call_of('{"x"') + chunk({}, "tool_calls") + DONE, None, True, id="finished all the same"),
    ],
)
def test_a_call_without_a_finish(body: bytes, error: str | None, is_finished: bool) -> None:
    """Where a server leaves the finish out, a call that ends in the middle of its arguments tells that the answer was cut."""
    outcome = play(make_decoder(), [body])
    told = [choice.HasField("finish_reason") for part in outcome.chunks for choice in part.choices]
    assert any(told) == is_finished
    assert tell(outcome).get("error") == error


FAILURES = [
    ("F18 nothing", b"", {"error": "PROVIDER_UNAVAILABLE"}),
    ("only comments", b": ping\n\n", {"error": "PROVIDER_UNAVAILABLE"}),
    ("nothing but DONE", DONE, {"error": "PROVIDER_INVALID_RESPONSE"}),
    (
        "a role and DONE",
        chunk({"role": "assistant", "content": ""}) + DONE,
        {"choice 0": {}, "error": "PROVIDER_INVALID_RESPONSE"},
    ),
    ("F37 no finish", say("Hi"), {**PART, "error": "PROVIDER_UNAVAILABLE"}),
    ("F37 cut inside an event", say("Hi") + STOP[:-20], {**PART, "error": "PROVIDER_UNAVAILABLE"}),
    (
        "one of two choices without a finish",
        event(choices=[{"index": 1, "delta": {"content": "b"}}]) + chunk({"content": "Hi"}, "stop"),
        {"choice 0": HI["choice 0"], "choice 1": {"text": "b"}, "error": "PROVIDER_UNAVAILABLE"},
    ),
    ("F39 garbage", say("Hi") + b"data: {broken\n\n" + STOP + DONE, {**PART, "error": "PROVIDER_INVALID_RESPONSE"}),
    (
        "JSON that is no object",
        say("Hi") + b"data: [1]\n\n" + STOP + DONE,
        {**PART, "error": "PROVIDER_INVALID_RESPONSE"},
    ),
    ("an index beyond reason", event(choices=[{"index": 128, "delta": {}}]), {"error": "PROVIDER_INVALID_RESPONSE"}),
    (
        "a negative index",
        say("Hi") + event(choices=[{"index": -1, "delta": {}}]),
        {**PART, "error": "PROVIDER_INVALID_RESPONSE"},
    ),
    (
        "an error event",
        say("Hi") + event(error={"message": "m", "code": 429}) + DONE,
        {**PART, "error": "RATE_LIMIT_EXCEEDED"},
    ),
    (
        "an error event beside a choice, as OpenRouter sends it",
        say("Hi")
        + event(
            error={"code": 502, "message": "m"},
            choices=[{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
        ),
        {**PART, "error": "PROVIDER_UNAVAILABLE"},
    ),
    (
        "an error event of vLLM",
        event(object="error", message="m", code=400, type="BadRequestError"),
        {"error": "INVALID_REQUEST"},
    ),
    (
        "an event of the type error",
        say("Hi") + b'event: error\ndata: {"code": 503}\n\n',
        {**PART, "error": "PROVIDER_OVERLOADED"},
    ),
    ("an error that is text", say("Hi") + event(error="no"), {**PART, "error": "PROVIDER_UNAVAILABLE"}),
    ("the finish error", say("Hi") + chunk({}, "error"), {**PART, "error": "PROVIDER_UNAVAILABLE"}),
    ("content with the finish error", chunk({"content": "Hi"}, "error"), {**PART, "error": "PROVIDER_UNAVAILABLE"}),
    (
        "an error inside the choice",
        say("Hi") + event(choices=[{"delta": {}, "finish_reason": "error", "error": {"code": 504}}]),
        {**PART, "error": "PROVIDER_TIMEOUT"},
    ),
]


@pytest.mark.parametrize(("body", "expected"), [case[1:] for case in FAILURES], ids=[case[0] for case in FAILURES])
def test_failures(body: bytes, expected: dict[str, object]) -> None:
    """A failure is raised after all that came before it, however the stream is cut."""
    assert tell(play_every_way(make_decoder, body)) == expected


def test_an_event_too_long_is_a_failure() -> None:
    """F25: an event beyond the limit ends the stream; what came before it counts."""
    outcome = play(make_decoder(), [say("Hi") + b"data: " + b"x" * (1 << 20) + b"\n\n" + STOP])
    assert tell(outcome) == {**PART, "error": "PROVIDER_INVALID_RESPONSE"}


def test_finished_is_known_at_once() -> None:
    """Nobody has to wait for another block to learn that the stream is over, well or badly."""
    whole, failed = make_decoder(), make_decoder()
    assert [has_content(one) for one in whole.feed(say("Hi") + STOP + DONE)] == [True, True]
    assert whole.finished
    assert len(failed.feed(say("Hi") + b"data: {broken\n\n")) == 1
    assert failed.finished


def test_every_cut_of_a_stream_is_noticed() -> None:
    """P-10: a stream cut anywhere before its finish is a failure, never a shorter answer."""
    body = say("Hi") + say(" there") + STOP
    silent = [end for end in range(len(body) - len(b'"}]}\n\n')) if play(make_decoder(), [body[:end]]).error is None]
    assert silent == []


LOGPROBS = {"content": [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}], "refusal": None}
PNG = "data:image/png;base64,AAAA"
CITATION = {"type": "url_citation", "url_citation": {"url": "https://example.com", "title": "t", "end_index": 3}}
FULL_USAGE = {
    **USAGE,
    "prompt_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 1, "audio_tokens": 1},
    "completion_tokens_details": {
        "reasoning_tokens": 1,
        "audio_tokens": 1,
        "accepted_prediction_tokens": 1,
        "rejected_prediction_tokens": 0,
        "image_tokens": 1,
    },
}


def test_everything_that_a_delta_can_hold(golden: Golden) -> None:
    """Log probabilities, pictures, sound, citations, a refusal, the tier that served and the fate of a prediction reach the client as they came."""
    body = b"".join(
        [
            event(
                service_tier="priority",
                system_fingerprint="fp_1",
                choices=[{"index": 0, "delta": {"role": "assistant", "content": "a"}, "logprobs": LOGPROBS}],
            ),
            chunk({"images": [{"type": "image_url", "image_url": {"url": PNG}, "index": 0}]}),
            chunk({"audio": {"id": "audio_1", "transcript": "he"}}),
            chunk({"audio": {"data": "AAAA"}}),
            chunk({"audio": {"data": "BBBB", "expires_at": 1764000000}}),
            chunk({"annotations": [CITATION]}),
            chunk({"refusal": "no"}),
            STOP,
            event(choices=[], usage=FULL_USAGE),
            DONE,
        ]
    )
    outcome = play_every_way(make_decoder, body)
    golden.check_json("openai_chat/stream_everything.json", [json.loads(CODEC.dump(item)) for item in outcome.chunks])


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "index",
                    "finish_reason",
                    "tool_calls",
                    "function",
                    "id",
                    "content",
                    "usage",
                    "error",
                    "message",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(values=st.lists(JSON_VALUES, max_size=5), tail=st.binary(max_size=20))
def test_nothing_but_gateway_error(values: list[object], tail: bytes) -> None:
    """Whatever a server sends, the decoder raises nothing but GatewayError, and one outcome for all cuts."""
    body = b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values) + tail
    outcomes = {repr(play(make_decoder(), blocks).essence) for blocks in [[body], [body[:7], body[7:]]]}
    assert len(outcomes) == 1


def test_cuts_include_every_boundary() -> None:
    """A body is cut whole, into bytes, and at each boundary."""
    assert list(cuts(b"abc")) == [[b"abc"], [b"a", b"b", b"c"], [b"a", b"bc"], [b"ab", b"c"]]
