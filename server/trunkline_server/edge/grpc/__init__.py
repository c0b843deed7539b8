# SPDX-License-Identifier: Apache-2.0
"""The gRPC edge: grpc.aio, with handlers that parse and fail in the contract's own words."""

from trunkline_server.edge.grpc.options import GrpcEdgeOptions
from trunkline_server.edge.grpc.server import EXEMPT_RPCS, GrpcEdge

__all__ = ["EXEMPT_RPCS", "GrpcEdge", "GrpcEdgeOptions"]
