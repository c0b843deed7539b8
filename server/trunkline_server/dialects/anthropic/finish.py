# SPDX-License-Identifier: Apache-2.0
"""Why an answer ended, in both vocabularies (platform.claude.com/docs/en/build-with-claude/handling-stop-reasons, November 2026)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from trunkline.v1.chat_response_pb2 import FinishReason

FINISH_REASONS: Final[Mapping[str, FinishReason.ValueType]] = MappingProxyType(
    {
        "end_turn": FinishReason.FINISH_REASON_STOP,
        "stop_sequence": FinishReason.FINISH_REASON_STOP,
        "max_tokens": FinishReason.FINISH_REASON_LENGTH,
        "model_context_window_exceeded": FinishReason.FINISH_REASON_LENGTH,
        "tool_use": FinishReason.FINISH_REASON_TOOL_CALLS,
        # A server tool's loop was interrupted: the caller sends the turn back and the model goes on.
        "pause_turn": FinishReason.FINISH_REASON_STOP,
        "refusal": FinishReason.FINISH_REASON_CONTENT_FILTER,
    }
)
"""`stop_reason` to the contract's. Any other is a stop."""

_STOP_REASONS: Final[Mapping[int, str]] = MappingProxyType(
    {
        FinishReason.FINISH_REASON_STOP: "end_turn",
        FinishReason.FINISH_REASON_LENGTH: "max_tokens",
        FinishReason.FINISH_REASON_TOOL_CALLS: "tool_use",
        FinishReason.FINISH_REASON_FUNCTION_CALL: "tool_use",
        FinishReason.FINISH_REASON_CONTENT_FILTER: "refusal",
    }
)


def stop_reason(finish: FinishReason.ValueType, native: str, *, called: bool = False) -> str | None:
    """The `stop_reason` for a finish: the provider's own word where it is Anthropic's and means the same. None where the answer has not ended well.

    `called` says that the answer holds calls: many servers say "stop" of one, and a client of Anthropic's would not run them.
    """
    reason = native if native and FINISH_REASONS.get(native) == finish else _STOP_REASONS.get(finish)
    return "tool_use" if called and reason == "end_turn" else reason
