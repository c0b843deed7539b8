# SPDX-License-Identifier: Apache-2.0
"""Values for JSON schemas of the structured-output subset. Pure; bounded in time."""

from trunkline_server.upstream.simulator.schema.fill import fill_schema
from trunkline_server.upstream.simulator.schema.steps import Steps

__all__ = ["Steps", "fill_schema"]
