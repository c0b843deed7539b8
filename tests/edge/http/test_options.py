# SPDX-License-Identifier: Apache-2.0
"""The defaults of the HTTP edge."""

from trunkline_server.edge.http import HttpEdgeOptions


def test_the_defaults_are_those_of_the_contract() -> None:
    """32 MiB a body, the status line held 10 s, a comment every 15 s, loopback only."""
    options = HttpEdgeOptions()
    assert options.max_body_bytes == 32 * 1024 * 1024
    assert (options.first_byte_hold_s, options.comment_interval_s) == (10.0, 15.0)
    assert options.loopback_only
