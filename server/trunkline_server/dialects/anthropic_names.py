# SPDX-License-Identifier: Apache-2.0
"""Keys of a request that mean something to Anthropic alone: its Messages API has them and the contract has no field for them.

A client of that API sends them, an Anthropic provider gets them. A server that answers 400 to what it does not know must not: others take them out by these
names (anthropic-sdk-python 2.12, `types/*_param.py`).
"""

from __future__ import annotations

import re
from typing import Final

FIELDS: Final = (
    "container",
    "context_management",
    "diagnostics",
    "fallbacks",
    "inference_geo",
    "mcp_servers",
    "output_config",
    "output_format",
    "speed",
)
"""At the top of a request."""
RESULT_KEYS: Final = ("is_error",)
"""Of a tool's message."""
PART_KEYS: Final = ("anthropic_block", "citations")
"""Of a part of a message."""
IMAGE_KEYS: Final = ("transformations",)
"""Of a part's `image_url`."""
FILE_KEYS: Final = ("citations", "context", "source")
"""Of a part's `file`."""
CALL_KEYS: Final = ("caller",)
"""Of a tool call."""
TOOL_KEYS: Final = ("allowed_callers", "defer_loading", "eager_input_streaming", "input_examples")
"""Of a function among the tools, beside its `function`."""
REASONING_KEYS: Final = ("display",)
"""Of `reasoning`."""

_DATED: Final = re.compile(r"(\w+)_20\d{6}")
_UNDATED: Final = frozenset({"mcp_toolset"})


def tool_name(kind: str) -> str | None:
    """What a type of Anthropic's own tools is without its date, "web_search" for "web_search_20250305"; None for a type of somebody else's."""
    dated = _DATED.fullmatch(kind)
    if dated is not None:
        return dated[1]
    return kind if kind in _UNDATED else None
