# SPDX-License-Identifier: Apache-2.0
"""What the simulator accepts as a request."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.simulator import CREATED_S, ask, ask_refused, ask_stream, finish
from trunkline_server.upstream.simulator.answers import FAMILIES
from trunkline_server.upstream.simulator.refused import RefusedError
from trunkline_server.upstream.simulator.reply import PATH, make_reply
from trunkline_server.upstream.simulator.request import read_request


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"model": None}, (400, "model", None)),
        ({"model": 3}, (400, "model", None)),
        ({"model": "gpt-4o"}, (404, "model", "model_not_found")),
        ({"model": "sim/nobody"}, (404, "model", "model_not_found")),
        ({"model": "sim/echo?status=500"}, (404, "model", "model_not_found")),
        ({"messages": None}, (400, "messages", None)),
        ({"messages": []}, (400, "messages", None)),
        ({"messages": "hi"}, (400, "messages", None)),
        ({"stream": 1}, (400, "stream", None)),
        ({"n": 0}, (400, "n", None)),
        ({"n": 129}, (400, "n", None)),
        ({"n": True}, (400, "n", None)),
        ({"n": 1.5}, (400, "n", None)),
        ({"max_tokens": 0}, (400, "max_tokens", None)),
        ({"max_completion_tokens": "9"}, (400, "max_completion_tokens", None)),
        ({"stop": ["a", "b", "c", "d", "e"]}, (400, "stop", None)),
        ({"stop": ["a", 1]}, (400, "stop", None)),
        ({"stop": {"a": 1}}, (400, "stop", None)),
        ({"logprobs": "yes"}, (400, "logprobs", None)),
        ({"top_logprobs": 21}, (400, "top_logprobs", None)),
        ({"response_format": "text"}, (400, "response_format", None)),
        ({"response_format": {}}, (400, "response_format.type", None)),
        ({"response_format": {"type": "grammar", "grammar": "x"}}, (400, "response_format.type", None)),
        ({"response_format": {"type": "json_schema"}}, (400, "response_format.json_schema", None)),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": 3}}},
            (400, "response_format.json_schema.schema", None),
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"strict": 3}}},
            (400, "response_format.json_schema.strict", None),
        ),
        ({"reasoning": {"effort": 3}}, (400, "reasoning.effort", None)),
        ({"reasoning": {"max_tokens": -1}}, (400, "reasoning.max_tokens", None)),
        ({"modalities": "image"}, (400, "modalities", None)),
        ({"modalities": [1]}, (400, "modalities", None)),
        ({"service_tier": 1}, (400, "service_tier", None)),
        ({"messages": [{"role": "user", "content": "x"}], "stop": [[[[[[[[[]]]]]]]]]}, (400, "stop", None)),
    ],
)
def test_wrong_values_are_refused_by_their_path(keys: dict[str, Any], expected: tuple[int, str, str | None]) -> None:
    """The error names the value's place; an unknown model is a 404."""
    assert ask_refused(**{"model": "sim/echo", **keys}) == expected


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b"null", b"[" * 2000])
def test_bodies_that_are_no_object_are_refused(body: bytes) -> None:
    """What is no JSON object gets a 400 about the body as a whole."""
    reply = finish(make_reply(PATH, body, CREATED_S))
    assert (reply.status, orjson.loads(b"".join(block.data for block in reply.blocks))["error"]["param"]) == (400, None)


@pytest.mark.parametrize("key", ["stop", "seed", "messages", "tool_choice", "user"])
def test_values_nested_too_deep_to_be_written_are_refused_or_ignored(key: str) -> None:
    """The JSON library reads more levels than it writes; the simulator answers either way."""
    deep = b"[" * 900 + b"]" * 900
    body = b'{"messages":[{"role":"user","content":"x"}],"model":"sim/echo","%s":%s}' % (key.encode(), deep)
    assert finish(make_reply(PATH, body, CREATED_S)).status == {"user": 200}.get(key, 400)


def test_null_is_absent() -> None:
    """Keys that are null change nothing."""
    keys = [
        "n",
        "stop",
        "stream",
        "max_tokens",
        "logprobs",
        "tools",
        "tool_choice",
        "response_format",
        "reasoning",
        "modalities",
        "seed",
    ]
    assert ask("sim/echo", **dict.fromkeys(keys)) == ask("sim/echo")


def test_what_is_for_others_is_left_alone() -> None:
    """The gateway's own keys and knobs without meaning change nothing, whatever they hold."""
    keys = [
        "provider",
        "plugins",
        "models",
        "route",
        "session_id",
        "trace",
        "temperature",
        "top_p",
        "user",
        "metadata",
        "stream_options",
    ]
    assert ask("sim/echo", **{key: {"any": ["thing"]} for key in keys}) == ask("sim/echo")


def test_integral_floats_are_integers() -> None:
    """5.0 means 5."""
    assert ask("sim/echo", n=2.0, max_tokens=1.0) == ask("sim/echo", n=2, max_tokens=1)


@pytest.mark.parametrize(
    ("keys", "answers"),
    [
        ({"max_tokens": 1}, ("Hello", "length")),
        ({"max_tokens": 2}, ("Hello big", "length")),
        ({"max_tokens": 3}, ("Hello big world", "stop")),
        ({"max_completion_tokens": 2}, ("Hello big", "length")),
        ({"max_completion_tokens": 2, "max_tokens": 1}, ("Hello big", "length")),
        ({"stop": "big"}, ("Hello ", "stop")),
        ({"stop": ["zzz", "lo b"]}, ("Hel", "stop")),
        ({"stop": ["world", " big w"]}, ("Hello", "stop")),
        ({"stop": "Hello"}, ("", "stop")),
        ({"stop": ""}, ("Hello big world", "stop")),
        ({"stop": []}, ("Hello big world", "stop")),
        ({"stop": "world", "max_tokens": 1}, ("Hello", "length")),
        ({"stop": "big", "max_tokens": 2}, ("Hello ", "stop")),
    ],
)
def test_bounds_cut_the_answer(keys: dict[str, Any], answers: tuple[str, str]) -> None:
    """max_completion_tokens wins over max_tokens; stop sequences are found across tokens and are not part of the answer."""
    choice = ask("sim/echo", **keys)["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == answers


def test_choices_are_numbered_and_equal_where_nothing_is_drawn() -> None:
    """Several choices come with their indices, and usage counts all of them."""
    answer = ask("sim/echo", n=3)
    assert [(choice["index"], choice["message"]["content"]) for choice in answer["choices"]] == [
        (i, "Hello big world") for i in range(3)
    ]
    assert answer["usage"]["completion_tokens"] == 9


def test_choices_of_a_stream_take_turns() -> None:
    """The chunks of several choices are interleaved, one choice a chunk."""
    indices = [[choice["index"] for choice in chunk["choices"]] for chunk in ask_stream("sim/echo", "a b", n=2)[:-1]]
    assert indices == [[0], [1], [0], [1], [0], [1], [0], [1], []]


def test_the_same_request_gives_the_same_bytes_and_other_words_another_id() -> None:
    """Everything but the clock follows from the request; the form of the answer does not change its id."""
    one, again, other = ask("sim/echo"), ask("sim/echo"), ask("sim/echo", "else")
    assert one == again
    assert one["id"] == ask_stream("sim/echo")[0]["id"] != other["id"]


@given(
    value=st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=12,
    ),
    key=st.sampled_from(
        [
            "messages",
            "n",
            "stop",
            "tools",
            "tool_choice",
            "response_format",
            "reasoning",
            "stream",
            "max_tokens",
            "modalities",
            "logprobs",
        ]
    ),
)
def test_no_value_raises_anything_but_a_refusal(value: Any, key: str) -> None:
    """Whatever stands under a key, there is a reply."""
    body = orjson.dumps({"model": "sim/tools", "messages": [{"role": "user", "content": "x"}], key: value})
    assert finish(make_reply(PATH, body, CREATED_S)).status in (200, 400)


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    """Two bodies that mean the same are the same request."""
    one = finish(read_request(b'{"model":"sim/echo","seed":1,"messages":[{"role":"user","content":"x"}]}', FAMILIES))
    other = finish(read_request(b'{"messages":[{"content":"x","role":"user"}],"seed":1,"model":"echo"}', FAMILIES))
    assert one.digest == other.digest


def test_an_unknown_model_is_told_what_there_is() -> None:
    """The message lists the models."""
    with pytest.raises(RefusedError, match="sim/echo, sim/tools"):
        finish(read_request(b'{"model":"x","messages":[]}', FAMILIES))
