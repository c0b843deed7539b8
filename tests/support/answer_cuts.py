# SPDX-License-Identifier: Apache-2.0
"""Plays the body of an answer to a dialect's decoder in every way that a network may cut it, and tells what came out."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from trunkline.v1 import chat_request_pb2, chat_response_pb2
from trunkline.v1.chat_response_pb2 import ChatCompletionChunk, Choice, FinishReason
from trunkline_server.core.chunks import Fold
from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.dialects.base import AnswerDecoder
from trunkline_server.jsonshape import Codec


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The chunks that came out of a decoder, and the failure that ended it, if one did."""

    chunks: list[ChatCompletionChunk]
    error: GatewayError | None = None

    @property
    def essence(self) -> tuple[list[ChatCompletionChunk], object]:
        """What must be equal however the body was cut."""
        error = self.error
        if error is None:
            return self.chunks, None
        return self.chunks, (error.reason, error.message, error.provider_code, error.retry_after_s)


def make_codec() -> Codec:
    """A codec of the messages that chat dialects use."""
    roots = (chat_request_pb2.ChatCompletionRequest, chat_response_pb2.ChatCompletionChunk)
    return Codec.compile([root.DESCRIPTOR for root in roots])


def cuts(body: bytes) -> Iterator[list[bytes]]:
    """The body whole, byte by byte, and split in two at each boundary."""
    yield [body]
    yield [body[place : place + 1] for place in range(len(body))]
    for place in range(1, len(body)):
        yield [body[:place], body[place:]]


def play(decoder: AnswerDecoder, blocks: Iterable[bytes]) -> Outcome:
    """Feeds blocks as the engine does, until the decoder is finished, and closes it."""
    chunks: list[ChatCompletionChunk] = []
    try:
        for block in blocks:
            chunks += decoder.feed(block)
            if decoder.finished:
                break
        chunks += decoder.close()
    except GatewayError as error:
        return Outcome(chunks=chunks, error=error)
    return Outcome(chunks=chunks)


def play_every_way(make_decoder: Callable[[], AnswerDecoder], body: bytes) -> Outcome:
    """Plays each cut of the body to a new decoder, and fails the test unless all outcomes are the same."""
    whole = play(make_decoder(), [body])
    for blocks in cuts(body):
        assert play(make_decoder(), blocks).essence == whole.essence, f"differs when cut as {blocks[:2]}"
    return whole


def tell(outcome: Outcome) -> dict[str, Any]:
    """What an outcome says, without what is empty: what each choice said and its finish, the last usage, the failure's reason."""
    fold = Fold()
    fold.add(outcome.chunks)
    answer = fold.result()
    told: dict[str, Any] = {f"choice {choice.index}": _tell_choice(choice) for choice in answer.choices}
    if answer.HasField("usage"):
        told["usage"] = (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens)
    if outcome.error is not None:
        told["error"] = reason_name(outcome.error.reason)
    return told


def _tell_choice(choice: Choice) -> dict[str, Any]:
    message = choice.message
    legacy = message.function_call
    said = {
        "text": "".join(part.text for part in message.content),
        "reasoning": message.reasoning,
        "refusal": message.refusal,
        "calls": [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls],
        "function_call": (legacy.name, legacy.arguments) if message.HasField("function_call") else None,
        "images": [image.image_url.url for image in message.images],
        "finish": FinishReason.Name(choice.finish_reason).removeprefix("FINISH_REASON_").lower(),
        "native": choice.native_finish_reason,
    }
    return {name: value for name, value in said.items() if value and value != "unspecified"}
