# SPDX-License-Identifier: Apache-2.0
"""A stream of about 1 KB that can be cut after any byte, and what must then be told. The body ends with the connection, so nothing but its content shows the cut."""

from __future__ import annotations

from typing import Final

from support.fault_rows import BOTH_USED, INVALID, ROLE, UNAVAILABLE, Breaks, Fails, Row, Says, raw
from support.fault_upstream import sse_event
from support.fault_upstream import text_chunk as text

TEXTS: Final = ("Once", " upon", " a \u2713", " time", " there was")
HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
EVENTS: Final = (
    sse_event(ROLE),
    *(sse_event(text(piece)) for piece in TEXTS),
    sse_event(text("", finish_reason="stop")),
    sse_event({"choices": [], "usage": BOTH_USED}),
    b"data: [DONE]\n\n",
)
STREAM: Final = b"".join(EVENTS)
_END: Final = len(b"".join(EVENTS[: len(TEXTS) + 2]))


def outcome_of(offset: int) -> Fails | Breaks | Says:
    """What a client must see of a stream that ends after so many bytes: all of the answer, or what came of it and the failure."""
    # The last event counts without its blank line where it holds the finish (F35), and is dropped otherwise.
    if offset >= _END - 2:
        return Says(text="".join(TEXTS))
    whole = sum(len(b"".join(EVENTS[: place + 1])) <= offset for place in range(len(EVENTS)))
    said = "".join(TEXTS[: max(whole - 1, 0)])
    if said:
        return Breaks(end=UNAVAILABLE, text=said)
    return UNAVAILABLE if offset else INVALID


def row_of(offset: int) -> Row:
    """The row of a cut."""
    answer = raw(HEAD, *([STREAM[:offset]] if offset else []))
    return Row(number="P10", name=f"byte{offset}", outcome=outcome_of(offset), streamed=answer)
