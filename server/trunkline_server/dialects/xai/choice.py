# SPDX-License-Identifier: Apache-2.0
"""What has been said of one choice, and the deltas of what xAI says next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import orjson

from trunkline.v1.chat_response_pb2 import ChunkChoice, Delta, FinishReason, TokenLogprob, TopLogprob
from trunkline_server.dialects.xai.messages import FORMAT

if TYPE_CHECKING:
    from xai_sdk.proto.v6.chat_pb2 import CompletionOutputChunk, InlineCitation, LogProb, ToolCall

_FINISHES: Final[Mapping[int, FinishReason.ValueType]] = MappingProxyType(
    {
        1: FinishReason.FINISH_REASON_LENGTH,  # REASON_MAX_LEN
        2: FinishReason.FINISH_REASON_LENGTH,  # REASON_MAX_CONTEXT
        3: FinishReason.FINISH_REASON_STOP,  # REASON_STOP
        4: FinishReason.FINISH_REASON_TOOL_CALLS,  # REASON_TOOL_CALLS
        5: FinishReason.FINISH_REASON_LENGTH,  # REASON_TIME_LIMIT
    }
)
_OWN_CALLS: Final = frozenset({0, 1})
"""TOOL_CALL_TYPE_INVALID, which is no word about it, and TOOL_CALL_TYPE_CLIENT_SIDE_TOOL. All other types are tools that xAI runs."""
_IN_PROGRESS: Final = 0
_IMAGE_CALL: Final = 10
"""TOOL_CALL_TYPE_IMAGE_GENERATION_TOOL."""
_IMAGE_MADE: Final = "image_generation_result"
_MOST_INT32: Final = 2**31 - 1
_ROLE_BYTES: Final = 2
"""The size of a delta that has a role and nothing else."""


def finish_of(number: int) -> FinishReason.ValueType:
    """The contract's word for a finish reason of xAI's; "stop" for one that is not known."""
    return _FINISHES.get(number, FinishReason.FINISH_REASON_STOP)


class _Call:
    """A tool call that has begun: its place, and what was said of its arguments."""

    __slots__ = ("arguments", "index")

    def __init__(self, index: int) -> None:
        self.index = index
        self.arguments = ""


class ChoiceReader:
    """Reads the outputs of one choice in order. `finish` is the last step's finish reason, 0 where it has none yet."""

    __slots__ = ("_begun", "_calls", "_cited", "_details", "_encrypted", "_images", "_length", "_offset", "_output", "_reasoning", "finish", "index")  # fmt: skip

    def __init__(self, index: int) -> None:
        self.index = index
        self.finish = 0
        self._begun = False
        self._calls: dict[str, _Call] = {}
        self._cited: set[str] = set()
        self._details = 0
        self._encrypted: int | None = None
        self._images = 0
        self._reasoning: int | None = None
        self._length = 0
        self._offset = 0
        self._output = -1

    @staticmethod
    def shows_steps(output: CompletionOutputChunk) -> bool:
        """Whether an output tells of a tool that xAI runs itself."""
        return any(call.type not in _OWN_CALLS for call in output.delta.tool_calls)

    def begin(self, delta: Delta) -> None:
        """Writes the role where it has not been written."""
        if not self._begun:
            self._begun = True
            delta.role = "assistant"

    def read(self, output: CompletionOutputChunk, choice: ChunkChoice, delta: Delta) -> bool:
        """Writes what an output says into a choice and its delta. False where it says nothing to a client."""
        said = output.delta
        if output.index > self._output and (said.ByteSize() > _ROLE_BYTES or output.finish_reason):
            self._begin_step(output.index)
        if output.finish_reason:
            self.finish = output.finish_reason
        self._read_reasoning(said.reasoning_content, said.encrypted_content, delta)
        if said.content:
            delta.content = said.content
            self._length += len(said.content)
        for call in said.tool_calls:
            if call.type in _OWN_CALLS:
                self._read_call(call, delta)
        for citation in said.citations:
            self._read_citation(citation, delta)
        choice.logprobs.content.extend(map(_read_token, output.logprobs.content))
        if not choice.logprobs.content:
            choice.ClearField("logprobs")
        if not delta.ByteSize() and not choice.HasField("logprobs"):
            return False
        self.begin(delta)
        return True

    def read_found(self, output: CompletionOutputChunk, delta: Delta) -> bool:
        """Writes the image that a tool of xAI's made; False where there is none. What other tools found, the model says as far as it counts.

        It comes as JSON, whole in one message (`ImageGenerationOutput` in xAI's own client).
        """
        if all(call.type != _IMAGE_CALL for call in output.delta.tool_calls):
            return False
        try:
            made = orjson.loads(output.delta.content)
        except orjson.JSONDecodeError:
            return False
        url = made.get("result") if type(made) is dict and made.get("__type") == _IMAGE_MADE else None
        if type(url) is not str or not url:
            return False
        self.begin(delta)
        delta.images.add(index=self._images).image_url.url = url
        self._images += 1
        return True

    def cite(self, sources: Iterable[str], delta: Delta) -> None:
        """Writes the pages that the answer is based on and no place of it names."""
        for url in sources:
            if url and url not in self._cited:
                self._cited.add(url)
                delta.annotations.add().url_citation.url = url

    def _begin_step(self, output_index: int) -> None:
        """Another output begins: its citations count from its own beginning, its reasoning is its own, and its end is to come."""
        self._output = output_index
        self._offset = self._length
        self._reasoning = self._encrypted = None
        self.finish = 0

    def _read_reasoning(self, text: str, encrypted: str, delta: Delta) -> None:
        if text:
            if self._reasoning is None:
                self._reasoning = self._next_detail()
            delta.reasoning = text
            delta.reasoning_details.add(index=self._reasoning, format=FORMAT).text.text = text
        if encrypted:
            if self._encrypted is None:
                self._encrypted = self._next_detail()
            delta.reasoning_details.add(index=self._encrypted, format=FORMAT).encrypted.data = encrypted

    def _next_detail(self) -> int:
        self._details += 1
        return self._details - 1

    def _read_call(self, call: ToolCall, delta: Delta) -> None:
        """A call comes whole, or (INCLUDE_OPTION_TOOL_CALL_STREAMING) in pieces and then whole once more."""
        known = self._calls.get(call.id) if call.id else None
        arguments, is_piece = call.function.arguments, call.status == _IN_PROGRESS
        if known is None:
            index = len(self._calls)
            call_id = call.id or f"call_{self.index}_{index}"
            self._calls[call_id] = known = _Call(index)
            piece = delta.tool_calls.add(index=index, id=call_id, type="function")
            piece.function.name = call.function.name
        else:
            if not is_piece:
                arguments = arguments.removeprefix(known.arguments) if arguments.startswith(known.arguments) else ""
            if not arguments:
                return
            piece = delta.tool_calls.add(index=known.index)
        known.arguments += arguments
        piece.function.arguments = arguments

    def _read_citation(self, citation: InlineCitation, delta: Delta) -> None:
        kind = citation.WhichOneof("citation")
        if kind is None or kind == "collections_citation":
            return  # a file of the account's, which no URL names
        url = citation.web_citation.url if kind == "web_citation" else citation.x_citation.url
        self._cited.add(url)
        made = delta.annotations.add().url_citation
        made.url = url
        if 0 <= citation.start_index <= citation.end_index <= _MOST_INT32 - self._offset:
            made.start_index = citation.start_index + self._offset
            made.end_index = citation.end_index + self._offset


def _read_token(token: LogProb) -> TokenLogprob:
    tops = [TopLogprob(token=top.token, logprob=top.logprob, bytes=top.bytes) for top in token.top_logprobs]
    return TokenLogprob(token=token.token, logprob=token.logprob, bytes=token.bytes, top_logprobs=tops)
