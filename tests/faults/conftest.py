# SPDX-License-Identifier: Apache-2.0
"""The table of what waits for a feature, printed at the end of the run."""

from _pytest.terminal import TerminalReporter

from faults.waiting import WAITING


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print the rows that no test covers wholly yet, and what each waits for."""
    terminalreporter.section("rows of the fault matrix that wait for a feature")
    for row in WAITING:
        partly = " (partly tested)" if row.partly else ""
        terminalreporter.write_line(f"{row.number}{partly} waits for {row.feature}: {row.rest}")
