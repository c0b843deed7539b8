# SPDX-License-Identifier: Apache-2.0
"""The plain text of answers and chunks."""

from support.chat_service import make_completion, make_pieces
from trunkline import text_of
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk


def test_text_of_an_answer() -> None:
    """All text parts of the choice asked for, and nothing else."""
    completion = make_completion("Hel")
    completion.choices[0].message.content.add(text="lo")
    completion.choices[0].message.content.add().image_url.url = "https://x.test/a.png"
    completion.choices.add(index=1).message.content.add(text="other")
    assert text_of(completion) == "Hello"
    assert text_of(completion, 1) == "other"
    assert text_of(completion, 2) == ""


def test_text_of_a_chunk() -> None:
    """What the chunk adds to the choice asked for."""
    [chunk] = make_pieces("Hel")
    chunk.choices.add(index=1).delta.content = "other"
    assert text_of(chunk) == "Hel"
    assert text_of(chunk, 1) == "other"


def test_no_text() -> None:
    """An answer or chunk without choices has no text."""
    assert text_of(ChatCompletion()) == text_of(ChatCompletionChunk()) == ""
