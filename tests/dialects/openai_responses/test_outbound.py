# SPDX-License-Identifier: Apache-2.0
"""Whole answers for clients of POST /v1/responses."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from openai.types.responses import Response
from pydantic import TypeAdapter

from support.answer_cuts import play
from support.responses_answers import COMPLETIONS, told_of
from support.responses_wire import ANSWERS as CODEC
from support.responses_wire import DIALECT, fold
from trunkline.v1.chat_response_pb2 import ChatCompletion
from trunkline_server.dialects.openai_responses.outbound import make_echo, render_answer, rest_of_turn

RESPONSES: TypeAdapter[Response] = TypeAdapter(Response)
USAGE = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def completion(finish: str = "stop", message: dict[str, Any] | None = None, **fields: Any) -> ChatCompletion:
    """A whole answer that says hi, unless told otherwise."""
    said = {"role": "assistant", "content": "hi"} if message is None else {"role": "assistant", **message}
    choice = {"index": 0, "message": said, "finish_reason": finish}
    value = {"id": "gen-1", "created": 7, "model": "one", "choices": [choice], "usage": USAGE, **fields}
    return CODEC.decode(ChatCompletion, value, strict=False)


def rendered(*arguments: Any, echo: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """The response object of an answer."""
    return render_answer(CODEC, completion(*arguments, **fields), make_echo(echo or {}), completed_s=9)


def test_a_response() -> None:
    """All keys that strict clients want are there, the nullable ones too."""
    made = rendered()
    assert made == {
        "id": "resp_1",
        "object": "response",
        "created_at": 7,
        "status": "completed",
        "completed_at": 9,
        "error": None,
        "incomplete_details": None,
        "model": "one",
        "output": [
            {
                "id": "msg_1_0",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": "hi"}],
            }
        ],
        **make_echo({}),
        "usage": {
            "input_tokens": 9,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 14,
        },
    }


def test_the_echo() -> None:
    """An answer tells the request's settings; of what the gateway never does it tells the truth."""
    tool = {"type": "function", "name": "f"}
    echo = make_echo(
        {"temperature": 0.5, "tools": [tool], "text": {"verbosity": "low"}, "store": True, "top_p": None, "input": "hi"}
    )
    assert (echo["temperature"], echo["tools"], echo["store"], echo["top_p"]) == (0.5, [tool], False, None)
    assert echo["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert "input" not in echo
    assert orjson.loads(orjson.dumps(make_echo({})))["metadata"] == {}


@pytest.mark.parametrize(
    ("finish", "status", "details"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
    ],
)
def test_statuses(finish: str, status: str, details: object) -> None:
    """A cut answer is incomplete, and so is its message."""
    made = rendered(finish)
    assert (made["status"], made["incomplete_details"]) == (status, details)
    assert made["output"][0]["status"] == status
    assert (made["completed_at"] is None) == (status != "completed")


def test_the_order_of_items() -> None:
    """Reasoning, what was said, images, calls."""
    message = {
        "content": "hi",
        "refusal": "no",
        "reasoning": "hm",
        "images": [
            {"image_url": {"url": "data:image/png;base64,AA=="}},
            {"image_url": {"url": "https://a.test/b.png"}},
        ],
        "tool_calls": [CALL, {**CALL, "id": "c2", "openai_responses": "custom_tool_call"}],
    }
    output = rendered("tool_calls", message)["output"]
    assert [item["id"] for item in output] == ["rs_1_0", "msg_1_1", "ig_1_2", "ig_1_3", "fc_1_4", "ctc_1_5"]
    assert output[0]["content"] == [{"type": "reasoning_text", "text": "hm"}]
    assert output[0]["format"] == "unknown"
    assert [part["type"] for part in output[1]["content"]] == ["output_text", "refusal"]
    assert [item["result"] for item in output[2:4]] == ["AA==", "https://a.test/b.png"]
    assert (output[4]["call_id"], output[4]["arguments"], output[5]["input"]) == ("c1", "{}", "{}")


def test_items_of_a_provider_of_this_language() -> None:
    """They come out as they came in."""
    items = [{"type": "web_search_call", "id": "ws_1"}, {"type": "message", "id": "msg_9", "content": []}]
    assert rendered("stop", {"content": "hi", "openai_responses": items})["output"] == items
    assert rest_of_turn(items) == items[:1]
    assert rest_of_turn({"phase": "final_answer"}) == []


def test_the_phase() -> None:
    """A message's phase is told."""
    made = rendered("stop", {"content": "hi", "openai_responses": {"phase": "final_answer"}})
    assert made["output"][0]["phase"] == "final_answer"


def test_what_the_gateway_adds() -> None:
    """Provider, tier and cost are told beside what OpenAI tells."""
    made = rendered(provider="Acme", service_tier="flex", usage={**USAGE, "cost": 0.5})
    assert (made["provider"], made["service_tier"], made["usage"]["cost"]) == ("Acme", "flex", 0.5)


def test_an_answer_that_a_failure_cut() -> None:
    """It tells the failure, and what was said before."""
    error = {"code": 429, "message": "Too many.", "metadata": {"error_type": "rate_limit_exceeded"}}
    made = rendered("error", error=error)
    assert (made["status"], made["error"]) == ("failed", {"code": "rate_limit_exceeded", "message": "Too many."})
    assert (made["error_type"], made["output"][0]["status"]) == ("rate_limit_exceeded", "incomplete")


def test_an_answer_of_nothing() -> None:
    """A choice that said nothing has no items."""
    assert rendered("stop", {"content": None})["output"] == []
    assert rendered(choices=[])["output"] == []


@given(answer=COMPLETIONS)
def test_an_answer_is_read_back_as_it_was(answer: ChatCompletion) -> None:
    """What this language can say of an answer is, read as a provider's, the same answer; OpenAI's own client takes it."""
    made = orjson.dumps(render_answer(CODEC, answer, make_echo({}), completed_s=9))
    RESPONSES.validate_json(made)
    read = play(DIALECT.decoder(status=200, headers={}), [made])
    assert told_of(fold(read)) == told_of(answer)
