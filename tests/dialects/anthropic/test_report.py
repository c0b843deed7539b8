# SPDX-License-Identifier: Apache-2.0
"""What was lost or changed."""

from trunkline_server.dialects.anthropic.report import Report


def test_each_path_once() -> None:
    """A path is named once, in the order it was found; what was first said of a change stays."""
    report = Report()
    for path in ("b", "a", "b"):
        report.drop(path)
    report.change("c", "first")
    report.change("c", "second")
    assert (report.dropped, report.changed) == (("b", "a"), (("c", "first"),))
