# SPDX-License-Identifier: Apache-2.0
"""The plain text of an answer."""

from __future__ import annotations

from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk


def text_of(answer: ChatCompletion | ChatCompletionChunk, index: int = 0) -> str:
    """The text of the choice with this index, whole or what one chunk adds to it; "" where it has none.

    Refusals, reasoning, tool calls, images and sound are not text: they are read from the message itself.
    """
    if isinstance(answer, ChatCompletionChunk):
        return "".join(choice.delta.content for choice in answer.choices if choice.index == index)
    return "".join(part.text for choice in answer.choices if choice.index == index for part in choice.message.content)
