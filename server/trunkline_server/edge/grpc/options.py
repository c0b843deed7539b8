# SPDX-License-Identifier: Apache-2.0
"""The settings of the gRPC edge, as values: where they come from is not its business."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MIB: Final = 1024 * 1024
_METADATA_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcEdgeOptions:
    """Limits and times of the gRPC edge.

    `max_message_bytes` bounds a request, decompressed. A client may ping once each `min_ping_interval_s`; one that pings more often is sent away. The
    edge itself pings a silent client each `keepalive_time_s` and gives up on it after `keepalive_timeout_s`. A connection is asked to end when it has been
    idle for `max_connection_idle_s` or exists for `max_connection_age_s` (None: never), so that clients spread over several processes; its calls have
    `max_connection_age_grace_s` to finish, which should not be less than the longest call. `max_concurrent_streams` bounds the calls of one connection;
    further ones wait at the client. A call whose request has not come whole after `request_timeout_s` is ended. The façade's event streams say a comment
    when nothing came for `first_byte_hold_s`, and after each further silence of `comment_interval_s`. A whole answer of at least `compress_from_bytes` is
    compressed for clients that take it so. `reflection` lets anybody read the contract. `so_reuseport` lets several processes listen on one port.
    """

    max_message_bytes: int = 32 * _MIB
    min_ping_interval_s: float = 30.0
    keepalive_time_s: float = 120.0
    keepalive_timeout_s: float = 20.0
    max_connection_idle_s: float | None = None
    max_connection_age_s: float | None = None
    max_connection_age_grace_s: float = 600.0
    max_concurrent_streams: int = 1000
    request_timeout_s: float = 120.0
    first_byte_hold_s: float = 10.0
    comment_interval_s: float = 15.0
    compress_from_bytes: int = 16 * 1024
    reflection: bool = True
    so_reuseport: bool = False

    def channel_arguments(self) -> list[tuple[str, int]]:
        """The options as grpc core names them."""
        arguments = [
            ("grpc.max_receive_message_length", self.max_message_bytes),
            # By default grpc core refuses metadata between 8 and 16 KiB at random. The HTTP edge's head has the same limit.
            ("grpc.max_metadata_size", _METADATA_BYTES),
            ("grpc.absolute_max_metadata_size", _METADATA_BYTES),
            # The lowest level is gzip, for clients whose `grpc-accept-encoding` has it; each message may still go out as it is. What the API of
            # grpc.aio offers instead compresses for clients that cannot read it, and hides what they accept.
            ("grpc.default_compression_level", 1),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", _ms(self.min_ping_interval_s)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.keepalive_time_ms", _ms(self.keepalive_time_s)),
            ("grpc.keepalive_timeout_ms", _ms(self.keepalive_timeout_s)),
            ("grpc.max_concurrent_streams", self.max_concurrent_streams),
            ("grpc.so_reuseport", int(self.so_reuseport)),
        ]
        if self.max_connection_idle_s is not None:
            arguments.append(("grpc.max_connection_idle_ms", _ms(self.max_connection_idle_s)))
        if self.max_connection_age_s is not None:
            arguments.append(("grpc.max_connection_age_ms", _ms(self.max_connection_age_s)))
            arguments.append(("grpc.max_connection_age_grace_ms", _ms(self.max_connection_age_grace_s)))
        return arguments


def _ms(seconds: float) -> int:
    return max(1, int(seconds * 1000))
