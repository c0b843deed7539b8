# SPDX-License-Identifier: Apache-2.0
"""Chunks as events, in the vendor's order."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from support.answer_cuts import play
from support.builders import (
    make_call_chunk,
    make_chunk,
    make_delta_chunk,
    make_finish_chunk,
    make_reasoning_chunk,
    make_role_chunk,
    make_route,
    make_text_chunk,
    make_usage,
    make_usage_chunk,
)
from support.responses_answers import COMPLETIONS, told_of
from support.responses_wire import ANSWERS as CODEC
from support.responses_wire import DIALECT, fold, kinds, read_events
from support.streams import CHUNKS
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk, FinishReason
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.message_pb2 import Annotation, ImageUrl, OutputImage, ReasoningDetail, ReasoningSummary
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.openai_responses.events import EventRenderer
from trunkline_server.dialects.openai_responses.outbound import make_echo, render_answer

EVENTS: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
RECORDED = sorted((Path(__file__).parents[1] / "matrix" / "openai_responses").glob("[!e]*.answer.json"))
"""All but the one that failed."""
BEGIN = ["created", "in_progress"]
TEXT = ["output_item.added", "content_part.added", "output_text.delta"]
TEXT_DONE = ["output_text.done", "content_part.done", "output_item.done"]
CALL_DONE = ["function_call_arguments.done", "output_item.done"]
CALLED = FinishReason.FINISH_REASON_TOOL_CALLS
CUT = FinishReason.FINISH_REASON_LENGTH
FAILURE = GatewayError(ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED, "Too many.")


def rendered(*chunks: ChatCompletionChunk) -> list[dict[str, Any]]:
    """The events of an answer that ends well, each of OpenAI's own types."""
    renderer = EventRenderer(CODEC, make_echo({}))
    text = b"".join(renderer.feed([chunk]) for chunk in chunks) + renderer.end(9)
    events = read_events(text)
    for event in events:
        EVENTS.validate_python(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    return events


def test_a_text() -> None:
    """The full sequence of a text, the whole response at its end."""
    events = rendered(
        make_role_chunk(), make_text_chunk("a"), make_text_chunk("b"), make_finish_chunk(), make_usage_chunk()
    )
    assert kinds(events) == [*BEGIN, *TEXT, "output_text.delta", *TEXT_DONE, "completed"]
    first, last = events[0]["response"], events[-1]["response"]
    assert (first["id"], first["status"], first["output"], first["usage"]) == (
        "resp_upstream1",
        "in_progress",
        [],
        None,
    )
    assert (last["status"], last["completed_at"], last["usage"]["total_tokens"]) == ("completed", 9, 15)
    assert last["output"] == [events[-2]["item"]]
    assert events[-2]["item"]["content"][0]["text"] == "ab"


def test_reasoning_then_text_then_calls() -> None:
    """What begins something else ends the item before it."""
    events = rendered(
        make_reasoning_chunk("hm"),
        make_reasoning_chunk("m"),
        make_text_chunk("a"),
        make_call_chunk(0, "{}", call_id="c0", name="f"),
        make_finish_chunk(CALLED),
    )
    reasoning = ["output_item.added", "content_part.added", *["reasoning_text.delta"] * 2]
    reasoning += ["reasoning_text.done", "content_part.done", "output_item.done"]
    call = ["output_item.added", "function_call_arguments.delta", *CALL_DONE]
    assert kinds(events) == [*BEGIN, *reasoning, *TEXT, *TEXT_DONE, *call, "completed"]
    assert [item["type"] for item in events[-1]["response"]["output"]] == ["reasoning", "message", "function_call"]


def test_summaries_and_plain_reasoning() -> None:
    """A summary is told as one; reasoning without details is text in the open."""
    detail = ReasoningDetail(summary=ReasoningSummary(summary="a"), id="rs_9", index=0, format="openai-responses-v1")
    events = rendered(make_delta_chunk(reasoning="a", reasoning_details=[detail]), make_delta_chunk(reasoning="b"))
    assert kinds(events)[2:5] == ["output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta"]
    output = events[-1]["response"]["output"]
    assert [item["id"] for item in output] == ["rs_9", "rs_upstream1_1"]
    assert output[1]["content"] == [{"type": "reasoning_text", "text": "b"}]


def test_calls_one_after_another() -> None:
    """A call whose arguments are whole is done when the next begins."""
    events = rendered(
        make_call_chunk(0, "{}", call_id="c0", name="f"), make_call_chunk(1, "{}", call_id="c1", name="g")
    )
    call = ["output_item.added", "function_call_arguments.delta"]
    assert kinds(events) == [*BEGIN, *call, *CALL_DONE, *call, *CALL_DONE, "completed"]


def test_calls_side_by_side() -> None:
    """A call that is not whole stays open, and its pieces find it."""
    events = rendered(
        make_call_chunk(0, '{"a"', call_id="c0", name="f"),
        make_call_chunk(1, "{", call_id="c1", name="g"),
        make_call_chunk(0, ":1}"),
        make_call_chunk(1, "}"),
        make_finish_chunk(CALLED),
    )
    output = events[-1]["response"]["output"]
    assert [(item["call_id"], item["arguments"]) for item in output] == [("c0", '{"a":1}'), ("c1", "{}")]
    assert [event["output_index"] for event in events if event["type"].endswith(".delta")] == [0, 1, 0, 1]


def test_citations_and_images() -> None:
    """A citation joins the text, an image is an item of its own, and what is only the gateway's is left out."""
    cited, read = Annotation(), Annotation()
    cited.url_citation.url = "u"
    read.file.hash = "h"
    image = OutputImage(image_url=ImageUrl(url="data:image/png;base64,AA=="))
    events = rendered(
        make_text_chunk("a"), make_delta_chunk(annotations=[cited, read]), make_delta_chunk(images=[image])
    )
    assert kinds(events)[5] == "output_text.annotation.added"
    message, made = events[-1]["response"]["output"]
    assert [annotation["url"] for annotation in message["content"][0]["annotations"]] == ["u"]
    assert (made["type"], made["result"]) == ("image_generation_call", "AA==")


def test_what_a_provider_of_this_language_kept() -> None:
    """Items that chunks cannot tell come at the end; the phase of a message stands in it."""
    search = '[{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"q"}},{"type":"message"}]'
    events = rendered(make_text_chunk("a"), make_delta_chunk(extra={"openai_responses": search}))
    assert [item["type"] for item in events[-1]["response"]["output"]] == ["message", "web_search_call"]
    events = rendered(make_text_chunk("a"), make_delta_chunk(extra={"openai_responses": '{"phase":"final_answer"}'}))
    assert events[-1]["response"]["output"][0]["phase"] == "final_answer"


def test_a_cut_answer() -> None:
    """It ends as incomplete, and so does what was open."""
    events = rendered(make_text_chunk("a"), make_finish_chunk(CUT))
    assert kinds(events)[-2:] == ["output_item.done", "incomplete"]
    assert events[-2]["item"]["status"] == "incomplete"
    assert events[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


def test_what_the_gateway_adds() -> None:
    """Tier, provider, cost and route are told at the end."""
    last = make_chunk(usage=make_usage(), service_tier="flex", provider="Acme", openrouter_metadata=make_route())
    response = rendered(make_text_chunk("a"), make_text_chunk("b", index=1), last)[-1]["response"]
    assert (response["service_tier"], response["provider"]) == ("flex", "Acme")
    assert response["openrouter_metadata"]["strategy"] == "direct"
    assert len(response["output"]) == 1


def test_an_answer_of_nothing() -> None:
    """It begins and ends all the same."""
    assert kinds(rendered(make_finish_chunk())) == [*BEGIN, "completed"]
    assert kinds(rendered()) == [*BEGIN, "completed"]


def test_a_failure_before_the_first_chunk() -> None:
    """It is an event of its own."""
    text = EventRenderer(CODEC, make_echo({})).fail(FAILURE)
    assert read_events(text) == [
        {
            "type": "error",
            "sequence_number": 0,
            "code": "rate_limit_exceeded",
            "message": FAILURE.public_message,
            "param": None,
        }
    ]


def test_a_failure_after_content() -> None:
    """The response has failed; it has what was said until then, unfinished, and the route where it was asked for."""
    renderer = EventRenderer(CODEC, make_echo({}))
    renderer.feed([make_text_chunk("a"), make_call_chunk(0, "{", call_id="c0", name="f")])
    failure = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, "It failed.")
    failure.route = make_route()
    (event,) = read_events(renderer.fail(failure))
    EVENTS.validate_python(event)
    response = event["response"]
    assert (event["type"], response["status"], response["error"]["code"]) == (
        "response.failed",
        "failed",
        "server_error",
    )
    assert [item["status"] for item in response["output"]] == ["completed", "incomplete"]
    assert response["output"][1]["arguments"] == "{"
    assert response["error_type"] == "provider_unavailable"
    assert response["openrouter_metadata"]["strategy"] == "direct"


def stream_of(completion: ChatCompletion) -> Iterable[ChatCompletionChunk]:
    """An answer as the decoder of its own whole response would stream it."""
    whole = orjson.dumps(render_answer(CODEC, completion, make_echo({})))
    return play(DIALECT.decoder(status=200, headers={}), [whole]).chunks


@given(answer=COMPLETIONS)
def test_a_stream_is_read_back_as_it_was(answer: ChatCompletion) -> None:
    """An answer told as events is, read as a provider's, the same answer; OpenAI's own client takes each event."""
    renderer = EventRenderer(CODEC, make_echo({}))
    text = b"".join(renderer.feed([chunk]) for chunk in stream_of(answer)) + renderer.end()
    for event in read_events(text):
        EVENTS.validate_python(event)
    read = play(DIALECT.decoder(status=200, headers={}), [text])
    assert told_of(fold(read)) == told_of(answer)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_the_last_event_is_the_whole_answer(path: Path) -> None:
    """A stream ends with the response that a call without streaming gets."""
    outcome = play(DIALECT.decoder(status=200, headers={}), [path.read_bytes()])
    renderer = EventRenderer(CODEC, make_echo({}))
    events = read_events(renderer.feed(outcome.chunks) + renderer.end())
    assert events[-1]["response"] == render_answer(CODEC, fold(outcome), make_echo({}))


@given(chunks=st.lists(CHUNKS, max_size=6))
def test_any_chunks_are_told(chunks: list[ChatCompletionChunk]) -> None:
    """Whatever chunks come, events come of them, and each item that began is done."""
    renderer = EventRenderer(CODEC, make_echo({}))
    events = read_events(renderer.feed(chunks) + renderer.end())
    assert kinds(events).count("output_item.added") == kinds(events).count("output_item.done")
