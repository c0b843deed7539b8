# SPDX-License-Identifier: Apache-2.0
"""Content that came as a list of parts, where the contract's deltas hold text.

Mistral's reasoning models stream `[{"type": "thinking", "thinking": [...]}, {"type": "text", ...}]`
(docs.mistral.ai, capabilities/reasoning); image models answer with `image_url` parts.
"""

from __future__ import annotations

from typing import Any, Final

_REASONING: Final = frozenset({"thinking", "reasoning"})


def spread_parts(delta: dict[str, Any]) -> None:
    """Puts each part of the list `content` where it belongs: text, reasoning, refusal, images. Parts of unknown types add their text, if any."""
    texts: dict[str, list[str]] = {"content": [], "reasoning": [], "refusal": []}
    images: list[dict[str, Any]] = []
    for part in delta.pop("content"):
        kind = part.get("type") if type(part) is dict else None
        if kind == "image_url":
            images.append(part)
        elif kind in _REASONING:
            texts["reasoning"].append(_text_of(part.get(kind) or part.get("text")))
        elif kind == "refusal":
            texts["refusal"].append(_text_of(part.get("refusal")))
        else:
            texts["content"].append(_text_of(part))
    for name, pieces in texts.items():
        if text := "".join(pieces):
            known = delta.get(name)
            delta[name] = known + text if type(known) is str else text
    if images:
        known = delta.get("images")
        delta["images"] = [*known, *images] if type(known) is list else images


def _text_of(part: object) -> str:
    """The text of a part, which may be a string, an object with `text`, or a list of these."""
    if type(part) is dict:
        part = part.get("text")
    if type(part) is list:
        return "".join(item for item in map(_plain_text, part))
    return part if type(part) is str else ""


def _plain_text(part: object) -> str:
    if type(part) is dict:
        part = part.get("text")
    return part if type(part) is str else ""
