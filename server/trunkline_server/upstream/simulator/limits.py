# SPDX-License-Identifier: Apache-2.0
"""How much the simulator reads and writes for one request, and how much of it in one go.

It runs in the event loop of the whole gateway. So every request has bounds, which its refusals name, and what may take long is a `Work`: a generator
that gives way after each slice. An answer costs 1 for each token, and with log probabilities 8 and the number of alternatives for each token of
content: a cost of 200,000 stays below the 32 MiB that the gateway takes from a provider, whatever the characters.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, TypeAlias, TypeVar

from trunkline_server.upstream.simulator.refused import RefusedError

_T = TypeVar("_T")

Work: TypeAlias = Generator[int, None, _T]
"""Work in slices: yields how much was done since the last time (tokens, steps of a schema, messages, KiB hashed, 4 KiB of JSON), returns its result."""

CONTEXT_LENGTH: Final = 1_048_576
"""The tokens of the longest prompt, as the catalog says of each model."""
MAX_COST: Final = 200_000
"""The largest cost of an answer, all choices together."""
MAX_ITEMS: Final = 8192
"""Messages, their parts and their tool calls, all together."""
MESSAGES_SLICE: Final = 512
"""The messages that are read in one go."""
MAX_DETAILS: Final = 65_536
"""Reasoning details, of all messages together."""
MAX_TOOLS: Final = 1024
MAX_NAME: Final = 256
"""The characters of a tool's name."""
MAX_SCHEMA: Final = 131_072
"""The bytes of one schema's JSON text."""
MAX_TOOLS_TEXT: Final = 1_048_576
"""The bytes of the JSON text of `tools`."""
MAX_URL: Final = 65_536
"""The characters of a URL that is fetched or percent-encoded, and of what stands before the comma of a data URL."""
MAX_STOP: Final = 4096
"""The characters of a stop sequence."""
SLICE: Final = 8192
"""Work gives way when it has done this much, or a little more: a few milliseconds for tokens, some tens for a schema's steps."""

_LOGPROBS_COST: Final = 8


def token_cost(alternatives: int | None) -> int:
    """What a token of content costs; None: without log probabilities."""
    return 1 if alternatives is None else _LOGPROBS_COST + alternatives


def prompt_too_long(length: str) -> RefusedError:
    """The refusal of a prompt that is beyond the context; `length` says by how much or how it was seen."""
    return RefusedError(
        f"messages: the prompt is {length}, beyond the context length of {CONTEXT_LENGTH} tokens. Shorten the texts or leave out earlier messages.",
        param="messages",
        code="context_length_exceeded",
    )


def answer_too_large(choices: int, alternatives: int | None) -> RefusedError:
    """The refusal of an answer beyond MAX_COST. It points at what costs most: the choices, the alternatives, or else the length."""
    param = "n" if choices > 1 else "top_logprobs" if alternatives else "max_tokens"
    cost = token_cost(alternatives)
    return RefusedError(
        f"{param}: the answer is too large. The simulator makes at most {MAX_COST // cost} tokens in all choices together"
        f"{'' if alternatives is None else f' with logprobs and {alternatives} top_logprobs'}, and n is {choices}. "
        "Set max_tokens, or ask for fewer choices (n) or top_logprobs.",
        param=param,
        code="answer_too_large",
    )


def too_many(param: str, limit: int, what: str) -> RefusedError:
    """The refusal of more than `limit` of something."""
    return RefusedError(f"{param}: more than {limit} {what}. Send fewer.", param=param)
