# SPDX-License-Identifier: Apache-2.0
"""What tests of the dialect `gemini` share: requests as Google gets them, answers as Google sends them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from support.answer_cuts import play
from support.builders import make_endpoint, make_provider
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk
from trunkline_server.core.chunks import Fold
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.dialects.gemini import Gemini
from trunkline_server.jsonshape import Codec

CODEC: Final = Codec.compile(
    [message.DESCRIPTOR for message in (ChatCompletionRequest, ChatCompletionChunk, ChatCompletion)]
)
DIALECT: Final = Gemini(CODEC)
CURRENT: Final = "gemini-3-flash-preview"
OLDER: Final = "gemini-2.5-flash"
HELLO: Final[Mapping[str, Any]] = {"messages": [{"role": "user", "content": "hello"}]}
RECORDED: Final = Path(__file__).parents[1] / "dialects" / "matrix" / "gemini"


def read(body: Mapping[str, Any]) -> ChatCompletionRequest:
    """A caller's JSON as a request."""
    return CODEC.decode(ChatCompletionRequest, orjson.loads(orjson.dumps(dict(body))))


def render(body: Mapping[str, Any], model: str = CURRENT, *, stream: bool = False, **endpoint: Any) -> RenderedRequest:
    """A caller's JSON, beside a greeting where it has no messages, as Google gets it."""
    offer = make_endpoint(make_provider("google", dialect="gemini"), upstream_model=model, **endpoint)
    return DIALECT.render_request(read({**HELLO, **body}), offer, stream=stream)


def sent(body: Mapping[str, Any], model: str = CURRENT) -> Any:
    """The JSON that Google gets."""
    return orjson.loads(render(body, model).body)


def candidate(*parts: Mapping[str, Any], finish: str | None = None, **rest: Any) -> dict[str, Any]:
    """A candidate with these parts."""
    made: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}} if parts else {}
    if finish is not None:
        made["finishReason"] = finish
    return made | rest


def response(*candidates: Mapping[str, Any], **rest: Any) -> dict[str, Any]:
    """A GenerateContentResponse."""
    return {"candidates": list(candidates), **rest, "modelVersion": CURRENT, "responseId": "abc-1"}


def events(*responses: Mapping[str, Any]) -> bytes:
    """A stream of them."""
    return b"".join(b"data: " + orjson.dumps(dict(item)) + b"\r\n\r\n" for item in responses)


def fold(chunks: Iterable[ChatCompletionChunk]) -> ChatCompletion:
    """The chunks of an answer, added up."""
    whole = Fold()
    whole.add(list(chunks))
    return whole.result()


def decode(body: bytes, headers: Mapping[str, str] | None = None) -> ChatCompletion:
    """The answer that came with status 200. Raises its failure."""
    outcome = play(DIALECT.decoder(status=200, headers=headers or {}), [body])
    if outcome.error is not None:
        raise outcome.error
    return fold(outcome.chunks)


def message_of(*responses: Mapping[str, Any]) -> dict[str, Any]:
    """The message of the first choice of a stream, as a client gets it, without what is empty."""
    choice = CODEC.encode(decode(events(*responses)))["choices"][0]
    made: dict[str, Any] = orjson.loads(orjson.dumps(choice["message"]))
    return {key: value for key, value in made.items() if value is not None and key != "role"}
