# SPDX-License-Identifier: Apache-2.0
"""Rows of the fault matrix that are tested in other places, and those that wait for a feature of the gateway. The run prints the latter; no test pretends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One row: its number, the feature it waits for, what of it is not tested until then. `partly`: the rest of the row is tested."""

    number: str
    feature: str
    rest: str
    partly: bool = False


ELSEWHERE: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "F58": ("engine/test_health.py", "test_a_flapping_endpoint_changes_its_state_rarely"),
        "F59": ("conformance/test_abort.py", "test_leaving_reaches_the_provider"),
        "F60": ("upstream/test_http.py", "test_a_slow_reader_slows_the_provider"),
        "F68": ("test_app.py", "test_sigterm_lets_streams_finish"),
        "F72": ("test_reload.py", "test_a_running_gateway_bears_a_faulty_file"),
    }
)
"""Row -> file below tests, and a test there that shows it."""

WAITING: Final = (
    Waiting(number="F04", feature="metrics", rest="the alert", partly=True),
    Waiting(
        number="F07", feature="virtual time", rest="pings that go on for 300 s after the first content", partly=True
    ),
    Waiting(number="F21", feature="metrics", rest="the warning of a wrong content type", partly=True),
    Waiting(number="F23", feature="the benchmark", rest="memory stays flat under a bomb", partly=True),
    Waiting(
        number="F28", feature="the benchmark", rest="the processor's time for answers in single bytes", partly=True
    ),
    Waiting(number="F45", feature="plugins", rest="healing of arguments that are no JSON", partly=True),
    Waiting(number="F50", feature="metrics", rest="the alert; the quarantine is tested", partly=True),
    Waiting(number="F60", feature="the write time-out", rest="a client that reads nothing is dropped", partly=True),
    Waiting(number="F62", feature="the database", rest="it is locked or slow"),
    Waiting(number="F63", feature="the database", rest="it is gone"),
    Waiting(number="F64", feature="the database", rest="it is full or read-only"),
    Waiting(number="F65", feature="shared limits", rest="Redis is gone"),
    Waiting(number="F66", feature="shared limits", rest="Redis loses its last writes"),
    Waiting(number="F67", feature="budgets by day", rest="the wall clock jumps"),
    Waiting(number="F68", feature="the ledger", rest="SIGKILL and SIGSTOP while calls are billed", partly=True),
    Waiting(number="F69", feature="log files", rest="the disk is full"),
    Waiting(number="F70", feature="a reserve of file descriptors", rest="their limit is reached"),
    Waiting(number="F71", feature="plugins", rest="one raises, hangs or is slow"),
    Waiting(number="F73", feature="metrics", rest="the watchdog of the event loop"),
)
