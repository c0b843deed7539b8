# SPDX-License-Identifier: Apache-2.0
"""What a chunk of a stream costs in each dialect, beside openai_chat, whose chunks need the least translation.

An ordinary run decodes each stream once; `make test-all` measures, and prints the ratios at the end. No test fails by a time: the machine is not ours.
"""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from support.answer_cuts import make_codec, play, tell
from trunkline_server.dialects.registry import DIALECT_NAMES, make_dialects

DIALECTS = make_dialects(make_codec())
MOST_TIMES = 2.5
"""How much dearer than openai_chat's an Anthropic chunk may be."""
WORDS = [f" word{number}" for number in range(400)]
TEXT = "".join(WORDS)
HEADERS = {"content-type": "text/event-stream"}


def data(value: object) -> bytes:
    """An event without a type."""
    return b"data: " + orjson.dumps(value) + b"\n\n"


def event(value: dict[str, Any]) -> bytes:
    """An event whose type stands in both places."""
    return b"event: " + value["type"].encode() + b"\n" + data(value)


def openai_chat() -> list[bytes]:
    """The stream as OpenAI writes it."""
    head = {
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1763800000, "model": "gpt-5.6",
        "service_tier": "default", "system_fingerprint": None, "usage": None,
    }  # fmt: skip

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return data({**head, "choices": [choice], "obfuscation": "x8Nq2"})

    usage = {"prompt_tokens": 9, "completion_tokens": 400, "total_tokens": 409}
    said = [chunk({"content": word}) for word in WORDS]
    last = data({**head, "choices": [], "usage": usage})
    return [chunk({"role": "assistant", "content": ""}), *said, chunk({}, "stop"), last, b"data: [DONE]\n\n"]


def anthropic() -> list[bytes]:
    """The stream as Anthropic writes it."""
    message = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 1},
    }  # fmt: skip
    said = [
        event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}})
        for word in WORDS
    ]
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    return [
        event({"type": "message_start", "message": message}),
        event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        *said,
        event({"type": "content_block_stop", "index": 0}),
        event({"type": "message_delta", "delta": ended, "usage": {"output_tokens": 400}}),
        event({"type": "message_stop"}),
    ]


def gemini() -> list[bytes]:
    """The stream as Google writes it."""
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 400, "totalTokenCount": 409}

    def part(text: str, **more: Any) -> bytes:
        candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0, **more}
        return data(
            {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-3-pro", "responseId": "r-1"}
        )

    return [*map(part, WORDS[:-1]), part(WORDS[-1], finishReason="STOP")]


def openai_responses() -> list[bytes]:
    """The stream of the Responses API."""
    answer: dict[str, Any] = {"id": "resp_1", "object": "response", "created_at": 1763800000, "model": "gpt-5.6"}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    part = {"type": "output_text", "text": "", "annotations": []}
    whole = {**item, "status": "completed", "content": [{**part, "text": TEXT}]}
    usage = {"input_tokens": 9, "output_tokens": 400, "total_tokens": 409}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**answer, "status": "in_progress", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
        *({"type": "response.output_text.delta", **place, "delta": word, "logprobs": []} for word in WORDS),
        {"type": "response.output_text.done", **place, "text": TEXT},
        {"type": "response.content_part.done", **place, "part": {**part, "text": TEXT}},
        {"type": "response.output_item.done", "output_index": 0, "item": whole},
        {
            "type": "response.completed",
            "response": {**answer, "status": "completed", "output": [whole], "usage": usage},
        },
    ]
    return [event({**value, "sequence_number": number}) for number, value in enumerate(events)]


STREAMS = {maker.__name__: maker() for maker in (openai_chat, anthropic, gemini, openai_responses)}


@pytest.fixture(scope="module")
def measured(pytestconfig: pytest.Config) -> Iterator[dict[str, float]]:
    """Takes the shortest time of each dialect's stream, in seconds, and prints what a chunk costs when all is done."""
    times: dict[str, float] = {}
    yield times
    reporter = pytestconfig.pluginmanager.getplugin("terminalreporter")
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    least_s = times.get("openai_chat")
    for name, seconds in times.items():
        if reporter is not None and capture is not None and least_s is not None:
            ratio = f"{seconds / least_s:.2f} times openai_chat"
            asked = f" (at most {MOST_TIMES})" if name == "anthropic" else ""
            with capture.global_and_fixture_disabled():
                reporter.write_line(f"\n{name}: {seconds / len(WORDS) * 1e6:.2f} us a chunk, {ratio}{asked}")


def decode(name: str) -> int:
    """Decodes a whole stream, an event a read, as the engine does. How many chunks it made."""
    decoder = DIALECTS[name].decoder(status=200, headers=HEADERS)
    chunks = 0
    for block in STREAMS[name]:
        chunks += len(decoder.feed(block))
    return chunks + len(decoder.close())


@pytest.mark.parametrize("name", [name for name in STREAMS if name in DIALECT_NAMES])
def test_the_streams_say_the_same(name: str) -> None:
    """What is compared is the same text in as many chunks."""
    told = tell(play(DIALECTS[name].decoder(status=200, headers=HEADERS), STREAMS[name]))
    assert told["choice 0"]["text"] == TEXT
    assert told["usage"] == (9, 400, 409)
    assert len(WORDS) <= decode(name) <= len(WORDS) + 4


@pytest.mark.parametrize("name", [name for name in STREAMS if name in DIALECT_NAMES])
def test_speed(name: str, benchmark: Any, measured: dict[str, float]) -> None:
    """Decoding a stream of 400 words."""
    benchmark(decode, name)
    if benchmark.stats is not None:
        measured[name] = benchmark.stats.stats.min
