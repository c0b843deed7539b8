# SPDX-License-Identifier: Apache-2.0
"""Chunks as they are made."""

from typing import Any

import pytest

from trunkline.v1.chat_response_pb2 import ChatCompletionChunk, FinishReason
from trunkline_server.dialects.openai_responses.chunks import ChunkWriter, Origin


def made(writer: ChunkWriter) -> list[ChatCompletionChunk]:
    """What a writer has written."""
    return writer.take()


def test_all_chunks_have_the_head() -> None:
    """Id, time and model are the provider's, in each chunk; the role stands in the first."""
    writer = ChunkWriter()
    writer.set_head({"id": "resp_1", "created_at": 7.0, "model": "one"})
    writer.add_text("a")
    writer.add_refusal("b")
    chunks = made(writer)
    assert [(chunk.id, chunk.created, chunk.model) for chunk in chunks] == [("resp_1", 7, "one")] * 2
    assert [chunk.choices[0].delta.role for chunk in chunks] == ["assistant", ""]
    assert writer.has_begun
    assert writer.take() == []


@pytest.mark.parametrize("head", [{}, {"id": 1, "created_at": "now", "model": None}, {"created_at": -1}])
def test_a_broken_head_is_none(head: dict[str, Any]) -> None:
    """What is of another type is not taken."""
    writer = ChunkWriter()
    writer.set_head(head)
    writer.add_text("a")
    assert (made(writer)[0].id, writer.answer_id) == ("", "")


def test_log_probabilities() -> None:
    """Tokens come with their alternatives, bytes made from the text where they are missing; broken ones are left out."""
    writer = ChunkWriter()
    tops = [{"token": "b", "logprob": -2}, {"token": "c"}, None]
    writer.add_text("é", [{"token": "é", "logprob": -1.5, "top_logprobs": tops}, {"token": 1}, "x"])
    writer.add_text("a", [{"token": "a", "logprob": -1, "bytes": [97]}])
    first, second = (chunk.choices[0].logprobs.content for chunk in made(writer))
    assert [(token.token, token.logprob, list(token.bytes)) for token in first] == [("é", -1.5, [195, 169])]
    assert [top.token for top in first[0].top_logprobs] == ["b"]
    assert list(second[0].bytes) == [97]


def test_reasoning() -> None:
    """Reasoning stands as text and as a detail, a blank line between two parts of the text alone."""
    writer = ChunkWriter()
    origin = Origin(item_id="rs_1")
    writer.add_reasoning("a", 0, origin, is_summary=True, is_new=True)
    writer.add_reasoning("b", 1, origin, is_summary=False, is_new=True)
    writer.add_signature("s", 1, origin)
    writer.add_encrypted("ZW5j", 2, Origin(form="unknown"))
    deltas = [chunk.choices[0].delta for chunk in made(writer)]
    assert [delta.reasoning for delta in deltas] == ["a", "\n\nb", "", ""]
    details = [delta.reasoning_details[0] for delta in deltas]
    assert [detail.WhichOneof("detail") for detail in details] == ["summary", "text", "text", "encrypted"]
    assert [detail.text.text for detail in details] == ["", "b", "", ""]
    assert [(detail.id, detail.format, detail.index) for detail in details] == [
        ("rs_1", "openai-responses-v1", 0),
        ("rs_1", "openai-responses-v1", 1),
        ("rs_1", "openai-responses-v1", 1),
        ("", "", 2),
    ]


def test_calls() -> None:
    """A call begins with id and name, and says of what kind it is where that is not a function."""
    writer = ChunkWriter()
    writer.begin_call(0, "c1", "f")
    writer.begin_call(1, "c2", "g", kind="custom_tool_call")
    writer.add_arguments(1, "x")
    first, second, third = (chunk.choices[0].delta.tool_calls[0] for chunk in made(writer))
    assert (first.id, first.type, first.function.name, dict(first.extra)) == ("c1", "function", "f", {})
    assert dict(second.extra) == {"openai_responses": '"custom_tool_call"'}
    assert (third.index, third.id, third.function.arguments) == (1, "", "x")


def test_annotations() -> None:
    """A citation of a page is the contract's; anything else is kept as it came."""
    writer = ChunkWriter()
    writer.add_annotation({"type": "url_citation", "url": "u", "title": "t", "start_index": 1, "end_index": 2}, 10)
    writer.add_annotation({"type": "file_citation", "file_id": "f"}, 0)
    writer.add_annotation({"type": "url_citation", "url": None}, 0)
    writer.add_annotation({"type": "url_citation", "url": "u", "start_index": -1, "title": 1}, 0)
    cited, file, broken, rest = (chunk.choices[0].delta.annotations[0] for chunk in made(writer))
    assert (cited.url_citation.url, cited.url_citation.start_index, cited.url_citation.end_index) == ("u", 11, 12)
    assert file.unknown == '{"type":"file_citation","file_id":"f"}'
    assert broken.WhichOneof("annotation") == "unknown"
    assert not rest.url_citation.HasField("start_index")


def test_images_and_the_finish() -> None:
    """An image is whole; the finish keeps what only this language knows."""
    writer = ChunkWriter()
    writer.add_image("data:image/png;base64,AA==", 0)
    writer.finish(FinishReason.FINISH_REASON_STOP, "completed", {"phase": "final_answer"})
    image, finish = (chunk.choices[0] for chunk in made(writer))
    assert image.delta.images[0].image_url.url == "data:image/png;base64,AA=="
    assert (finish.finish_reason, finish.native_finish_reason) == (FinishReason.FINISH_REASON_STOP, "completed")
    assert dict(finish.delta.extra) == {"openai_responses": '{"phase":"final_answer"}'}
