# SPDX-License-Identifier: Apache-2.0
"""Items of type `reasoning` and the contract's reasoning details, each way.

One item holds a list of summaries, a list of texts and an encrypted content. Each of these becomes a detail of its own, in that order, with the item's id;
details that follow one another with one id become one item again. OpenRouter's keys `format` and `signature` carry what OpenAI's items have no place for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from trunkline_server.dialects.reasoning import OPENAI_FORMAT

UNKNOWN_FORMAT: Final = "unknown"
"""What an item's `format` says where the detail has none."""

_SUMMARY: Final = "reasoning.summary"
_TEXT: Final = "reasoning.text"
_ENCRYPTED: Final = "reasoning.encrypted"
KINDS: Final = frozenset({_SUMMARY, _TEXT, _ENCRYPTED})


def render_reasoning(details: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The items of details, without `id` where they have none, with `format` and `signature`. Details of other kinds have no place and are left out."""
    items: list[dict[str, Any]] = []
    for detail in details:
        if detail.get("type") not in KINDS:
            continue
        if not items or not can_join(items[-1], detail):
            items.append(open_item(detail))
        _add(items[-1], detail)
    return items


def open_item(detail: Mapping[str, Any]) -> dict[str, Any]:
    """An empty item for a detail."""
    named = {"id": detail["id"]} if detail.get("id") else {}
    return {**named, "type": "reasoning", "summary": [], "format": detail.get("format") or UNKNOWN_FORMAT}


def can_join(item: Mapping[str, Any], detail: Mapping[str, Any]) -> bool:
    """Whether a detail belongs to an item that has others: same id, same format, and its place is still free."""
    if not detail.get("id") or detail["id"] != item.get("id"):
        return False
    if (detail.get("format") or UNKNOWN_FORMAT) != item["format"] or item.get("encrypted_content") is not None:
        return False
    if detail.get("type") == _TEXT:
        return "signature" not in item and not (detail.get("signature") and "content" in item)
    return detail.get("type") == _ENCRYPTED or "content" not in item


def _add(item: dict[str, Any], detail: Mapping[str, Any]) -> None:
    match detail["type"]:
        case "reasoning.summary":
            item["summary"].append({"type": "summary_text", "text": detail.get("summary") or ""})
        case "reasoning.text":
            item.setdefault("content", []).append({"type": "reasoning_text", "text": detail.get("text") or ""})
            if detail.get("signature") is not None:
                item["signature"] = detail["signature"]
        case _:
            item["encrypted_content"] = detail.get("data")


def render_own(details: Iterable[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
    """The items of details of this language's format as a provider takes them, and whether something was left out.

    An item without its encrypted content names something that the provider keeps no longer: OpenAI answers 400 to it where `store` is false
    (community.openai.com/t/1269225). One with open text is whole without it, as servers of open models write it.
    """
    items = render_reasoning(details)
    kept = [item for item in items if item.get("encrypted_content") or item.get("content")]
    for item in kept:
        del item["format"]
        item.pop("signature", None)
    return kept, len(kept) < len(items)


def parse_reasoning(item: Mapping[str, Any], index: int) -> list[dict[str, Any]]:
    """The details of an item; `index` is the first one's place in its turn. What is no text is left out."""
    details: list[dict[str, Any]] = []
    details += ({"type": _SUMMARY, "summary": text} for text in _texts(item.get("summary")))
    texts = [{"type": _TEXT, "text": text} for text in _texts(item.get("content"))]
    if isinstance(item.get("signature"), str):
        texts = texts or [{"type": _TEXT}]
        texts[-1]["signature"] = item["signature"]
    details += texts
    if isinstance(item.get("encrypted_content"), str):
        details.append({"type": _ENCRYPTED, "data": item["encrypted_content"]})
    form = item.get("format") or OPENAI_FORMAT
    for place, detail in enumerate(details, start=index):
        if isinstance(item.get("id"), str):
            detail["id"] = item["id"]
        if form != UNKNOWN_FORMAT:
            detail["format"] = form
        detail["index"] = place
    return details


def _texts(parts: object) -> list[str]:
    """The texts of a list of parts."""
    if not isinstance(parts, list):
        return []
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return [text for text in texts if isinstance(text, str)]
