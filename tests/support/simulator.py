# SPDX-License-Identifier: Apache-2.0
"""Asking the simulator without an event loop, and folding its streams as a client would."""

from typing import Any, TypeVar, cast

import orjson

from trunkline_server.upstream.simulator.limits import Work
from trunkline_server.upstream.simulator.reply import PATH, Reply, make_reply

_T = TypeVar("_T")
CREATED_S = 1_700_000_000
DONE = "[DONE]"


def finish(work: Work[_T], slices: list[int] | None = None) -> _T:
    """The result of work, done at once; what each slice did goes into `slices`."""
    while True:
        try:
            done = next(work)
        except StopIteration as end:
            return cast(_T, end.value)
        if slices is not None:
            slices.append(done)


def make_body(model: str, said: str | list[Any] = "Hello big world", **keys: Any) -> bytes:
    """The body of a request with one user message; `messages` among the keys replaces it."""
    return orjson.dumps({"model": model, "messages": [{"role": "user", "content": said}], **keys})


def reply_to(*args: Any, **keys: Any) -> Reply:
    """The reply to `make_body` of the same arguments."""
    return finish(make_reply(PATH, make_body(*args, **keys), CREATED_S))


def read_whole(reply: Reply) -> bytes:
    """All bytes of a reply."""
    return b"".join(block.data for block in reply.blocks)


def ask(*args: Any, **keys: Any) -> Any:
    """A whole answer, parsed."""
    return orjson.loads(read_whole(reply_to(*args, **keys)))


def ask_text(*args: Any, **keys: Any) -> Any:
    """The content of the first choice of a whole answer."""
    return ask(*args, **keys)["choices"][0]["message"]["content"]


def ask_stream(*args: Any, **keys: Any) -> list[Any]:
    """The chunks of a stream, parsed; DONE stands for the last event."""
    return read_stream(read_whole(reply_to(*args, stream=True, **keys)))


def ask_refused(*args: Any, **keys: Any) -> tuple[int, str | None, str | None]:
    """The status, `param` and `code` of an error."""
    reply = reply_to(*args, **keys)
    error = orjson.loads(read_whole(reply))["error"]
    return reply.status, error["param"], error["code"]


def read_stream(body: bytes) -> list[Any]:
    """The events of a stream's bytes, as `ask_stream` gives them."""
    events = [event.removeprefix(b"data: ") for event in body.split(b"\n\n") if event]
    return [DONE if event == b"[DONE]" else orjson.loads(event) for event in events]


def fold_stream(chunks: list[Any]) -> dict[str, Any]:
    """The answer that a client makes of a stream: pieces of text are joined, everything else is put in its place."""
    choices: dict[int, Any] = {}
    usage = None
    for chunk in chunks:
        if chunk == DONE:
            break
        usage = chunk.get("usage", usage)
        for choice in chunk["choices"]:
            empty = {"index": choice["index"], "message": {"refusal": None}, "logprobs": None, "finish_reason": None}
            _fold_choice(choices.setdefault(choice["index"], empty), choice)
    folded = {**chunks[0], "object": "chat.completion", "choices": [choices[index] for index in sorted(choices)]}
    return folded if usage is None else {**folded, "usage": usage}


def _fold_choice(folded: dict[str, Any], choice: dict[str, Any]) -> None:
    message, delta = folded["message"], choice["delta"]
    folded["finish_reason"] = choice["finish_reason"] or folded["finish_reason"]
    if choice["logprobs"]:
        folded["logprobs"] = folded["logprobs"] or {"content": [], "refusal": None}
        folded["logprobs"]["content"] += choice["logprobs"]["content"]
    if "role" in delta:
        message["role"] = delta["role"]
    for key in ("content", "reasoning"):
        if key in delta:
            message[key] = delta[key] if message.get(key) is None else message[key] + delta[key]
    for detail in delta.get("reasoning_details", ()):
        known = message.setdefault("reasoning_details", [{"text": ""}])[0]
        message["reasoning_details"] = [{**known, **detail, "text": known["text"] + detail.get("text", "")}]
    for call in delta.get("tool_calls", ()):
        _fold_call(message.setdefault("tool_calls", []), call)
    for image in delta.get("images", ()):
        message.setdefault("images", []).append(image)


def _fold_call(calls: list[Any], call: dict[str, Any]) -> None:
    if "id" in call:
        calls.append({key: value for key, value in call.items() if key != "index"})
    else:
        calls[call["index"]]["function"]["arguments"] += call["function"]["arguments"]
