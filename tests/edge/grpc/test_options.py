# SPDX-License-Identifier: Apache-2.0
"""The options of the gRPC edge as grpc core gets them."""

from trunkline_server.edge.grpc.options import GrpcEdgeOptions


def test_defaults() -> None:
    """Messages of 32 MiB, metadata of 16 KiB, gzip for those who take it, a ping each 30 s, a port for one process, and connections of any age."""
    assert dict(GrpcEdgeOptions().channel_arguments()) == {
        "grpc.max_receive_message_length": 32 * 1024 * 1024,
        "grpc.max_metadata_size": 16 * 1024,
        "grpc.absolute_max_metadata_size": 16 * 1024,
        "grpc.default_compression_level": 1,
        "grpc.http2.min_recv_ping_interval_without_data_ms": 30_000,
        "grpc.keepalive_permit_without_calls": 1,
        "grpc.keepalive_time_ms": 120_000,
        "grpc.keepalive_timeout_ms": 20_000,
        "grpc.max_concurrent_streams": 1000,
        "grpc.so_reuseport": 0,
    }


def test_age_of_connections() -> None:
    """A connection's age and idleness are limited where they are set, in milliseconds."""
    options = GrpcEdgeOptions(max_connection_idle_s=5, max_connection_age_s=60, max_connection_age_grace_s=0.5)
    arguments = dict(options.channel_arguments())
    assert arguments["grpc.max_connection_idle_ms"] == 5000
    assert arguments["grpc.max_connection_age_ms"] == 60_000
    assert arguments["grpc.max_connection_age_grace_ms"] == 500


def test_processes_that_share_a_port() -> None:
    """Several processes listen on one port only where that is asked for."""
    assert dict(GrpcEdgeOptions(so_reuseport=True).channel_arguments())["grpc.so_reuseport"] == 1
