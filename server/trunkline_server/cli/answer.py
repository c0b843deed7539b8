# SPDX-License-Identifier: Apache-2.0
"""Showing an answer as it comes: its text as it is, reasoning paler, tool calls and pictures in a line each.

In a file or a pipe only the answer itself appears: text, refusal and tool calls, without reasoning and without colours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trunkline.v1.chat_response_pb2 import ChatCompletionChunk, ChunkChoice, FinishReason
from trunkline.v1.usage_pb2 import Usage
from trunkline_server.cli.terminal import Terminal

_QUIET_REASONS: Final = frozenset({"", "stop", "tool_calls"})


class AnswerScreen:
    """Shows one answer. `chunk` or `event` for each piece that comes, then `close`, whether the answer ended well or not."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._part = ""
        self._finish = ""
        self._at_line_start = True
        self._model = ""
        self._provider = ""
        self._tokens: tuple[int, int] | None = None
        self.generation_id = ""

    def chunk(self, chunk: ChatCompletionChunk) -> None:
        """Show a chunk that came over gRPC."""
        self._note(chunk.id, chunk.model, chunk.provider)
        for choice in chunk.choices:
            self._show_choice(choice)
        if chunk.HasField("usage"):
            self._count(chunk.usage)

    def event(self, event: Mapping[str, Any]) -> None:
        """Show an event that came over HTTP. Whatever is not of the expected type is passed over."""
        self._note(_text(event, "id"), _text(event, "model"), _text(event, "provider"))
        for choice in _objects(event, "choices"):
            delta = choice.get("delta")
            if isinstance(delta, dict):
                self._show_delta(delta)
            self._finish = _text(choice, "finish_reason") or self._finish
        usage = event.get("usage")
        if isinstance(usage, dict):
            self._tokens = (int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))

    def close(self, took_s: float) -> None:
        """End the last line, and tell a person what the answer was made of. `took_s` is the time from question to end."""
        self._enter("")
        if not self._at_line_start:
            self._terminal.say()
        if not self._terminal.is_live or not self._model:
            return
        facts = [" at ".join(name for name in (self._model, self._provider) if name)]
        if self._tokens is not None:
            facts.append(f"{self._tokens[0]} + {self._tokens[1]} tokens")
        facts.append(f"{took_s:.1f} s")
        if self._finish not in _QUIET_REASONS:
            facts.append(f"ended by {self._finish}")
        facts.append(self.generation_id)
        self._terminal.say(self._terminal.dim("  ".join(fact for fact in facts if fact)))

    def _note(self, generation_id: str, model: str, provider: str) -> None:
        self.generation_id = generation_id or self.generation_id
        self._model = model or self._model
        self._provider = provider or self._provider

    def _count(self, usage: Usage) -> None:
        self._tokens = (usage.prompt_tokens, usage.completion_tokens)

    def _show_choice(self, choice: ChunkChoice) -> None:
        delta = choice.delta
        self._reasoning(delta.reasoning)
        self._text(delta.content)
        self._text(delta.refusal)
        for call in delta.tool_calls:
            self._tool_call(call.function.name, call.function.arguments)
        for image in delta.images:
            self._image(image.image_url.url)
        if choice.HasField("finish_reason"):
            value = FinishReason.DESCRIPTOR.values_by_number.get(choice.finish_reason)
            self._finish = value.name.removeprefix("FINISH_REASON_").lower() if value else self._finish

    def _show_delta(self, delta: Mapping[str, Any]) -> None:
        self._reasoning(_text(delta, "reasoning"))
        self._text(_text(delta, "content"))
        self._text(_text(delta, "refusal"))
        for call in _objects(delta, "tool_calls"):
            function = call.get("function")
            if isinstance(function, dict):
                self._tool_call(_text(function, "name"), _text(function, "arguments"))
        for image in _objects(delta, "images"):
            address = image.get("image_url")
            self._image(_text(address, "url") if isinstance(address, dict) else "")

    def _reasoning(self, text: str) -> None:
        if text and self._terminal.is_live:
            self._enter("reasoning")
            self._write(self._terminal.dim(self._terminal.clean(text)), text)

    def _text(self, text: str) -> None:
        if text:
            self._enter("text")
            self._write(self._terminal.clean(text), text)

    def _tool_call(self, name: str, arguments: str) -> None:
        """A call's name comes once, first; its arguments in pieces after it."""
        if name:
            self._enter("")
            self._enter("tool call")
            self._write(self._terminal.bold(self._terminal.clean(name)) + "(", name)
        if arguments and self._part == "tool call":
            self._write(self._terminal.clean(arguments), arguments)

    def _image(self, url: str) -> None:
        self._enter("")
        self._enter("image")
        kind = url.partition(";")[0].removeprefix("data:") if url.startswith("data:") else self._terminal.clean(url)
        self._write(f"[{kind or 'image'}, {len(url)} characters]", kind)

    def _enter(self, part: str) -> None:
        """Begin another part of the answer: on a new line, after a gap below reasoning."""
        if part == self._part:
            return
        if self._part == "tool call":
            self._write(")", ")")
        if self._part and not self._at_line_start:
            self._terminal.say()
            self._at_line_start = True
        if self._part == "reasoning":
            self._terminal.say()
        self._part = part

    def _write(self, shown: str, text: str) -> None:
        self._terminal.say(shown, end="")
        self._at_line_start = text.endswith("\n")


def _text(holder: Mapping[str, Any], key: str) -> str:
    value = holder.get(key)
    return value if isinstance(value, str) else ""


def _objects(holder: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    value = holder.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
