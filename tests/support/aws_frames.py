# SPDX-License-Identifier: Apache-2.0
"""Writes AWS's binary event stream, which nobody's parser but the one under test reads here.

A recording is a JSON list of events, each `{"type": ..., "payload": ...}`; `"exception": true` makes it an exception. Format: the page "Event Stream encoding" of
AWS's Smithy specification.
"""

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

_STRING: Final = 7


def frame(kind: str, payload: object, *, is_exception: bool = False) -> bytes:
    """One message. `payload` is what is written as JSON, or bytes as they are."""
    body = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    named = ":exception-type" if is_exception else ":event-type"
    headers = {":message-type": "exception" if is_exception else "event", named: kind}
    return frame_raw({**headers, ":content-type": "application/json"}, body)


def frame_raw(headers: Mapping[str, str], body: bytes) -> bytes:
    """One message with any headers, each a text."""
    return frame_headers(b"".join(_header(name, value) for name, value in headers.items()), body)


def frame_headers(head: bytes, body: bytes = b"") -> bytes:
    """One message with headers as bytes, whatever these are."""
    prelude = struct.pack("!II", 16 + len(head) + len(body), len(head))
    prelude += struct.pack("!I", zlib.crc32(prelude))
    message = prelude + head + body
    return message + struct.pack("!I", zlib.crc32(message))


def frame_events(events: list[dict[str, Any]]) -> bytes:
    """The stream of a recording's events."""
    return b"".join(
        frame(event["type"], event["payload"], is_exception=event.get("exception", False)) for event in events
    )


def frame_file(path: Path) -> bytes:
    """The stream of the events in a file."""
    return frame_events(orjson.loads(path.read_bytes()))


def _header(name: str, value: str) -> bytes:
    text = value.encode()
    return bytes([len(name)]) + name.encode() + bytes([_STRING]) + struct.pack("!H", len(text)) + text
