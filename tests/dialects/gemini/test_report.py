# SPDX-License-Identifier: Apache-2.0
"""What a request lost or had changed."""

from trunkline_server.dialects.gemini.report import Report


def test_each_path_is_named_once() -> None:
    """Paths keep the order in which they were found; what was first done to a field stays."""
    report = Report()
    report.drop("b")
    report.drop("a")
    report.drop("b")
    report.change("n", "clamped to 8")
    report.change("n", "other")
    report.drop_others("tools", {"type": 1, "x": 2}, {"type"})
    assert report.dropped == ("b", "a", "tools.x")
    assert report.changed == (("n", "clamped to 8"),)
