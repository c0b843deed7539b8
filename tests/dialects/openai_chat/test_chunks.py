# SPDX-License-Identifier: Apache-2.0
"""JSON values made regular. test_stream.py plays whole streams; here stands what a single value shows."""

from typing import Any

import orjson
import pytest

from support.answer_cuts import make_codec
from trunkline_server.core.errors import reason_name
from trunkline_server.dialects.openai_chat.chunks import ChunkReader

CODEC = make_codec()


def read_all(*values: object) -> list[dict[str, Any] | None]:
    """The chunks of some values as a client would see them, None for a value that adds nothing."""
    reader = ChunkReader(CODEC, {})
    chunks = [reader.read(value) for value in values]
    return [None if chunk is None else orjson.loads(CODEC.dump(chunk)) for chunk in chunks]


def test_the_provider_is_quoted() -> None:
    """Id, time, model and marks are the provider's own; unknown keys of choice and delta are kept."""
    value = {
        "id": "chatcmpl-1",
        "object": "whatever",
        "created": 1764000000,
        "model": "m",
        "system_fingerprint": "fp",
        "service_tier": "flex",
        "obfuscation": "x",
        "choices": [{"index": 0, "delta": {"content": "a", "new": [1]}, "finish_reason": None, "token_ids": [5]}],
    }
    assert read_all(value) == [
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1764000000,
            "model": "m",
            "choices": [
                {
                    "index": 0,
                    "delta": {"role": "assistant", "content": "a", "new": [1]},
                    "finish_reason": None,
                    "token_ids": [5],
                }
            ],
            "system_fingerprint": "fp",
            "service_tier": "flex",
        }
    ]


@pytest.mark.parametrize("key", ["reasoning", "reasoning_content"])
def test_reasoning_is_told_as_text_and_as_detail(key: str) -> None:
    """Reasoning that came as text alone has a detail, too, which clients send back; one that came with details keeps those."""
    own = {"type": "reasoning.text", "text": "hm", "format": "anthropic-claude-v1", "signature": "s", "index": 0}
    said = {"choices": [{"index": 0, "delta": {key: "hm"}}]}
    signed = {"choices": [{"index": 0, "delta": {key: "hm", "reasoning_details": [own]}}]}
    empty = {"choices": [{"index": 0, "delta": {key: "", "content": "a"}}]}
    deltas = [chunk["choices"][0]["delta"] for chunk in read_all(said, signed, empty) if chunk]
    made = {"type": "reasoning.text", "text": "hm", "format": "unknown", "index": 0}
    assert [delta.get("reasoning_details") for delta in deltas] == [[made], [own], None]
    assert [delta["reasoning"] for delta in deltas[:2]] == ["hm", "hm"]


def test_the_role_comes_once_and_first() -> None:
    """The first chunk of a choice has the role, no other has."""
    said = {"role": "assistant", "content": "a"}
    chunks = read_all(
        *({"choices": [{"delta": dict(said)}]} for _ in range(3)), {"choices": [{"index": 1, "delta": {}}]}
    )
    roles = [chunk["choices"][0]["delta"].get("role") for chunk in chunks if chunk is not None]
    assert roles == ["assistant", None, None, "assistant"]


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"choices": []},
        {"choices": None},
        {"choices": [3]},
        {"choices": {}},
        {"choices": [], "usage": {}},
        {"error": {}, "choices": []},
    ],
    ids=repr,
)
def test_what_adds_nothing_is_no_chunk(value: dict[str, object]) -> None:
    """A value without choices and usage makes no chunk and is no failure."""
    assert read_all(value) == [None]


def test_a_message_counts_as_a_delta() -> None:
    """A whole answer is one event whose choices hold a message."""
    (chunk,) = read_all(
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]}
    )
    assert chunk is not None
    assert chunk["choices"][0]["delta"] == {"role": "assistant", "content": "Hi"}


def test_usage_is_emitted_where_it_comes() -> None:
    """The decoder does not hold usage back; it may come more than once."""
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    chunks = read_all({"choices": [{"delta": {}}], "usage": dict(usage)}, {"usage": dict(usage)})
    assert [chunk is not None and chunk["usage"]["total_tokens"] for chunk in chunks] == [3, 3]


def test_end_closes_what_is_open() -> None:
    """When the provider says that it is done, each open choice gets a finish of its own."""
    reader = ChunkReader(CODEC, {})
    reader.read(
        {
            "choices": [
                {"index": 2, "delta": {"content": "a"}},
                {"index": 0, "delta": {"content": "b"}, "finish_reason": "stop"},
            ]
        }
    )
    assert not reader.is_complete
    assert [[(choice.index, choice.finish_reason) for choice in chunk.choices] for chunk in reader.end()] == [[(2, 1)]]
    assert reader.is_complete


def test_end_of_nothing_is_a_failure() -> None:
    """An answer in which nobody said anything and nothing finished is none."""
    reader = ChunkReader(CODEC, {})
    assert reader.end() == []
    assert reader.failure is not None
    assert reason_name(reader.failure.reason) == "PROVIDER_INVALID_RESPONSE"


def test_a_finish_of_failure_names_the_providers_word() -> None:
    """A finish reason that stands for a failure is the failure's provider code."""
    reader = ChunkReader(CODEC, {})
    assert reader.read({"choices": [{"delta": {}, "finish_reason": "insufficient_system_resource"}]}) is None
    assert reader.failure is not None
    assert reader.failure.provider_code == "insufficient_system_resource"
