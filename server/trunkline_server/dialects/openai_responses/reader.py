# SPDX-License-Identifier: Apache-2.0
"""The events of one answer, read into chunks. A whole answer is the last event alone.

What the contract cannot tell of a turn, such as a search that the provider ran, is kept as the turn's items, see `names.py`. Events that are not named here
repeat what others say, or tell how far a tool of the provider's is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from trunkline.v1.chat_response_pb2 import FinishReason
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.usage_pb2 import Usage
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.openai_chat.errors import is_error
from trunkline_server.dialects.openai_responses.errors import error_of_event
from trunkline_server.dialects.openai_responses.names import is_text
from trunkline_server.dialects.openai_responses.turn import REASONING, REFUSAL, SUMMARY, TEXT, Turn
from trunkline_server.dialects.openai_responses.usage import parse_usage
from trunkline_server.jsonshape import Codec

INCOMPLETE: Final[Mapping[str, FinishReason.ValueType]] = MappingProxyType(
    {
        "max_output_tokens": FinishReason.FINISH_REASON_LENGTH,
        "max_tokens": FinishReason.FINISH_REASON_LENGTH,
        "content_filter": FinishReason.FINISH_REASON_CONTENT_FILTER,
        "max_messages": FinishReason.FINISH_REASON_STOP,
        "steered": FinishReason.FINISH_REASON_STOP,
    }
)
"""`incomplete_details.reason` to the contract's finish reason. Any other counts as a limit that was reached."""

_CONTENT_INDEX: Final = "content_index"
_SUMMARY_INDEX: Final = "summary_index"
_DELTAS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "response.output_text.delta": (TEXT, _CONTENT_INDEX),
        "response.refusal.delta": (REFUSAL, _CONTENT_INDEX),
        "response.reasoning_summary_text.delta": (SUMMARY, _SUMMARY_INDEX),
        "response.reasoning_text.delta": (REASONING, _CONTENT_INDEX),
    }
)
"""Events with a piece of a part in `delta`: the part's kind, and the key of its index."""
_WHOLES: Final[Mapping[str, tuple[str, str, str]]] = MappingProxyType(
    {
        "response.output_text.done": (TEXT, _CONTENT_INDEX, "text"),
        "response.refusal.done": (REFUSAL, _CONTENT_INDEX, "refusal"),
        "response.reasoning_summary_text.done": (SUMMARY, _SUMMARY_INDEX, "text"),
        "response.reasoning_text.done": (REASONING, _CONTENT_INDEX, "text"),
    }
)
"""Events with a whole part: its kind, the key of its index, the key of its text."""
_ARGUMENTS: Final = frozenset({"response.function_call_arguments.delta", "response.custom_tool_call_input.delta"})
_FAILURES: Final = frozenset({"error", "response.failed", "response.cancelled"})
_NO_ANSWER: Final = frozenset({"failed", "cancelled", "queued", "in_progress"})
"""What the `status` of an answer that should be whole says where it is none."""


class AnswerReader:
    """Reads the JSON values of one answer, in order.

    `failure` is set when a value tells of one, `done` when the answer is whole; nothing may be read after either.
    """

    __slots__ = ("_codec", "_turn", "done", "failure")

    def __init__(self, codec: Codec) -> None:
        self.done = False
        self.failure: GatewayError | None = None
        self._codec = codec
        self._turn = Turn()

    def read(self, value: object) -> Batch:
        """The chunks of an event."""
        if type(value) is not dict:
            self.failure = _invalid("The provider sent JSON that is no event of an answer.")
            return []
        turn = self._turn
        kind = value.get("type")
        if type(kind) is not str:
            kind = ""
        delta = _DELTAS.get(kind)
        if delta is not None:
            text = value.get("delta")
            if type(text) is str and text:
                part = (delta[0], turn.place_of(value), _index(value, delta[1]))
                turn.say(part, text, item_id=value.get("item_id"), logprobs=value.get("logprobs"))
        elif kind in _ARGUMENTS:
            text = value.get("delta")
            if type(text) is str and text:
                turn.say_arguments(turn.place_of(value), text)
        elif (whole := _WHOLES.get(kind)) is not None:
            text = value.get(whole[2])
            if type(text) is str:
                part = (whole[0], turn.place_of(value), _index(value, whole[1]))
                turn.say_whole(part, text, item_id=value.get("item_id"), logprobs=value.get("logprobs"))
        else:
            self._read_other(kind, value)
        return turn.writer.take()

    def read_whole(self, value: object) -> Batch:
        """The chunks of a whole answer."""
        turn = self._turn
        if type(value) is not dict:
            self.failure = _invalid("The provider sent JSON that is no answer.")
        elif type(value.get("output")) is list:
            self._finish(value)
        elif is_error(value) or _status(value) in _NO_ANSWER:
            self.failure = error_of_event(value)
        else:
            self.failure = _invalid("The provider sent JSON that is no answer.")
        return turn.writer.take()

    def _read_other(self, kind: str, value: dict[str, Any]) -> None:
        turn = self._turn
        match kind:
            case "response.created" | "response.in_progress":
                if type(response := value.get("response")) is dict:
                    turn.writer.set_head(response)
            case "response.output_item.added":
                if type(item := value.get("item")) is dict:
                    turn.begin_item(turn.place_of(value), item)
            case "response.output_item.done":
                if type(item := value.get("item")) is dict:
                    turn.take_item(turn.place_of(value), item)
            case "response.output_text.annotation.added":
                turn.annotate((TEXT, turn.place_of(value), _index(value, _CONTENT_INDEX)), value.get("annotation"))
            case "response.function_call_arguments.done":
                turn.say_all_arguments(turn.place_of(value), value.get("arguments"))
            case "response.custom_tool_call_input.done":
                turn.say_all_arguments(turn.place_of(value), value.get("input"))
            case "response.completed" | "response.incomplete" | "response.done":
                response = value.get("response")
                self._finish(response if type(response) is dict else {})
            case _:
                if kind in _FAILURES or is_error(value):
                    self.failure = error_of_event(value)

    def _finish(self, response: dict[str, Any]) -> None:
        turn = self._turn
        writer = turn.writer
        if not writer.answer_id:
            writer.set_head(response)
        output = response.get("output")
        if type(output) is list:
            turn.take_output(output)
        elif not writer.has_begun:
            self.failure = _invalid("The provider sent an empty answer.")
            return
        if _status(response) in _NO_ANSWER or is_error(response):
            self.failure = error_of_event(response)
            return
        reason, native = self._find_finish(response)
        chunk = writer.finish(reason, native, turn.own(output))
        usage = parse_usage(response.get("usage"))
        if usage is not None:
            chunk.usage.CopyFrom(self._codec.decode(Usage, usage, strict=False))
            if turn.searches and not chunk.usage.HasField("server_tool_use_details"):
                chunk.usage.server_tool_use_details.web_search_requests = turn.searches
        if is_text(response.get("service_tier")):
            chunk.service_tier = response["service_tier"]
        self.done = True

    def _find_finish(self, response: Mapping[str, Any]) -> tuple[FinishReason.ValueType, str]:
        """Why the answer ended, in the contract's words and in the provider's."""
        details = response.get("incomplete_details")
        said = details.get("reason") if type(details) is dict else None
        if said or _status(response) == "incomplete":
            native = said if isinstance(said, str) and said else "incomplete"
            return INCOMPLETE.get(native, FinishReason.FINISH_REASON_LENGTH), native
        if self._turn.asks_for_tools:
            return FinishReason.FINISH_REASON_TOOL_CALLS, "completed"
        return FinishReason.FINISH_REASON_STOP, "completed"


def _status(response: Mapping[str, Any]) -> str:
    status = response.get("status")
    return status if isinstance(status, str) else ""


def _index(value: Mapping[str, Any], key: str) -> int:
    """The index of a part; 0 where a server, whose items have one part each, leaves it out."""
    index = value.get(key)
    return index if type(index) is int else 0


def _invalid(message: str) -> GatewayError:
    return GatewayError(ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE, message)
