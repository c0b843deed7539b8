# SPDX-License-Identifier: Apache-2.0
"""JSON values of the openai_chat answer, made regular and read into chunks.

Both forms of an answer come through here: the events of a stream, and a whole answer, which is one event whose choices hold a message instead of a
delta. What is irregular is put right in the parsed JSON, before the codec reads it: a look into a dict costs less than one into a message, and most
chunks need nothing but looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from trunkline.v1.chat_response_pb2 import ChatCompletionChunk
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.chunks import has_content
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.openai_chat.errors import error_of_value, is_error
from trunkline_server.dialects.openai_chat.parts import spread_parts
from trunkline_server.dialects.openai_chat.tool_calls import ToolCallJoiner
from trunkline_server.dialects.openai_chat.usage import read_usage
from trunkline_server.dialects.reasoning import UNKNOWN_FORMAT
from trunkline_server.jsonshape import Codec

MAX_CHOICES: Final = 128
"""Most answers that a call can ask for; a higher index is no answer."""

_ERROR: Final = "error"

FINISH_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "stop": "stop",
        "length": "length",
        "tool_calls": "tool_calls",
        "content_filter": "content_filter",
        "function_call": "function_call",
        "error": _ERROR,
        # Words that OpenAI-compatible servers pass on from the model's own language.
        "max_tokens": "length",
        "max_output_tokens": "length",
        "model_length": "length",
        "model_context_window_exceeded": "length",
        "tool_call": "tool_calls",
        "tool_use": "tool_calls",
        "safety": "content_filter",
        "sensitive": "content_filter",
        "recitation": "content_filter",
        "prohibited_content": "content_filter",
        "blocklist": "content_filter",
        "spii": "content_filter",
        # DeepSeek's API reference: the answer was interrupted for lack of resources.
        "insufficient_system_resource": _ERROR,
    }
)
"""A provider's finish reason in lower case to the contract's. Any other, such as "end_turn" or "eos", is "stop"."""

_NO_FINISH: Final = frozenset({"", "null", "none"})


class _Choice:
    """What is known of one choice: whether it has said anything yet, and whether it has ended."""

    __slots__ = ("calls", "ended", "index", "said")

    def __init__(self, index: int) -> None:
        self.index = index
        self.said = False
        self.ended = False
        self.calls: ToolCallJoiner | None = None


class ChunkReader:
    """Reads the JSON values of one answer, in order.

    `failure` is set when a value tells of one; the chunk that `read` returned with it, if any, still counts, and nothing may be read afterwards.
    """

    __slots__ = ("_choices", "_codec", "_headers", "failure")

    def __init__(self, codec: Codec, headers: Mapping[str, str]) -> None:
        self._codec = codec
        self._headers = headers
        self._choices: dict[int, _Choice] = {}
        self.failure: GatewayError | None = None

    @property
    def is_complete(self) -> bool:
        """Whether at least one choice has begun and all that began have ended."""
        return bool(self._choices) and all(choice.ended for choice in self._choices.values())

    def read(self, value: object) -> ChatCompletionChunk | None:
        """The chunk of a value; None where it adds nothing. The value is used up."""
        if type(value) is not dict:
            self.failure = _invalid("The provider sent JSON that is no chunk of an answer.")
            return None
        if is_error(value):
            self.failure = error_of_value(value, self._headers)
            value.pop("error", None)
        choices = value.get("choices")
        kept = []
        if type(choices) is list and choices:
            value["choices"] = kept = [raw for place, raw in enumerate(choices) if self._keep_choice(value, raw, place)]
        usage = value.get("usage")
        if usage is not None:
            value["usage"] = usage = read_usage(usage)
        if not kept and usage is None:
            return None
        chunk = self._codec.decode(ChatCompletionChunk, value, strict=False)
        if self.failure is not None and not has_content(chunk):
            return None
        return chunk

    def end(self) -> Batch:
        """What is due when the provider says that the answer is whole: a finish for each choice that was left open.

        Sets `failure` where nothing was said at all, and where a call is left open in the middle of its arguments.
        """
        if not any(choice.said or choice.ended for choice in self._choices.values()):
            self.failure = _invalid("The provider sent an empty answer.")
            return []
        batch: Batch = []
        for choice in self._choices.values():
            if not choice.ended and choice.calls is not None and choice.calls.is_cut:
                self.failure = cut_off()
                return batch
            if not choice.ended:
                choice.ended = True
                reason = "tool_calls" if choice.calls is not None and choice.calls.begun else "stop"
                raw = {"choices": [{"index": choice.index, "delta": {}, "finish_reason": reason}]}
                batch.append(self._codec.decode(ChatCompletionChunk, raw, strict=False))
        return batch

    def _keep_choice(self, value: dict[str, Any], raw: object, place: int) -> bool:
        """Makes a choice regular. Whether anything of it counts."""
        if type(raw) is not dict:
            return False
        index = raw.get("index")
        if type(index) is not int:
            raw["index"] = index = place
        choice = self._choices.get(index)
        if choice is None:
            if not 0 <= index < MAX_CHOICES:
                self.failure = self.failure or _invalid(f"The provider sent a choice with the index {index}.")
                return False
            self._choices[index] = choice = _Choice(index)
            delta = _delta_of(raw)
            delta["role"] = "assistant"
        elif choice.ended:
            return False
        else:
            delta = _delta_of(raw)
            if "role" in delta:
                del delta["role"]
        if type(delta.get("content")) is list:
            spread_parts(delta)
        if "reasoning_content" in delta or "reasoning" in delta:
            _add_detail(delta)
        if delta.get("tool_calls"):
            self._join_tool_calls(choice, delta, value.get("id"))
        if not choice.said:
            choice.said = any(text for key, text in delta.items() if key != "role")
        if raw.get("finish_reason") is not None:
            self._finish(value, raw, choice)
        return True

    def _join_tool_calls(self, choice: _Choice, delta: dict[str, Any], answer_id: object) -> None:
        pieces = delta["tool_calls"]
        if type(pieces) is dict:
            pieces = [pieces]
        if type(pieces) is not list:
            del delta["tool_calls"]
            return
        if choice.calls is None:
            choice.calls = ToolCallJoiner(choice.index)
        delta["tool_calls"] = choice.calls.rewrite(pieces, answer_id if type(answer_id) is str else "")

    def _finish(self, value: dict[str, Any], raw: dict[str, Any], choice: _Choice) -> None:
        """Reads a finish reason; one that tells of a failure is none."""
        said = raw["finish_reason"]
        reason = FINISH_REASONS.get(said.lower(), "stop") if type(said) is str else None
        if reason is None or said in _NO_FINISH:
            raw["finish_reason"] = None
            return
        if reason == _ERROR or self.failure is not None:
            self._fail_choice(raw, said)
            return
        raw["finish_reason"] = reason
        if type(raw.get("native_finish_reason")) is not str:
            raw["native_finish_reason"] = said
        choice.ended = True
        # Moonshot's servers report usage inside the choice that ends.
        if value.get("usage") is None and type(raw.get("usage")) is dict:
            value["usage"] = raw.pop("usage")

    def _fail_choice(self, raw: dict[str, Any], said: str) -> None:
        raw["finish_reason"] = raw["native_finish_reason"] = None
        error = raw.pop("error", None)
        if self.failure is None and error:
            self.failure = error_of_value({"error": error}, self._headers)
        elif self.failure is None:
            self.failure = GatewayError(
                ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
                "The provider ended the answer with a failure.",
                provider_code=said[:64],
            )


def _add_detail(delta: dict[str, Any]) -> None:
    """Tells reasoning that came as text alone in the form of details, too: clients send those back in later turns."""
    text = delta.get("reasoning_content") or delta.get("reasoning")
    if type(text) is str and text and not delta.get("reasoning_details"):
        delta["reasoning_details"] = [{"type": "reasoning.text", "text": text, "format": UNKNOWN_FORMAT, "index": 0}]


def _delta_of(raw: dict[str, Any]) -> dict[str, Any]:
    """The delta of a choice: its own, else the message of a whole answer, else an empty one."""
    delta = raw.get("delta")
    if type(delta) is dict:
        return delta
    message = raw.pop("message", None)
    raw["delta"] = made = message if type(message) is dict else {}
    return made


def cut_off() -> GatewayError:
    """The failure of an answer that is not whole."""
    message = "The provider's answer broke off before its end."
    return GatewayError(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, message)


def _invalid(message: str) -> GatewayError:
    return GatewayError(ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE, message)
