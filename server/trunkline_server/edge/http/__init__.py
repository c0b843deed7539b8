# SPDX-License-Identifier: Apache-2.0
"""The JSON wire: OpenAI's and OpenRouter's paths over HTTP, derived from the contract's descriptors."""

from trunkline_server.edge.http.options import HttpEdgeOptions
from trunkline_server.edge.http.server import HttpEdge

__all__ = ["HttpEdge", "HttpEdgeOptions"]
