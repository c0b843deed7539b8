# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the settings, in words: where it stands, which setting, what is expected. Values are never shown, since any may be a secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from pydantic_core import ErrorDetails

from trunkline_server.config.lines import Path

_OWN_WORDS: Final = {
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "dict_type": "must be a table",
    "finite_number": "must be a number that is not infinite",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "mapping_type": "must be a table",
    "model_type": "must be a table",
    "string_too_short": "must not be empty",
    "string_type": "must be a text in quotes",
    "tuple_type": "must be an array",
}
"""pydantic's kind of an error to the words of a settings file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault.

    `where` is `FILE:LINE`, the name of an environment variable, or a flag; `line` orders the faults of a file (0: not of a file). `path` is the setting's.
    """

    where: str
    message: str
    line: int = 0
    path: Path = ()

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class SettingsError(Exception):
    """The settings cannot be used. `faults` are all of them, in the order of the file."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


def format_path(path: Path) -> str:
    """A path as people write it: `models[0].endpoints[1].provider`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def suggest(word: str, known: Sequence[str]) -> str:
    """A question that names the known word closest to a mistaken one, with a space before it, or nothing."""
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f" Did you mean `{close[0]}`?" if close else ""


def describe_error(error: ErrorDetails, siblings: Sequence[str]) -> str:
    """A sentence for one of pydantic's errors. `siblings` are the keys that are known where the error is."""
    kind, context = error["type"], error.get("ctx", {})
    last = str(error["loc"][-1]) if error["loc"] else ""
    if kind == "missing":
        return f"`{last}` is missing"
    if kind == "extra_forbidden":
        return f"unknown key `{last}`.{suggest(last, siblings)}"
    if last == "[key]":
        key = str(error["loc"][-2])
        return f"unknown key `{key}`.{suggest(key, siblings)}"
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind in {"greater_than", "greater_than_equal"}:
        return (
            f"must be {'more than' if kind == 'greater_than' else 'at least'} {context.get('gt', context.get('ge')):g}"
        )
    return _OWN_WORDS.get(kind, error["msg"])
