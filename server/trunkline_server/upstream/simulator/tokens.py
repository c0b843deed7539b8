# SPDX-License-Identifier: Apache-2.0
"""The simulator's tokens: what a chunk of a stream holds, what max_tokens counts, what usage reports.

A token of plain text is a word with the white space before it, cut after 8 characters of white space and 16 of the word. A token of JSON text also
ends where letters and punctuation meet, and after 4 characters of punctuation. Joined together, tokens give the text back, character for character.

The prompt counts: 1 for each message, the tokens of its texts, of its tool calls' names and arguments and of its reasoning; 64 for each part that is
no text; the tokens of the JSON text of `tools` and of `response_format`.
"""

from __future__ import annotations

import re
from typing import Final

MEDIA_TOKENS: Final = 64
"""What an image, a sound, a video or a file of the prompt counts."""

_TEXT_TOKEN: Final = re.compile(r"\s{0,8}\S{1,16}|\s{1,8}")
_JSON_TOKEN: Final = re.compile(r"\s{0,8}(?:\w{1,16}|[^\w\s]{1,4})|\s{1,8}")


def split_text(text: str) -> list[str]:
    """The tokens of plain text."""
    return _TEXT_TOKEN.findall(text)


def split_json(text: str) -> list[str]:
    """The tokens of JSON text."""
    return _JSON_TOKEN.findall(text)


def count_text(text: str) -> int:
    """How many tokens plain text has."""
    return len(_TEXT_TOKEN.findall(text))
