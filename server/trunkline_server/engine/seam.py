# SPDX-License-Identifier: Apache-2.0
"""Where another endpoint goes on with an answer that broke off: what it is asked, and what of its words is new.

It gets the text so far as the beginning of the assistant's own message ("prefill"), without the blanks at its end: some providers refuse those, and models
begin words with them. Where the rest begins with those blanks they are taken out.

One that begins anew all the same says the text so far again, perhaps behind other blanks than before: as long as its words equal that, they are held back.
A short text may be said again in truth ("ha" and "ha!", "1" and "10 more"), so nothing is held back for it: to lose a word would be worse than to read it
twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from operator import eq
from typing import Final, Literal

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.provider_preferences_pb2 import MidStream
from trunkline.v1.usage_pb2 import Usage
from trunkline_server.core.usage import estimate_tokens

LEAST_REPEATED: Final = 20
"""The characters that a text needs for its repetition to be a new beginning: few sentences begin with so many of their own twice."""

_CONTINUE: Final = MidStream.MID_STREAM_CONTINUE
_LENGTHS: Final[tuple[Literal["max_tokens", "max_completion_tokens"], ...]] = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What the client has of an answer whose endpoint failed: its text, what it used, and the word of `error_type` for the failure."""

    text: str
    usage: Usage
    after_error: str


def wants_continuation(request: ChatCompletionRequest) -> bool:
    """Whether another endpoint may go on with the answer: it was asked for, and there is one choice."""
    return request.provider.mid_stream == _CONTINUE and request.n <= 1


def ask_to_go_on(request: ChatCompletionRequest, text: str) -> ChatCompletionRequest:
    """The request for the rest of an answer that has begun with `text`; that text counts towards the length that the caller allows. Blanks alone are none."""
    asked = ChatCompletionRequest()
    asked.CopyFrom(request)
    if shown := text.rstrip():
        asked.messages.add().assistant.content.add(text=shown)
    written = estimate_tokens(len(text.encode()))
    for name in _LENGTHS:
        if asked.HasField(name):
            setattr(asked, name, max(getattr(asked, name) - written, 1))
    return asked


def add_usage(usage: Usage, earlier: Usage) -> None:
    """Adds what an earlier part of the answer used and cost to what the last one did. Details are added where both are known."""
    usage.prompt_tokens += earlier.prompt_tokens
    usage.completion_tokens += earlier.completion_tokens
    usage.total_tokens += earlier.total_tokens
    if usage.HasField("cost_pusd") or earlier.HasField("cost_pusd"):
        usage.cost_pusd += earlier.cost_pusd
    if earlier.HasField("cost_details"):
        for field, amount in earlier.cost_details.ListFields():
            if isinstance(amount, int):
                setattr(usage.cost_details, field.name, getattr(usage.cost_details, field.name) + amount)
        if earlier.cost_details.HasField("priced_as_tier"):
            usage.cost_details.priced_as_tier = earlier.cost_details.priced_as_tier
    if earlier.estimated:
        usage.estimated = True


class Seam:
    """Passes on what is new in a text that goes on with another, or begins it anew."""

    __slots__ = ("_blanks", "_lead", "_place", "_text")

    def __init__(self, text: str) -> None:
        words = text.strip()
        # What may be said again, and how much of it was; all of it: nothing is held back any more.
        self._text = words if len(words) >= LEAST_REPEATED else ""
        self._place = 0
        # The blanks said before it, which a new beginning has or has not, whatever the text begins with.
        self._lead = ""
        # What is left of the blanks at the text's end, which the endpoint was not shown.
        self._blanks = text[len(text.rstrip()) :]

    def pass_on(self, piece: str) -> str:
        """The new part of the next piece, with what was held back where it turns out to be new too."""
        text, place = self._text, self._place
        if place == len(text):
            return self._drop_blanks(piece) if self._blanks else piece
        if not place:
            words = piece.lstrip()
            self._lead += piece[: len(piece) - len(words)]
            piece = words
        if text.startswith(piece, place):
            self._place += len(piece)
            return ""
        self._place = len(text)
        if piece.startswith(text[place:]):
            return self._drop_blanks(piece[len(text) - place :])
        return self._drop_blanks(self._lead + text[:place] + piece)

    def end(self) -> str:
        """What is still held back when the text ends: it was no repetition, which would have gone on."""
        text, place = self._text, self._place
        self._place = len(text)
        return "" if place == len(text) else self._drop_blanks(self._lead + text[:place])

    def _drop_blanks(self, said: str) -> str:
        """What is said behind those blanks of the text's end with which it begins."""
        blanks = self._blanks
        same = sum(takewhile(bool, map(eq, blanks, said)))
        self._blanks = blanks[same:] if same == len(said) else ""
        return said[same:]
