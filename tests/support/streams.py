# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies for streams of chunks, and the splitting of a stream into smaller pieces."""

from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from trunkline.v1.chat_response_pb2 import (
    ChatCompletionChunk,
    ChunkChoice,
    Delta,
    FinishReason,
    FunctionCallDelta,
    Logprobs,
    TokenLogprob,
    ToolCallDelta,
)
from trunkline.v1.message_pb2 import (
    Annotation,
    AudioOutput,
    ImageUrl,
    OutputImage,
    ReasoningDetail,
    ReasoningEncrypted,
    ReasoningServerToolCall,
    ReasoningSummary,
    ReasoningText,
    UrlCitation,
)

TEXTS = st.text(max_size=6)
WORDS = st.sampled_from(["a", "b", "c"])
PLACES = st.integers(min_value=0, max_value=2)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A value or None, which protobuf's constructors take for unset."""
    return st.none() | values


DETAILS: st.SearchStrategy[ReasoningDetail] = st.one_of(
    st.builds(
        ReasoningDetail,
        text=st.builds(ReasoningText, text=maybe(TEXTS), signature=maybe(WORDS)),
        index=maybe(PLACES),
        id=maybe(WORDS),
        format=maybe(WORDS),
    ),
    st.builds(
        ReasoningDetail, summary=st.builds(ReasoningSummary, summary=maybe(TEXTS)), index=maybe(PLACES), id=maybe(WORDS)
    ),
    st.builds(ReasoningDetail, encrypted=st.builds(ReasoningEncrypted, data=TEXTS), index=maybe(PLACES)),
    st.builds(ReasoningDetail, server_tool_call=st.builds(ReasoningServerToolCall, arguments=TEXTS)),
    st.builds(ReasoningDetail, unknown=st.just('{"type":"reasoning.new"}'), index=maybe(PLACES)),
)
FUNCTIONS = st.builds(FunctionCallDelta, name=maybe(WORDS), arguments=maybe(TEXTS))
DELTAS: st.SearchStrategy[Delta] = st.one_of(
    st.builds(Delta, role=maybe(st.just("assistant")), content=maybe(TEXTS)),
    st.builds(Delta, content=TEXTS),
    st.builds(Delta, reasoning=maybe(TEXTS), reasoning_details=st.lists(DETAILS, max_size=2)),
    st.builds(Delta, refusal=TEXTS),
    st.builds(
        Delta,
        tool_calls=st.lists(st.builds(ToolCallDelta, index=PLACES, id=maybe(WORDS), function=FUNCTIONS), max_size=2),
    ),
    st.builds(Delta, function_call=FUNCTIONS),
    st.builds(
        Delta,
        audio=st.builds(AudioOutput, id=maybe(WORDS), data=maybe(st.text("abcd", max_size=6)), transcript=maybe(TEXTS)),
    ),
    st.builds(
        Delta,
        images=st.lists(st.builds(OutputImage, image_url=st.builds(ImageUrl, url=WORDS)), max_size=1),
        annotations=st.lists(st.builds(Annotation, url_citation=st.builds(UrlCitation, url=WORDS)), max_size=1),
        extra=st.dictionaries(WORDS, st.just("1"), max_size=1),
    ),
)
CHOICES = st.builds(
    ChunkChoice,
    index=PLACES,
    delta=DELTAS,
    finish_reason=maybe(st.sampled_from([FinishReason.FINISH_REASON_STOP, FinishReason.FINISH_REASON_LENGTH])),
    logprobs=maybe(st.builds(Logprobs, content=st.lists(st.builds(TokenLogprob, token=WORDS), max_size=1))),
    extra=st.dictionaries(WORDS, st.just("2"), max_size=1),
)
PLAIN_CHOICES = st.builds(ChunkChoice, index=st.integers(0, 1), delta=st.builds(Delta, content=TEXTS))
CHUNKS: st.SearchStrategy[ChatCompletionChunk] = st.builds(
    ChatCompletionChunk,
    id=st.just("gen-1"),
    created=st.just(1),
    model=st.just("acme/one"),
    choices=st.lists(CHOICES, max_size=2) | st.lists(PLAIN_CHOICES, min_size=1, max_size=1),
    service_tier=maybe(st.sampled_from(["flex", "priority"])),
    system_fingerprint=maybe(st.just("fp")),
)
STREAMS = st.lists(CHUNKS, max_size=8)


def copy_chunks(chunks: Sequence[ChatCompletionChunk]) -> list[ChatCompletionChunk]:
    """Chunks of their own, for code that uses up what it is given."""
    return [ChatCompletionChunk.FromString(chunk.SerializeToString()) for chunk in chunks]


def split_stream(chunks: Sequence[ChatCompletionChunk]) -> list[ChatCompletionChunk]:
    """The stream in the smallest pieces that say the same: one choice a chunk, one character a piece of text."""
    return [piece for chunk in chunks for piece in _split_chunk(chunk)]


def _split_chunk(chunk: ChatCompletionChunk) -> Iterator[ChatCompletionChunk]:
    bare = ChatCompletionChunk.FromString(chunk.SerializeToString())
    del bare.choices[:]
    if not chunk.choices:
        yield bare
    for choice in chunk.choices:
        end = ChunkChoice.FromString(choice.SerializeToString())
        end.ClearField("delta")
        for delta in [*_split_delta(choice.delta), None]:
            piece = ChatCompletionChunk.FromString(bare.SerializeToString())
            piece.choices.append(end if delta is None else ChunkChoice(index=choice.index, delta=delta))
            yield piece


def _split_delta(delta: Delta) -> Iterator[Delta]:
    rest = Delta.FromString(delta.SerializeToString())
    for name in ("content", "reasoning", "refusal"):
        if delta.HasField(name):
            yield from (Delta(**{name: letter}) for letter in _letters(getattr(delta, name)))
            rest.ClearField(name)
    for detail in delta.reasoning_details:
        yield from (Delta(reasoning_details=[piece]) for piece in _split_detail(detail))
    for call in delta.tool_calls:
        yield from (Delta(tool_calls=[piece]) for piece in _split_call(call))
    if delta.HasField("function_call"):
        yield from (Delta(function_call=piece) for piece in _split_function(delta.function_call))
    if delta.HasField("audio"):
        yield from (Delta(audio=piece) for piece in _split_audio(delta.audio))
    for name in ("reasoning_details", "tool_calls", "function_call", "audio"):
        rest.ClearField(name)
    yield rest


def _letters(text: str) -> list[str]:
    return list(text) or [""]


def _split_detail(detail: ReasoningDetail) -> Iterator[ReasoningDetail]:
    """Letters of a text or summary, each with the place; id and format in the first piece, the signature in the last."""
    kind = detail.WhichOneof("detail")
    text = detail.text.text or detail.summary.summary
    if kind not in ("text", "summary") or len(text) < 2:
        yield detail
        return
    for place, letter in enumerate(text):
        piece = ReasoningDetail(index=detail.index if detail.HasField("index") else None)
        if place == 0:
            piece.MergeFrom(detail)
            piece.text.ClearField("signature")
        if kind == "summary":
            piece.summary.summary = letter
        else:
            piece.text.text = letter
        if place == len(text) - 1 and detail.text.HasField("signature"):
            piece.text.signature = detail.text.signature
        yield piece


def _split_call(call: ToolCallDelta) -> Iterator[ToolCallDelta]:
    """The id in the first piece alone."""
    for place, function in enumerate(_split_function(call.function)):
        yield ToolCallDelta(
            index=call.index, id=call.id if place == 0 and call.HasField("id") else None, function=function
        )


def _split_function(function: FunctionCallDelta) -> Iterator[FunctionCallDelta]:
    """The name in the first piece alone, then the letters of the arguments."""
    yield FunctionCallDelta(name=function.name if function.HasField("name") else None)
    yield from (FunctionCallDelta(arguments=letter) for letter in function.arguments)


def _split_audio(audio: AudioOutput) -> Iterator[AudioOutput]:
    """The id first, then the letters of the data, then those of the transcript."""
    yield AudioOutput(id=audio.id if audio.HasField("id") else None)
    if audio.HasField("data"):
        yield from (AudioOutput(data=letter) for letter in _letters(audio.data))
    if audio.HasField("transcript"):
        yield from (AudioOutput(transcript=letter) for letter in _letters(audio.transcript))
