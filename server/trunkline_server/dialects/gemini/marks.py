# SPDX-License-Identifier: Apache-2.0
"""Thought signatures outside of thoughts: where each stood, written into the id of a reasoning detail.

Google signs parts: thoughts, calls, texts, images. A signature has to come back on exactly the part where it was
(ai.google.dev/gemini-api/docs/thought-signatures), but an answer of chat completions has one text, not parts of one. A thought keeps its signature beside
its text; any other becomes a `reasoning.encrypted` detail, whose id says the place: for a call the call's id, as OpenRouter has it; for a text
`text:<start>:<end>`, in characters of the content; for an image `image:<place>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

_TEXT: Final = re.compile(r"text:([0-9]{1,9}):([0-9]{1,9})")
_IMAGE: Final = "image:"

MADE_ID: Final = "call_made_"
"""What begins the ids of calls to which Google gave none. They are not sent back."""
UNSIGNED_CALL: Final = "skip_thought_signature_validator"
"""Google's word for a call that it did not make itself, in place of a signature (same page, section FAQ)."""


def text_mark(start: int, end: int) -> str:
    """The id for the signature of a text."""
    return f"text:{start}:{end}"


def image_mark(place: int) -> str:
    """The id for the signature of an image."""
    return f"{_IMAGE}{place}"


def stands_in_content(place: str) -> bool:
    """Whether the id of a signature names a place in a text or an image, rather than a call."""
    return place.startswith(_IMAGE) or _TEXT.fullmatch(place) is not None


class Signatures:
    """The signatures of one turn, each taken once. `said` is how many characters of its content came before the text that will be signed."""

    __slots__ = ("_by_id", "_spare", "_texts")

    def __init__(self, details: Iterable[Mapping[str, Any]], *, said: int = 0) -> None:
        self._by_id: dict[str, str] = {}
        self._texts: list[tuple[int, int, str]] = []
        self._spare: list[str] = []
        for detail in details:
            if detail.get("type") != "reasoning.encrypted" or not detail.get("data"):
                continue
            place = detail.get("id")
            if place is None or place in self._by_id:
                self._spare.append(detail["data"])
            elif span := _TEXT.fullmatch(place):
                self._texts.append((int(span[1]) - said, int(span[2]) - said, detail["data"]))
            else:
                self._by_id[place] = detail["data"]

    def take(self, place: str) -> str | None:
        """The signature of a call or image."""
        return self._by_id.pop(place, None)

    def take_spare(self, *, of_calls: bool = False) -> str | None:
        """A signature without a place, as OpenRouter gives for texts; or `of_calls`: that of a call whose id has changed since."""
        if self._spare:
            return self._spare.pop(0)
        return self._by_id.pop(next(iter(self._by_id))) if of_calls and self._by_id else None

    def sign(self, text: str) -> Iterator[dict[str, Any]]:
        """The parts of a content: signed where it was signed. A signature whose place the text does not have stands on an empty text at the end."""
        done = 0
        lost: list[str] = []
        for start, end, signature in self._texts:
            if not done <= start <= end <= len(text):
                lost.append(signature)
                continue
            if done < start:
                yield {"text": text[done:start]}
            yield {"text": text[start:end], "thoughtSignature": signature}
            done = end
        self._texts.clear()
        if done < len(text):
            yield {"text": text[done:]}
        yield from ({"text": "", "thoughtSignature": signature} for signature in lost)

    @property
    def signs_text(self) -> bool:
        """Whether any text was signed."""
        return bool(self._texts)

    @property
    def are_left(self) -> bool:
        """Whether there are signatures of what the turn does not have any more."""
        return bool(self._by_id)


def place_spare(parts: list[dict[str, Any]], signatures: Signatures) -> None:
    """Puts signatures without a place on the last text, else on an empty one: Google takes both."""
    while (signature := signatures.take_spare()) is not None:
        last = parts[-1] if parts else {}
        if "text" in last and "thought" not in last and "thoughtSignature" not in last:
            last["thoughtSignature"] = signature
        else:
            parts.append({"text": "", "thoughtSignature": signature})
