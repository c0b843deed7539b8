# SPDX-License-Identifier: Apache-2.0
"""The simulator's tokens: what a chunk of a stream holds, what max_tokens counts, what usage reports.

A token of plain text is a word with the white space before it, cut after 8 characters of white space and 16 of the word. A token of JSON text also
ends where letters and punctuation meet, and after 4 characters of punctuation. Joined together, tokens give the text back, character for character.

The prompt counts: 1 for each message, the tokens of its texts, of its tool calls' names and arguments and of its reasoning; 64 for each part that is
no text; the tokens of the JSON text of `tools` and of `response_format`.

A long text is split window by window. What a token is follows from its own characters and the one behind it, so only the last token of a window can
be wrong; the next window begins with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from trunkline_server.upstream.simulator.limits import SLICE, Work

MEDIA_TOKENS: Final = 64
"""What an image, a sound, a video or a file of the prompt counts."""
LONGEST_TOKEN: Final = 24
"""The characters of the longest token."""

_TEXT_TOKEN: Final = re.compile(r"\s{0,8}\S{1,16}|\s{1,8}")
_JSON_TOKEN: Final = re.compile(r"\s{0,8}(?:\w{1,16}|[^\w\s]{1,4})|\s{1,8}")


def split_text(text: str) -> list[str]:
    """The tokens of plain text, in one go: for short texts."""
    return _TEXT_TOKEN.findall(text)


def split_json(text: str) -> list[str]:
    """The tokens of JSON text, in one go: for texts whose length the steps of a schema bound."""
    return _JSON_TOKEN.findall(text)


def split_beginning(text: str, tokens: int, more: int, *, as_json: bool = False) -> Work[list[str]]:
    """The first `tokens` tokens, and then those of at least `more` characters, as far as the text goes; perhaps some beyond."""
    kept: list[str] = []
    missing = more
    for window in _windows(text, _JSON_TOKEN if as_json else _TEXT_TOKEN):
        if len(kept) >= tokens:
            missing -= sum(map(len, window))
        elif len(kept) + len(window) > tokens:
            missing -= sum(map(len, window[tokens - len(kept) :]))
        kept += window
        if len(kept) >= tokens and missing <= 0:
            break
        yield len(window)
    return kept


def count_tokens(texts: Iterable[str], limit: int) -> Work[int]:
    """How many tokens plain texts have together. It stops soon after `limit`."""
    total = since = 0
    for text in texts:
        for window in _windows(text, _TEXT_TOKEN):
            total += len(window)
            since += len(window)
            if since >= SLICE:
                yield since
                since = 0
            if total > limit:
                return total
    return total


def _windows(text: str, token: re.Pattern[str]) -> Iterator[list[str]]:
    """The tokens of a text, at most SLICE at a time."""
    start = 0
    while start + SLICE < len(text):
        window = token.findall(text, start, start + SLICE)
        start += SLICE - len(window.pop())
        yield window
    yield token.findall(text, start)
