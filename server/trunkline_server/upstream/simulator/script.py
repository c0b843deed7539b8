# SPDX-License-Identifier: Apache-2.0
"""What an answer consists of before it has a form: choices made of segments, segments made of tokens.

Both forms, stream and whole, are rendered from the same choices, so they cannot differ. Stop sequences and token budgets are applied here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """Thoughts before the answer. Hidden ones count and are not shown. `signature` None: the thoughts were cut."""

    tokens: Sequence[str]
    detail_id: str
    signature: str | None
    shown: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Content."""

    tokens: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A tool call; `position` counts from 0 within the choice. The name counts one token; `tokens` are those of the arguments."""

    position: int
    call_id: str
    name: str
    tokens: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image as a data URL. It counts no token."""

    url: str


Segment: TypeAlias = Reasoning | Text | Call | Picture

NAME_TOKENS: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of the answer's choices. `finish` None is a stream that never says why it ended; `error` is what broke the choice (None: nothing did)."""

    index: int
    segments: Sequence[Segment]
    finish: str | None
    error: Mapping[str, object] | None = None

    def tokens_of(self, kind: type[Segment]) -> int:
        """How many tokens the segments of one kind have."""
        return sum(_size(segment) for segment in self.segments if isinstance(segment, kind))

    @property
    def tokens(self) -> int:
        """How many tokens the choice has."""
        return sum(map(_size, self.segments))


def make_choice(index: int, segments: Iterable[Segment], *, stops: Sequence[str], budget: int | None) -> Choice:
    """A choice cut at the first stop sequence in its content, then at `budget` tokens (None: no bound)."""
    stopped, finish = _apply_stops(segments, stops)
    kept, spent = _apply_budget(stopped, budget)
    if spent:
        finish = "length"
    return Choice(index=index, segments=kept, finish=finish)


def find_stop(text: str, stops: Sequence[str]) -> int | None:
    """Where the first of the stop sequences begins; None where none occurs."""
    return min((at for at in map(text.find, stops) if at >= 0), default=None)


def cut_choices(choices: Sequence[Choice], events: int, error: Mapping[str, object]) -> Sequence[Choice]:
    """The choices as far as a stream had brought them after so many events; those that had not ended by then end in `error`."""
    sizes = [_count_events(choice) for choice in choices]
    brought = [0] * len(choices)
    left = min(events, sum(sizes))
    while left > 0:  # the choices take turns
        for position, size in enumerate(sizes):
            if left > 0 and brought[position] < size:
                brought[position] += 1
                left -= 1
    return [
        choice if came == size else _fail_choice(choice, came - 1, error)
        for choice, came, size in zip(choices, brought, sizes, strict=True)
    ]


def _count_events(choice: Choice) -> int:
    """The events of a choice: one for the role, those of its segments, one for the finish."""
    return 1 + sum(map(_segment_events, choice.segments)) + (choice.finish is not None)


def _segment_events(segment: Segment) -> int:
    if isinstance(segment, Reasoning):
        return len(segment.tokens) + (segment.signature is not None) if segment.shown else 0
    return 1 if isinstance(segment, Picture) else _size(segment)


def _fail_choice(choice: Choice, events: int, error: Mapping[str, object]) -> Choice:
    kept: list[Segment] = []
    for segment in choice.segments:
        size = _segment_events(segment)
        if size <= events:
            kept.append(segment)
            events -= size
            continue
        if events > 0 or isinstance(segment, Text):  # content that has not begun is empty, not absent
            kept.append(_cut_tokens(segment, max(events, 0)))
        break
    return replace(choice, segments=kept, finish="error", error=error)


def _apply_stops(segments: Iterable[Segment], stops: Sequence[str]) -> tuple[list[Segment], str]:
    kept: list[Segment] = []
    for segment in segments:
        kept.append(segment)
        if isinstance(segment, Text) and stops:
            at = find_stop("".join(segment.tokens), stops)
            if at is not None:
                kept[-1] = Text(tokens=_cut_characters(segment.tokens, at))
                return kept, "stop"
    called = any(isinstance(segment, Call) for segment in kept)
    return kept, "tool_calls" if called else "stop"


def _cut_characters(tokens: Sequence[str], length: int) -> Sequence[str]:
    kept = []
    for token in tokens:
        if length <= 0:
            break
        kept.append(token[:length])
        length -= len(token)
    return kept


def _apply_budget(segments: Sequence[Segment], budget: int | None) -> tuple[Sequence[Segment], bool]:
    if budget is None:
        return segments, False
    kept: list[Segment] = []
    for segment in segments:
        size = _size(segment)
        if size <= budget:
            kept.append(segment)
            budget -= size
            continue
        if budget > 0:
            kept.append(_cut_tokens(segment, budget))
        return kept, True
    return kept, False


def _cut_tokens(segment: Segment, budget: int) -> Segment:
    if isinstance(segment, Picture):
        return segment
    if isinstance(segment, Call):
        return replace(segment, tokens=segment.tokens[: budget - NAME_TOKENS])
    if isinstance(segment, Reasoning):
        return replace(segment, tokens=segment.tokens[:budget], signature=None)
    return replace(segment, tokens=segment.tokens[:budget])


def _size(segment: Segment) -> int:
    if isinstance(segment, Picture):
        return 0
    return len(segment.tokens) + (NAME_TOKENS if isinstance(segment, Call) else 0)
