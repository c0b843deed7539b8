# SPDX-License-Identifier: Apache-2.0
"""The settings of the HTTP edge, as values: where they come from is not its business."""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpEdgeOptions:
    """Limits and times of the HTTP edge.

    `max_body_bytes` bounds a request's body. `first_byte_hold_s` is how long the status line of a stream waits for the first content, and
    `comment_interval_s` the longest silence of a stream after that. A client that takes nothing for `write_timeout_s` is dropped. A head must be whole
    `head_timeout_s` after its first byte. A body must be there `body_timeout_s` after its head, plus one second for each `body_bytes_per_s` that did
    come. An idle connection is closed after `keepalive_timeout_s`. `max_line_bytes` bounds the request line and each header, `max_headers` their number.
    With `loopback_only` (the gateway has no keys and listens on loopback) only loopback Host names are answered.
    """

    max_body_bytes: int = 32 * _MIB
    first_byte_hold_s: float = 10.0
    comment_interval_s: float = 15.0
    write_timeout_s: float = 60.0
    head_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    body_bytes_per_s: int = 64 * 1024
    keepalive_timeout_s: float = 75.0
    max_line_bytes: int = 16 * 1024
    max_headers: int = 100
    loopback_only: bool = True
