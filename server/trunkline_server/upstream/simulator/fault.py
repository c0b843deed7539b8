# SPDX-License-Identifier: Apache-2.0
"""The query of sim/fault: a script of what goes wrong.

`sim/fault?ttft_ms=50&cut_after=3` waits 50 ms before the first token and loses the connection after three chunks. Chunks are the `data:` events of a
stream, `[DONE]` among them, and count from 1; the first announces the role of a choice and holds no content. Without a query sim/fault answers as sim/echo does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from trunkline_server.upstream.simulator.refused import RefusedError

_MAX_WAIT_MS: Final = 3_600_000
_MAX_COUNT: Final = 1_000_000
_MAX_QUERY: Final = 8192
_WORD: Final = re.compile(r"[a-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultScript:
    """What goes wrong, and when. None and False: nothing of the kind.

    Before the body: `refuse` no connection; `hang` no answer, ever; `latency_ms` the wait before the answer's head; `status` another status, from 400 on
    with an error body whose code is `code`; `retry_after` that header, in seconds. Instead of the right body: `empty` none at all; `html` a page;
    `error_body` an error object (with status 200 unless `status` says otherwise).
    In the body: `ttft_ms` the wait before the first token; `tps` tokens a second; `cut_after` the connection breaks after so many chunks, `end_after` the
    body just ends, `stall_after` nothing more comes; `malformed_at` this chunk is broken JSON; `error_at` this chunk is an error event and the last;
    `no_tokens` the answer holds none; `no_finish` it has no finish_reason; `finish` it has this one; `no_usage` it has no usage; `no_done` the stream has
    no `[DONE]`. An answer in one piece is one chunk: of the breaks only those after 0 chunks concern it, and stop it in its middle.
    """

    refuse: bool = False
    hang: bool = False
    latency_ms: int = 0
    status: int | None = None
    code: str | None = None
    retry_after: int | None = None
    empty: bool = False
    html: bool = False
    error_body: bool = False
    ttft_ms: int = 0
    tps: float | None = None
    cut_after: int | None = None
    end_after: int | None = None
    stall_after: int | None = None
    malformed_at: int | None = None
    error_at: int | None = None
    no_tokens: bool = False
    no_finish: bool = False
    finish: str | None = None
    no_usage: bool = False
    no_done: bool = False


def read_fault(query: str | None) -> FaultScript:
    """The script of a query. Raises RefusedError that names the first unknown, repeated or badly set key."""
    if query is not None and len(query) > _MAX_QUERY:
        raise _refusal(f"there are more than {_MAX_QUERY} characters")
    settings: dict[str, Any] = {}
    for key, text in parse_qsl(query or "", keep_blank_values=True):
        reader = _READERS.get(key)
        if reader is None:
            raise _refusal(f"the key {key!r} is unknown. There are {', '.join(_READERS)}")
        if key in settings:
            raise _refusal(f"the key {key!r} is there twice")
        try:
            settings[key] = reader(text)
        except ValueError as error:
            raise _refusal(f"{key} must be {error}, not {text!r}") from None
    return FaultScript(**settings)


def _refusal(what: str) -> RefusedError:
    return RefusedError(f"model: in the query of sim/fault {what}.", param="model", code="invalid_fault")


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(high)) and low <= int(text) <= high):
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return read


def _rate(text: str) -> float:
    if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text, re.ASCII) or float(text) == 0:
        raise ValueError("a number above 0")
    return float(text)


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("0 or 1")
    return text == "1"


def _word(text: str) -> str:
    if not _WORD.fullmatch(text):
        raise ValueError("a word of small letters, digits, '_', '.' and '-'")
    return text


_wait = _whole(0, _MAX_WAIT_MS)
_count = _whole(0, _MAX_COUNT)
_position = _whole(1, _MAX_COUNT)

_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "refuse": _flag,
    "hang": _flag,
    "latency_ms": _wait,
    "status": _whole(200, 599),
    "code": _word,
    "retry_after": _whole(0, 86_400),
    "empty": _flag,
    "html": _flag,
    "error_body": _flag,
    "ttft_ms": _wait,
    "tps": _rate,
    "cut_after": _count,
    "end_after": _count,
    "stall_after": _count,
    "malformed_at": _position,
    "error_at": _position,
    "no_tokens": _flag,
    "no_finish": _flag,
    "finish": _word,
    "no_usage": _flag,
    "no_done": _flag,
}
"""Key to what reads its value; a ValueError says what was expected."""
