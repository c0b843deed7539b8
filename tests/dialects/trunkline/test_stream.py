# SPDX-License-Identifier: Apache-2.0
"""Chunks of another gateway."""

import pytest

from trunkline.v1.chat_response_pb2 import ChatCompletionChunk, FinishReason
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.trunkline.stream import MessageDecoder


def said(text: str = "", *, index: int = 0, ends: bool = False) -> bytes:
    """A chunk of one choice as it travels."""
    chunk = ChatCompletionChunk(id="gen-1")
    choice = chunk.choices.add(index=index)
    choice.delta.content = text
    if ends:
        choice.finish_reason = FinishReason.FINISH_REASON_STOP
    return chunk.SerializeToString()


def test_chunks_pass_as_they_are() -> None:
    """A message is a chunk."""
    decoder = MessageDecoder()
    batch = [*decoder.feed(said("one")), *decoder.feed(said(ends=True)), *decoder.close()]
    assert [chunk.SerializeToString() for chunk in batch] == [said("one"), said(ends=True)]
    assert not decoder.finished


def test_what_the_other_gateway_says_of_its_work_is_left_out() -> None:
    """Route, continuation and debug are this gateway's to tell; a chunk of nothing else is none."""
    chunk = ChatCompletionChunk(id="gen-1")
    chunk.openrouter_metadata.requested = "sim/echo"
    chunk.continuation.provider = "far"
    chunk.debug.echo_upstream_body = "{}"
    assert MessageDecoder().feed(chunk.SerializeToString()) == []


def test_usage_alone_is_kept() -> None:
    """The chunk with usage has no choices."""
    chunk = ChatCompletionChunk(id="gen-1")
    chunk.usage.prompt_tokens = 3
    assert MessageDecoder().feed(chunk.SerializeToString()) == [chunk]


@pytest.mark.parametrize("blocks", [[], [said("one")], [said(ends=True), said("more", index=1)]])
def test_an_answer_without_its_end_is_cut(blocks: list[bytes]) -> None:
    """A call that ends well before each choice has its finish is no whole answer."""
    decoder = MessageDecoder()
    for block in blocks:
        decoder.feed(block)
    with pytest.raises(GatewayError) as caught:
        decoder.close()
    assert caught.value.reason == ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE


def test_bytes_that_are_no_chunk() -> None:
    """Such an answer is invalid."""
    with pytest.raises(GatewayError) as caught:
        MessageDecoder().feed(b"\xff\xff\xff")
    assert caught.value.reason == ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE
