# SPDX-License-Identifier: Apache-2.0
"""What the command line tells the supervisor, and the supervisor each worker. Both travel as one argument, in JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

READY: Final = b"ready\n"
"""What a worker says on its control socket when it serves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a supervisor does.

    `command` starts a worker, but for its seat. `workers` is their number. `banner` is printed once when all are ready. `stop_limit_s` is how long a
    worker that was told to stop may take before it is killed. `log_format` and `log_level` are as in the settings. `reserved_fds` are the
    sockets that hold the ports; they stay open with the process.
    """

    command: Sequence[str]
    workers: int
    banner: str
    stop_limit_s: float
    log_format: str
    log_level: str
    reserved_fds: Sequence[int]

    def to_text(self) -> str:
        """The orders as an argument."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Orders:
        """The orders of an argument. Raises ValueError or TypeError where it holds none."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A worker's place.

    `number` counts from 1. On `control_fd`, a stream socket, the worker says that it is ready, and learns from its end that the supervisor is gone.
    `folder` is where the workers find each other; only their user can open it.
    """

    number: int
    control_fd: int
    folder: str

    def to_text(self) -> str:
        """The seat as an argument."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Seat:
        """The seat of an argument. Raises ValueError or TypeError where it holds none."""
        return cls(**json.loads(text))
