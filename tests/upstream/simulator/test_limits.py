# SPDX-License-Identifier: Apache-2.0
"""Bounds: what is refused, how the refusal says it, and how much is done in one go."""

from typing import Any

import orjson
import pytest

from support.simulator import CREATED_S, ask, ask_stream, finish, fold_stream, make_body, read_whole, reply_to
from trunkline_server.catalog.load import read_builtin
from trunkline_server.upstream.simulator.limits import (
    CONTEXT_LENGTH,
    MAX_COST,
    MAX_DETAILS,
    MAX_ITEMS,
    MAX_NAME,
    MAX_SCHEMA,
    MAX_STOP,
    MAX_TOOLS,
    MAX_TOOLS_TEXT,
    MAX_URL,
    SLICE,
    token_cost,
)
from trunkline_server.upstream.simulator.reply import PATH, Reply, make_reply

LARGEST_ANSWER = 32 << 20
"""Bytes that the gateway takes from a provider in one piece."""
WIDEST = ["\u3000" * 8 + "\U0001f600" * 16, "\x1f" * 8 + "\x01" * 16]
"""Tokens whose JSON text is as long as can be: as bytes in log probabilities, and as text."""
DOUBLING = {
    "$ref": "#/$defs/d0",
    "$defs": {
        **{
            f"d{level}": {
                "type": "object",
                "properties": {side: {"$ref": f"#/$defs/d{level + 1}"} for side in ("a", "b")},
                "required": ["a", "b"],
            }
            for level in range(25)
        },
        "d25": {"type": "string"},
    },
}


def make_slices(*args: Any, **keys: Any) -> tuple[Reply, list[int]]:
    """The reply, and what each slice before its head did."""
    slices: list[int] = []
    return finish(make_reply(PATH, make_body(*args, **keys), CREATED_S), slices), slices


def refusal(*args: Any, **keys: Any) -> tuple[int, str | None, str | None, str]:
    """The status, `param`, `code` and message of an error."""
    reply = reply_to(*args, **keys)
    error = orjson.loads(read_whole(reply))["error"]
    return reply.status, error["param"], error["code"], error["message"]


def tool(name: str = "x", **parameters: Any) -> dict[str, Any]:
    """A function that may be called."""
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def schema_format(schema: Any) -> dict[str, Any]:
    """A response_format with a schema."""
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


def test_the_context_is_that_of_the_catalog() -> None:
    """What is refused and what the models' rows promise is one number."""
    assert {row["context_length"] for row in read_builtin("simulator")["models"]} == {CONTEXT_LENGTH}


@pytest.mark.parametrize(
    ("keys", "param"),
    [
        ({"n": 128, "logprobs": True, "top_logprobs": 20}, "n"),
        ({"n": 8, "logprobs": True, "top_logprobs": 20}, "n"),
        ({"n": 8, "stream": True, "logprobs": True, "top_logprobs": 20}, "n"),
        ({"n": 128, "max_tokens": 1563}, "n"),
        (
            {"logprobs": True, "top_logprobs": 20, "messages": [{"role": "user", "content": "word " * 7143}]},
            "top_logprobs",
        ),
        ({"messages": [{"role": "user", "content": "word " * (MAX_COST + 1)}]}, "max_tokens"),
        ({"messages": [{"role": "user", "content": "word " * (MAX_COST + 1)}], "stop": ["x"]}, "max_tokens"),
    ],
)
def test_too_large_answers_are_refused(keys: dict[str, Any], param: str) -> None:
    """The refusal points at what costs most, gives the bound, and names all that can be lowered."""
    status, named, code, message = refusal("sim/echo", "word " * 2000, **keys)
    assert (status, named, code) == (400, param, "answer_too_large")
    assert all(word in message for word in ("tokens", "max_tokens", "(n)", "top_logprobs"))


@pytest.mark.parametrize(
    "keys",
    [
        {"n": 128, "max_tokens": 1562},
        {"n": 128, "max_tokens": 55, "logprobs": True, "top_logprobs": 20},
        {"n": 8},
        {"n": 100, "stop": ["d word"]},
    ],
)
def test_bounded_answers_are_made(keys: dict[str, Any]) -> None:
    """Just below the bound, and where max_tokens or a stop sequence keeps an answer small, all choices are there."""
    assert len(ask("sim/echo", "word " * 2000, **keys)["choices"]) == keys["n"]


@pytest.mark.parametrize(
    "keys",
    [{"n": 2}, {"max_tokens": 1562}, {"stop": ["d word"]}, {"max_tokens": 50, "logprobs": True, "top_logprobs": 20}],
)
def test_long_streams_equal_whole_answers(keys: dict[str, Any]) -> None:
    """What is made in slices is the same in both forms."""
    assert fold_stream(ask_stream("sim/echo", "word " * 2000, **keys)) == ask("sim/echo", "word " * 2000, **keys)


@pytest.mark.parametrize("text", WIDEST)
@pytest.mark.parametrize("alternatives", [None, 0, 1, 20])
def test_the_largest_answers_fit_through_the_gateway(text: str, alternatives: int | None) -> None:
    """An answer that costs all it may has less bytes than the gateway takes, and comes in blocks."""
    keys = {} if alternatives is None else {"logprobs": True, "top_logprobs": alternatives}
    content = text * ((MAX_COST - 10) // token_cost(alternatives))
    sizes = [len(block.data) for block in reply_to("sim/echo", content, **keys).blocks]
    assert sum(sizes) < LARGEST_ANSWER
    assert max(sizes) < 4 << 20


@pytest.mark.parametrize(
    ("unit", "count", "images"),
    [
        ("a ", 12 * CONTEXT_LENGTH + 1, 0),
        ("a ", CONTEXT_LENGTH, 0),
        ("a", 16 * CONTEXT_LENGTH, 0),
        (" a", CONTEXT_LENGTH - 8000 * 64, 8000),
    ],
)
def test_prompts_beyond_the_context_are_refused(unit: str, count: int, images: int) -> None:
    """Whether its characters or its tokens are too many, the refusal gives the bound; max_tokens does not help."""
    said = [{"type": "image_url", "image_url": {"url": "x"}}] * images + [{"type": "text", "text": unit * count}]
    status, param, code, message = refusal("sim/echo", said, max_tokens=5)
    assert (status, param, code) == (400, "messages", "context_length_exceeded")
    assert str(CONTEXT_LENGTH) in message


def test_a_prompt_of_hopeless_length_is_not_counted() -> None:
    """With more characters than the longest tokens could hold, nothing is counted; else counting ends at the bound."""
    hopeless = make_slices("sim/echo", "a " * (12 * CONTEXT_LENGTH + 1))[1]
    counted = make_slices("sim/echo", "a " * (4 * CONTEXT_LENGTH))[1]
    assert sum(hopeless) <= 2 * SLICE
    assert CONTEXT_LENGTH - 2 * SLICE < sum(counted) < CONTEXT_LENGTH + 2 * SLICE


def test_the_longest_prompt_is_taken() -> None:
    """A prompt that just fits is answered, and counted to the token: one for the message and those of the text."""
    reply, slices = make_slices("sim/echo", "a" + " a" * (CONTEXT_LENGTH - 2), max_tokens=5)
    assert orjson.loads(read_whole(reply))["usage"]["prompt_tokens"] == CONTEXT_LENGTH
    assert max(slices) <= 2 * SLICE


@pytest.mark.parametrize(
    "keys",
    [
        {"messages": [{"role": "user", "content": "a " * 190_000}]},
        {"messages": [{"role": "user", "content": "{}" * 95_000}], "response_format": {"type": "json_object"}},
        {"messages": [{"role": "user", "content": "a "}] * MAX_ITEMS},
        {"n": 128, "response_format": schema_format({"type": "array", "items": {"type": "string"}, "minItems": 50})},
        {"tools": [tool(str(number)) for number in range(MAX_TOOLS)], "tool_choice": "required"},
    ],
)
def test_work_gives_way(keys: dict[str, Any]) -> None:
    """However much there is to do before the head, no slice is larger than twice SLICE."""
    reply, slices = make_slices("sim/json", **keys)
    assert (reply.status, max(slices) <= 2 * SLICE) == (200, True)


@pytest.mark.parametrize(
    ("keys", "least"),
    [
        ({"logprobs": True, "top_logprobs": 20}, 100),
        ({"logprobs": True, "top_logprobs": 20, "model": "sim/fault?cut_after=0"}, 100),
        ({"logprobs": True, "top_logprobs": 20, "model": "sim/fault?malformed_at=1"}, 100),
    ],
)
def test_whole_answers_are_made_in_blocks(keys: dict[str, Any], least: int) -> None:
    """Between two blocks there is little work: 7,000 tokens with all their alternatives take many, even where the end is cut off."""
    model = keys.get("model", "sim/echo")
    blocks = reply_to(**{"model": model, "said": "word " * 7000, **keys}).blocks
    assert sum(1 for _ in blocks) > least


def test_streams_are_made_block_by_block() -> None:
    """No block of a stream has more than 16 events."""
    blocks = reply_to("sim/echo", "word " * 2000, stream=True, n=3, logprobs=True, top_logprobs=20).blocks
    assert max(block.data.count(b"\n\n") for block in blocks) == 16


@pytest.mark.parametrize(
    ("keys", "param"),
    [
        ({"messages": [{"role": "user", "content": "x"}] * (MAX_ITEMS + 1)}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}] * MAX_ITEMS}]}, "messages"),
        ({"messages": [{"role": "assistant", "tool_calls": [{}] * MAX_ITEMS}]}, "messages"),
        ({"messages": [{"role": "assistant", "reasoning_details": [{}] * (MAX_DETAILS + 1)}]}, "messages"),
        ({"tools": [tool()] * (MAX_TOOLS + 1)}, "tools"),
        ({"tools": [tool(title="x" * 100_000)] * (MAX_TOOLS_TEXT // 100_000 + 1)}, "tools"),
        ({"tools": [tool("x" * (MAX_NAME + 1))]}, "tools[0].function.name"),
        ({"tools": [tool(title="x" * MAX_SCHEMA)]}, "tools[0].function.parameters"),
        ({"response_format": schema_format({"enum": ["x" * MAX_SCHEMA]})}, "response_format.json_schema.schema"),
        ({"stop": ["x" * (MAX_STOP + 1)]}, "stop"),
        ({"response_format": schema_format(DOUBLING)}, None),
    ],
)
def test_other_bounds(keys: dict[str, Any], param: str | None) -> None:
    """Each refusal names the place and says that there is more than is read."""
    status, named, _, message = refusal("sim/json", **keys)
    assert (status, named, "more than" in message) == (400, param, True)


@pytest.mark.parametrize(
    ("before", "unit", "behind"),
    [("http://x/", "x", ""), ("data:,", "%41", ""), ("data:", ";", ","), ("data:", "x", ";base64,")],
)
def test_long_urls_are_base64(before: str, unit: str, behind: str) -> None:
    """Anything else in a URL is dear to read, and refused beyond a bound."""
    url = before + unit * (MAX_URL + 1) + behind
    status, param, _, message = refusal("sim/vision", [{"type": "image_url", "image_url": {"url": url}}])
    assert (status, param) == (400, "messages[0].content[0].image_url.url")
    assert f"more than {MAX_URL}" in message


def test_a_long_query_is_refused() -> None:
    """A fault script of thousands of settings is not even taken apart."""
    assert refusal("sim/fault?" + "a&" * 10_000)[:3] == (400, "model", "invalid_fault")
