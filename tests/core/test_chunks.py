# SPDX-License-Identifier: Apache-2.0
"""Chunks: what counts as content, how neighbours merge, how a stream folds."""

import base64
import time
from typing import Any

import pytest
from hypothesis import given

from support.builders import (
    make_answer_chunks,
    make_call_chunk,
    make_chunk,
    make_delta_chunk,
    make_finish_chunk,
    make_reasoning_chunk,
    make_role_chunk,
    make_text_chunk,
    make_usage,
    make_usage_chunk,
)
from support.streams import STREAMS, copy_chunks, split_stream
from trunkline.v1.chat_response_pb2 import (
    ChatCompletion,
    ChatCompletionChunk,
    ChunkChoice,
    Delta,
    FinishReason,
    FunctionCallDelta,
    Logprobs,
    TokenLogprob,
)
from trunkline.v1.error_pb2 import ErrorBody
from trunkline.v1.message_pb2 import (
    Annotation,
    AssistantMessage,
    AudioOutput,
    ContentPart,
    FunctionCall,
    ImageUrl,
    OutputImage,
    ReasoningDetail,
    ReasoningEncrypted,
    ReasoningSummary,
    ReasoningText,
    ToolCall,
    UrlCitation,
)
from trunkline_server.core.chunks import Fold, has_content, merge_deltas

STOP, LENGTH, ERROR = (
    FinishReason.FINISH_REASON_STOP,
    FinishReason.FINISH_REASON_LENGTH,
    FinishReason.FINISH_REASON_ERROR,
)
PAYLOAD = bytes(range(7))


def fold(chunks: list[ChatCompletionChunk]) -> ChatCompletion:
    """The whole answer of chunks that came in one batch."""
    summed = Fold()
    summed.add(chunks)
    return summed.result()


def fold_message(*deltas: Delta) -> AssistantMessage:
    """The message that deltas of one choice add up to."""
    return fold([make_chunk(ChunkChoice(delta=delta)) for delta in deltas]).choices[0].message


def fold_details(*details: ReasoningDetail) -> list[ReasoningDetail]:
    """The reasoning details that pieces, one a chunk, add up to."""
    return list(fold_message(*(Delta(reasoning_details=[detail]) for detail in details)).reasoning_details)


def text_detail(text: str | None = None, signature: str | None = None, **fields: Any) -> ReasoningDetail:
    """A piece of open reasoning, of index 0 unless told."""
    return ReasoningDetail(**{"index": 0, "text": ReasoningText(text=text, signature=signature), **fields})


def summary_detail(summary: str, **fields: Any) -> ReasoningDetail:
    """A piece of a summary, of index 0 unless told."""
    return ReasoningDetail(**{"index": 0, "summary": ReasoningSummary(summary=summary), **fields})


def sealed_detail(sealed: str, **fields: Any) -> ReasoningDetail:
    """An encrypted piece, of index 0 unless told."""
    return ReasoningDetail(**{"index": 0, "encrypted": ReasoningEncrypted(data=sealed), **fields})


# ---- what counts as content ----


@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(make_text_chunk("a"), id="text"),
        pytest.param(make_text_chunk(" "), id="a blank"),
        pytest.param(make_delta_chunk(reasoning="a"), id="reasoning"),
        pytest.param(make_delta_chunk(reasoning_details=[text_detail("a")]), id="reasoning detail"),
        pytest.param(make_delta_chunk(reasoning_details=[text_detail(signature="s")]), id="signature"),
        pytest.param(make_delta_chunk(reasoning_details=[sealed_detail("")]), id="encrypted reasoning"),
        pytest.param(make_delta_chunk(refusal="a"), id="refusal"),
        pytest.param(make_call_chunk(0, call_id="c", name="f"), id="tool call"),
        pytest.param(make_delta_chunk(function_call=FunctionCallDelta(name="f")), id="legacy call"),
        pytest.param(make_delta_chunk(images=[OutputImage()]), id="image"),
        pytest.param(make_delta_chunk(audio=AudioOutput(data="AA==")), id="sound"),
        pytest.param(make_delta_chunk(audio=AudioOutput(transcript="a")), id="transcript"),
        pytest.param(make_finish_chunk(), id="finish"),
        pytest.param(make_chunk(ChunkChoice(), ChunkChoice(index=1, delta=Delta(content="a"))), id="second choice"),
    ],
)
def test_content_is_what_a_client_sees(chunk: ChatCompletionChunk) -> None:
    """Text, reasoning, refusal, calls, images, sound and a finish are content."""
    assert has_content(chunk)


@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(make_chunk(), id="no choices"),
        pytest.param(make_usage_chunk(), id="usage"),
        pytest.param(make_delta_chunk(role="assistant"), id="role"),
        pytest.param(make_role_chunk(), id="role and empty text"),
        pytest.param(make_delta_chunk(reasoning="", refusal=""), id="empty texts"),
        pytest.param(make_delta_chunk(reasoning_details=[text_detail(""), summary_detail("")]), id="empty details"),
        pytest.param(make_delta_chunk(audio=AudioOutput(id="audio-1", transcript="")), id="name of a sound to come"),
        pytest.param(make_chunk(ChunkChoice(extra={"x": "1"})), id="unknown key"),
        pytest.param(make_chunk(service_tier="flex"), id="tier"),
    ],
)
def test_a_role_alone_is_no_content(chunk: ChatCompletionChunk) -> None:
    """What a client cannot see does not commit the answer to an endpoint."""
    assert not has_content(chunk)


# ---- merging ----


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([make_text_chunk("a")], [make_text_chunk("a")], id="one"),
        pytest.param([make_text_chunk("a"), make_text_chunk("b"), make_text_chunk("c")], [make_text_chunk("abc")]),
        pytest.param(
            [make_delta_chunk(reasoning="a"), make_delta_chunk(reasoning="b"), make_text_chunk("c")],
            [make_delta_chunk(reasoning="ab"), make_text_chunk("c")],
            id="kinds stay apart",
        ),
        pytest.param(
            [make_text_chunk("a", 0), make_text_chunk("b", 1), make_text_chunk("c", 1)],
            [make_text_chunk("a", 0), make_text_chunk("bc", 1)],
            id="choices stay apart",
        ),
        pytest.param(
            make_answer_chunks("x y z"), [make_role_chunk(), make_text_chunk("x y z"), *make_answer_chunks()[-2:]]
        ),
        pytest.param(
            [make_text_chunk("a"), make_finish_chunk(), make_text_chunk("b")],
            [make_text_chunk("a"), make_finish_chunk(), make_text_chunk("b")],
            id="only neighbours",
        ),
        pytest.param(
            [make_text_chunk("a"), make_chunk(ChunkChoice(delta=Delta(content="b")), service_tier="flex")],
            [make_text_chunk("a"), make_chunk(ChunkChoice(delta=Delta(content="b")), service_tier="flex")],
            id="a mark is not lost",
        ),
    ],
)
def test_neighbours_merge(batch: list[ChatCompletionChunk], expected: list[ChatCompletionChunk]) -> None:
    """Adjacent pieces of one text become one message; nothing else changes."""
    assert merge_deltas(copy_chunks(batch)) == expected


@given(chunks=STREAMS)
def test_merging_changes_no_answer(chunks: list[ChatCompletionChunk]) -> None:
    """A merged batch folds into the same answer."""
    assert fold(merge_deltas(copy_chunks(chunks))) == fold(chunks)


# ---- folding ----


@given(chunks=STREAMS)
def test_a_split_changes_no_answer(chunks: list[ChatCompletionChunk]) -> None:
    """A stream folds into the same answer however finely its texts were cut."""
    assert fold(split_stream(chunks)) == fold(chunks)


@given(chunks=STREAMS)
def test_batches_change_no_answer(chunks: list[ChatCompletionChunk]) -> None:
    """A stream folds into the same answer however its chunks were batched, and asking for it twice changes nothing."""
    summed = Fold()
    for chunk in chunks:
        summed.add([chunk])
        summed.result()
    assert summed.result() == summed.result() == fold(chunks)


@given(chunks=STREAMS)
def test_no_proof_is_lost(chunks: list[ChatCompletionChunk]) -> None:
    """Every encrypted piece is in the answer in order, and every signature is there."""
    said = [
        (choice.index, detail)
        for chunk in chunks
        for choice in chunk.choices
        for detail in choice.delta.reasoning_details
    ]
    kept = [(choice.index, detail) for choice in fold(chunks).choices for detail in choice.message.reasoning_details]
    by_choice = sorted(said, key=lambda pair: pair[0])
    assert [detail for _, detail in by_choice if detail.HasField("encrypted")] == [
        detail for _, detail in kept if detail.HasField("encrypted")
    ]
    assert {(index, detail.text.signature) for index, detail in said if detail.text.signature} == {
        (index, detail.text.signature) for index, detail in kept if detail.text.signature
    }


def test_an_answer_folds() -> None:
    """The whole answer has the stream's id, time and model, its text, finish and usage."""
    expected = ChatCompletion(id="upstream-1", created=1, model="one", usage=make_usage())
    choice = expected.choices.add(finish_reason=STOP)
    choice.message.content.append(ContentPart(text="hello there"))
    assert fold(make_answer_chunks("hello there")) == expected


def test_an_empty_stream_folds() -> None:
    """Nothing folds into an answer without choices."""
    assert fold([]) == ChatCompletion()


def test_what_is_said_once_is_kept() -> None:
    """Provider, tier, fingerprint and router metadata come through, wherever they stood."""
    chunks = [make_chunk(provider="Acme", service_tier="flex"), make_chunk(system_fingerprint="fp"), make_chunk()]
    chunks[2].openrouter_metadata.SetInParent()
    answer = fold(chunks)
    assert (answer.provider, answer.service_tier, answer.system_fingerprint) == ("Acme", "flex", "fp")
    assert answer.HasField("openrouter_metadata")


def test_choices_fold_apart() -> None:
    """Interleaved choices are told apart by index and written in its order."""
    chunks = [make_text_chunk("b", 1), make_text_chunk("a", 0), make_text_chunk("B", 1)]
    chunks += [make_finish_chunk(LENGTH, 1), make_finish_chunk(STOP, 0)]
    assert [
        (choice.index, choice.message.content[0].text, choice.finish_reason) for choice in fold(chunks).choices
    ] == [
        (0, "a", STOP),
        (1, "bB", LENGTH),
    ]


def test_no_text_is_not_an_empty_text() -> None:
    """A choice that only calls tools has no content, as JSON null says; an empty text stays one."""
    assert list(fold([make_call_chunk(0, "{}", call_id="c", name="f")]).choices[0].message.content) == []
    assert list(fold([make_text_chunk("")]).choices[0].message.content) == [ContentPart(text="")]


def test_tool_calls_fold_by_index() -> None:
    """Pieces of parallel calls find their call by index, though the id came only in the first piece; calls stand in order of index."""
    chunks = [
        make_call_chunk(1, "", call_id="call-b", name="second"),
        make_call_chunk(0, call_id="call-a", name="first"),
        make_call_chunk(1, '{"b":'),
        make_call_chunk(0, '{"a":1}'),
        make_call_chunk(1, "2}"),
    ]
    assert list(fold(chunks).choices[0].message.tool_calls) == [
        ToolCall(id="call-a", function=FunctionCall(name="first", arguments='{"a":1}')),
        ToolCall(id="call-b", function=FunctionCall(name="second", arguments='{"b":2}')),
    ]


def test_repeated_names_do_not_add_up() -> None:
    """Some servers repeat id and name in every piece: they are said once."""
    pieces = [make_call_chunk(0, piece, call_id="c", name="f") for piece in ("{", "}")]
    assert list(fold(pieces).choices[0].message.tool_calls) == [
        ToolCall(id="c", function=FunctionCall(name="f", arguments="{}"))
    ]


def test_a_legacy_call_folds() -> None:
    """The pieces of a `function_call` add up, unknown keys included."""
    pieces = [
        FunctionCallDelta(name="f"),
        FunctionCallDelta(arguments="{"),
        FunctionCallDelta(arguments="}", extra={"x": "1"}),
    ]
    message = fold_message(*(Delta(function_call=piece) for piece in pieces))
    assert message.function_call == FunctionCall(name="f", arguments="{}", extra={"x": "1"})


def test_sound_folds() -> None:
    """Data and transcript add up; id and expiry are said once."""
    pieces = [
        AudioOutput(id="audio-1", transcript="he"),
        AudioOutput(data="AAEC"),
        AudioOutput(data="AwQ=", transcript="llo"),
        AudioOutput(expires_at=9, extra={"x": "1"}),
    ]
    assert fold_message(*(Delta(audio=piece) for piece in pieces)).audio == AudioOutput(
        id="audio-1", transcript="hello", data="AAECAwQ=", expires_at=9, extra={"x": "1"}
    )


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param([base64.b64encode(bytes([byte])).decode() for byte in PAYLOAD], "AAECAwQFBg==", id="each padded"),
        pytest.param(["AAE", "CAwQ", "FBg=", "="], "AAECAwQFBg==", id="cut anywhere"),
        pytest.param(["A=A", "=*"], "A=A=*", id="no base64 at all"),
    ],
)
def test_sound_is_one_base64_text(pieces: list[str], expected: str) -> None:
    """Pieces encoded each by itself are joined as bytes: padding inside would end the sound for many readers."""
    assert fold_message(*(Delta(audio=AudioOutput(data=piece)) for piece in pieces)).audio.data == expected


def test_lists_append() -> None:
    """Images, annotations and log probabilities of all chunks are in the answer in order."""
    images = [OutputImage(image_url=ImageUrl(url=url)) for url in ("data:1", "data:2")]
    notes = [Annotation(url_citation=UrlCitation(url=url)) for url in ("https://a.test", "https://b.test")]
    tokens = [TokenLogprob(token="a", logprob=-1), TokenLogprob(token="b", logprob=-2)]
    chunks = [
        make_chunk(
            ChunkChoice(
                delta=Delta(images=[image], annotations=[note]), logprobs=Logprobs(content=[token], refusal=[token])
            )
        )
        for image, note, token in zip(images, notes, tokens, strict=True)
    ]
    choice = fold(chunks).choices[0]
    assert list(choice.message.images) == images
    assert list(choice.message.annotations) == notes
    assert (list(choice.logprobs.content), list(choice.logprobs.refusal)) == (tokens, tokens)


def test_unknown_keys_fold() -> None:
    """Unknown keys of choices, deltas and tool calls are in the answer; what is said again replaces."""
    chunk = make_call_chunk(0, call_id="c", name="f")
    chunk.choices[0].extra["stop_reason"] = "1"
    chunk.choices[0].delta.extra["vendor"] = '"x"'
    chunk.choices[0].delta.tool_calls[0].extra["thought"] = '"t"'
    chunk.choices[0].delta.tool_calls[0].function.extra["lang"] = '"l"'
    later = make_chunk(ChunkChoice(extra={"stop_reason": "2"}, native_finish_reason="end_turn"))
    choice = fold([chunk, later]).choices[0]
    assert (dict(choice.extra), choice.native_finish_reason) == ({"stop_reason": "2"}, "end_turn")
    assert dict(choice.message.extra) == {"vendor": '"x"'}
    assert dict(choice.message.tool_calls[0].extra) == {"thought": '"t"'}
    assert dict(choice.message.tool_calls[0].function.extra) == {"lang": '"l"'}


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param([text_detail("a"), text_detail("b")], [text_detail("ab")], id="text joins by index"),
        pytest.param(
            [text_detail("a"), text_detail("b"), text_detail(signature="s")],
            [text_detail("ab", "s")],
            id="the signature comes last",
        ),
        pytest.param(
            [text_detail("a", "s"), text_detail("", "s")], [text_detail("a", "s")], id="a signature said twice is one"
        ),
        pytest.param(
            [text_detail("a", "s"), text_detail(), text_detail("", "")], [text_detail("a", "s")], id="a signature stays"
        ),
        pytest.param(
            [text_detail("a", id="1"), text_detail("b", "s", id="2"), text_detail("c")],
            [text_detail("a", id="1"), text_detail("b", "s", id="2"), text_detail("c")],
            id="no text goes back past a signed one",
        ),
        pytest.param(
            [text_detail("a", "s"), text_detail("b")], [text_detail("a", "s"), text_detail("b")], id="signed is closed"
        ),
        pytest.param(
            [text_detail("a", "s"), text_detail("b"), text_detail("c", "t")],
            [text_detail("a", "s"), text_detail("bc", "t")],
            id="the next one grows",
        ),
        pytest.param(
            [text_detail("a", "s"), text_detail("", "t")],
            [text_detail("a", "s"), text_detail("", "t")],
            id="no signature is overwritten",
        ),
        pytest.param(
            [text_detail("a"), text_detail("b", index=1), text_detail("c"), text_detail("d", index=1)],
            [text_detail("ac"), text_detail("bd", index=1)],
            id="interleaved indices",
        ),
        pytest.param(
            [text_detail("a", index=None), text_detail("b", index=None)], [text_detail("ab", index=None)], id="no index"
        ),
        pytest.param(
            [text_detail("a", index=None), sealed_detail("x", index=None), text_detail("b", index=None)],
            [text_detail("a", index=None), sealed_detail("x", index=None), text_detail("b", index=None)],
            id="without index only neighbours join",
        ),
        pytest.param(
            [text_detail("a", id="1"), text_detail("b"), text_detail("c", id="2")],
            [text_detail("ab", id="1"), text_detail("c", id="2")],
            id="another id is another piece",
        ),
        pytest.param(
            [text_detail("a", format="f"), text_detail("b", format="g")],
            [text_detail("a", format="f"), text_detail("b", format="g")],
            id="another format is another piece",
        ),
        pytest.param(
            [text_detail("a"), text_detail("b", id="1", format="f", extra={"x": "1"})],
            [text_detail("ab", id="1", format="f", extra={"x": "1"})],
            id="what comes later is added",
        ),
        pytest.param(
            [summary_detail("a"), summary_detail("b"), sealed_detail("x"), summary_detail("c")],
            [summary_detail("abc"), sealed_detail("x")],
            id="summaries join past an encrypted part of the same index",
        ),
        pytest.param(
            [sealed_detail("x"), sealed_detail("x"), sealed_detail("y", id="1")],
            [sealed_detail("x"), sealed_detail("x"), sealed_detail("y", id="1")],
            id="encrypted parts never join",
        ),
        pytest.param(
            [ReasoningDetail(index=0, unknown='{"type":"n"}'), ReasoningDetail(index=0, unknown='{"type":"n"}')],
            [ReasoningDetail(index=0, unknown='{"type":"n"}'), ReasoningDetail(index=0, unknown='{"type":"n"}')],
            id="unknown types never join",
        ),
    ],
)
def test_reasoning_details_fold(pieces: list[ReasoningDetail], expected: list[ReasoningDetail]) -> None:
    """Text joins by index; what is signed, opaque or unknown is kept as it came."""
    assert fold_details(*pieces) == expected


def test_reasoning_folds_twice() -> None:
    """Reasoning as text and as details are both in the answer."""
    message = fold([make_reasoning_chunk("think "), make_reasoning_chunk("twice", id="r")]).choices[0].message
    assert message.reasoning == "think twice"
    assert list(message.reasoning_details) == [text_detail("think twice", id="r")]


def test_folding_takes_linear_time() -> None:
    """A megabyte of sound and of reasoning in small pieces folds in well under a second: each piece is touched once."""
    pieces = [
        make_delta_chunk(audio=AudioOutput(data="A" * 64), reasoning_details=[text_detail("r" * 64)])
        for _ in range(16_000)
    ]
    begun_s = time.process_time()
    answer = fold(pieces)
    assert time.process_time() - begun_s < 2
    assert len(answer.choices[0].message.audio.data) == len(answer.choices[0].message.reasoning_details[0].text.text)


# ---- failing ----


def test_a_failure_keeps_what_came() -> None:
    """The partial answer has the error; a choice that had not ended ends with `error`, one that had keeps its finish."""
    summed = Fold()
    summed.add([make_text_chunk("a", 0), make_finish_chunk(STOP, 0), make_text_chunk("b", 1)])
    answer = summed.fail(ErrorBody(code=502, message="gone"))
    assert answer.error.code == 502
    assert [choice.finish_reason for choice in answer.choices] == [STOP, ERROR]
    assert [choice.message.content[0].text for choice in answer.choices] == ["a", "b"]


def test_a_failure_without_choices_has_one() -> None:
    """A failed answer always has a choice that says so."""
    answer = Fold().fail(ErrorBody(code=502, message="gone"))
    assert [(choice.index, choice.finish_reason) for choice in answer.choices] == [(0, ERROR)]


def test_the_fold_knows_whether_content_came() -> None:
    """A role is no content, a text is, and a later empty chunk changes nothing."""
    summed = Fold()
    seen = []
    for chunk in (make_role_chunk(), make_text_chunk("a"), make_usage_chunk()):
        summed.add([chunk])
        seen.append(summed.has_content)
    assert seen == [False, True, True]
