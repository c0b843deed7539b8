# SPDX-License-Identifier: Apache-2.0
"""Answers that the Responses API can express, as Hypothesis draws them."""

from typing import Any

from hypothesis import strategies as st

from support.responses_wire import ANSWERS
from trunkline.v1.chat_response_pb2 import ChatCompletion

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
FORMATS = st.sampled_from(["openai-responses-v1", "anthropic-claude-v1", None])
CITED = {"url": "https://a.test", "title": "A", "start_index": 0, "end_index": 1}
ANNOTATIONS = st.lists(
    st.sampled_from(
        [
            {"type": "url_citation", "url_citation": CITED},
            {"type": "file_citation", "file_id": "f", "filename": "a", "index": 0},
        ]
    ),
    max_size=2,
)
CALLS = st.lists(st.tuples(TEXTS, st.sampled_from([None, "custom_tool_call"])), max_size=3)
ITEMS = st.lists(
    st.tuples(FORMATS, st.lists(TEXTS, max_size=2), st.lists(TEXTS, max_size=2), st.none() | TEXTS, st.none() | TEXTS),
    max_size=2,
)
TOKENS = [
    {"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": [{"token": "b", "logprob": -2.0, "bytes": [98]}]}
]


def _details(items: list[Any]) -> list[dict[str, Any]]:
    """The details of items of reasoning, in the order that items have."""
    details: list[dict[str, Any]] = []
    for number, (form, summaries, texts, signature, data) in enumerate(items):
        pieces: list[dict[str, Any]] = [{"type": "reasoning.summary", "summary": text} for text in summaries]
        opened = texts[:1] if signature is not None else texts
        pieces += ({"type": "reasoning.text", "text": text} for text in opened)
        if signature is not None and opened:
            pieces[-1]["signature"] = signature
        if data is not None:
            pieces.append({"type": "reasoning.encrypted", "data": f"x{data}"})
        named = {"id": f"rs_{number}", **({"format": form} if form else {})}
        details += ({**piece, **named} for piece in pieces)
    return [{**detail, "index": place} for place, detail in enumerate(details)]


def _completion(
    text: str, refusal: str, items: list[Any], calls: list[Any], annotations: list[Any], reason: str, has_tokens: bool
) -> ChatCompletion:
    details = _details(items)
    thought = [detail.get("summary") or detail.get("text") for detail in details]
    message: dict[str, Any] = {"role": "assistant", "content": text or None, "reasoning_details": details}
    message |= {"refusal": refusal or None, "annotations": annotations if text else []}
    message["reasoning"] = "\n\n".join(filter(None, thought)) or None
    message["tool_calls"] = [
        {
            "id": f"c{place}",
            "type": "function",
            "function": {"name": "f", "arguments": arguments},
            **({"openai_responses": kind} if kind else {}),
        }
        for place, (arguments, kind) in enumerate(calls)
    ]
    whole = "tool_calls" if calls else "stop"
    choice = {"index": 0, "message": message, "finish_reason": reason or whole}
    if has_tokens and text:
        choice["logprobs"] = {"content": TOKENS, "refusal": None}
    value = {"id": "gen-1", "created": 7, "model": "one", "choices": [choice]}
    value["usage"] = {
        "prompt_tokens": 9,
        "completion_tokens": 5,
        "total_tokens": 14,
        "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 3},
        "cost": 0.25,
    }
    return ANSWERS.decode(ChatCompletion, value, strict=False)


COMPLETIONS: st.SearchStrategy[ChatCompletion] = st.builds(
    _completion,
    text=TEXTS,
    refusal=TEXTS,
    items=ITEMS,
    calls=CALLS,
    annotations=ANNOTATIONS,
    reason=st.sampled_from(["", "length", "content_filter"]),
    has_tokens=st.booleans(),
)
"""Whole answers, all of whose parts have a place in a response object."""


def told_of(completion: ChatCompletion) -> ChatCompletion:
    """An answer without what a response object tells otherwise: ids, and the finish in the provider's words."""
    told = ChatCompletion()
    told.CopyFrom(completion)
    told.id = ""
    told.ClearField("service_tier")
    for choice in told.choices:
        choice.ClearField("native_finish_reason")
    return told
