# SPDX-License-Identifier: Apache-2.0
"""Answers of xAI's, whose blocks are one `GetChatCompletionChunk` each, as `upstream/grpc.py` gives them.

Theory. An output has an index. Of several answers (`n`) each has its own; but where xAI runs tools of its own, the outputs are the steps of one answer: the
model's, then a tool's, then the model's again. A request never asks for both (`request.py`), so the first sign of such a tool says that all is one choice.
Each step of the model ends with a finish reason, and only the end of the stream tells which was the last. So finish, usage and the list of sources, which
each count anew, wait for it; only a stream whose every choice has its finish is whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError

from trunkline.v1.chat_response_pb2 import ChatCompletionChunk, ChunkChoice, Delta
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.usage_pb2 import Usage
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.xai.choice import ChoiceReader, finish_of
from trunkline_server.dialects.xai.stubs import chat_stubs
from trunkline_server.dialects.xai.usage import read_usage

if TYPE_CHECKING:
    from xai_sdk.proto.v6.chat_pb2 import GetChatCompletionChunk

MAX_CHOICES: Final = 128
"""Most answers that a call can ask for; a higher index is no answer."""

_TOOL_ROLES: Final = frozenset({4, 5})
"""ROLE_FUNCTION and ROLE_TOOL."""
_TIERS: Final = {1: "default", 2: "priority"}


class XaiDecoder:
    """Decodes one answer."""

    __slots__ = ("_choices", "_head", "_is_stepwise", "_sources", "_stubs", "_usage")

    def __init__(self) -> None:
        """Raises GatewayError (FEATURE_UNAVAILABLE) where xAI's package is not installed."""
        self._stubs = chat_stubs()
        self._choices: dict[int, ChoiceReader] = {}
        self._head = ChatCompletionChunk()
        self._is_stepwise = False
        self._sources: dict[str, None] = {}
        self._usage: Usage | None = None

    @property
    def finished(self) -> bool:
        """Never: only the status of the call tells."""
        return False

    def feed(self, block: bytes) -> Batch:
        """The chunks of a message, one for each output that says something."""
        try:
            message: GetChatCompletionChunk = self._stubs.GetChatCompletionChunk.FromString(block)
        except DecodeError as error:
            raise _failed(_INVALID, "The provider sent a message that is no chunk of an answer.") from error
        self._read_head(message)
        batch: Batch = []
        for output in message.outputs:
            chunk, choice, delta = self._new_chunk()
            is_tool = output.delta.role in _TOOL_ROLES
            self._is_stepwise = self._is_stepwise or is_tool or ChoiceReader.shows_steps(output)
            reader = self._choice_of(output.index)
            if reader.read_found(output, delta) if is_tool else reader.read(output, choice, delta):
                choice.index = reader.index
                batch.append(chunk)
        return batch

    def close(self) -> Batch:
        """The finish of each choice, and usage. Raises GatewayError where a choice had no end."""
        if not self._choices or any(not reader.finish for reader in self._choices.values()):
            raise _failed(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, "The provider's answer broke off.")
        batch: Batch = []
        for reader in self._choices.values():
            chunk, choice, delta = self._new_chunk()
            choice.index = reader.index
            reader.begin(delta)
            choice.native_finish_reason = self._name_of(reader.finish)
            choice.finish_reason = finish_of(reader.finish)
            if reader.index == 0:
                reader.cite(self._sources, delta)
            batch.append(chunk)
        if self._usage is not None:
            batch[-1].usage.CopyFrom(self._usage)
        return batch

    def _choice_of(self, output_index: int) -> ChoiceReader:
        """The choice that an output belongs to."""
        index = 0 if self._is_stepwise else output_index
        reader = self._choices.get(index)
        if reader is None:
            if not 0 <= index < MAX_CHOICES:
                raise _failed(_INVALID, f"The provider sent an output with the index {index}.")
            self._choices[index] = reader = ChoiceReader(index)
        return reader

    def _read_head(self, message: GetChatCompletionChunk) -> None:
        """Takes what belongs to the whole answer."""
        head = self._head
        if not head.id:
            head.id, head.model = message.id, message.model
            head.created = max(message.created.seconds, 0)
            if message.system_fingerprint:
                head.system_fingerprint = message.system_fingerprint
        if message.service_tier in _TIERS:
            head.service_tier = _TIERS[message.service_tier]
        if message.HasField("usage"):
            self._usage = read_usage(message.usage) or self._usage
        self._sources.update(dict.fromkeys(message.citations))

    def _new_chunk(self) -> tuple[ChatCompletionChunk, ChunkChoice, Delta]:
        chunk = ChatCompletionChunk()
        chunk.CopyFrom(self._head)
        choice = chunk.choices.add()
        choice.delta.SetInParent()
        return chunk, choice, choice.delta

    def _name_of(self, finish: int) -> str:
        """The word of a finish reason at xAI; its number where the word is newer than the package."""
        field = self._stubs.CompletionOutputChunk.DESCRIPTOR.fields_by_name["finish_reason"]
        value = field.enum_type.values_by_number.get(finish)
        return str(finish) if value is None else str(value.name)


_INVALID: Final = ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE


def _failed(reason: ErrorReason.ValueType, message: str) -> GatewayError:
    return GatewayError(reason, message)
