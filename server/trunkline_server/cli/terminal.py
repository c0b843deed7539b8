# SPDX-License-Identifier: Apache-2.0
"""What a command sees of the world: its input and outputs, its environment, and how both may be used."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TextIO

# Everything that could move the cursor, ring, or pass for another program's output; a model's text has no business with it.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_DIM: Final = "\x1b[2m"
_BOLD: Final = "\x1b[1m"
_PLAIN: Final = "\x1b[0m"


class CommandError(Exception):
    """A command cannot do what was asked. The text is for the person at the terminal; `status` is the program's exit status."""

    def __init__(self, message: str, *, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """Standard input and outputs, and the environment's variables."""

    environment: Mapping[str, str]
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    inp: TextIO = field(default_factory=lambda: sys.stdin)

    @property
    def is_live(self) -> bool:
        """A person reads standard output as it comes."""
        return self.out.isatty()

    def say(self, text: str = "", *, end: str = "\n") -> None:
        """Write to standard output at once."""
        print(text, end=end, file=self.out, flush=True)

    def complain(self, text: str) -> None:
        """Write a line to standard error."""
        print(text, file=self.err, flush=True)

    def dim(self, text: str) -> str:
        """The text in a paler colour where that can be seen."""
        return self._styled(_DIM, text)

    def bold(self, text: str) -> str:
        """The text in bold where that can be seen."""
        return self._styled(_BOLD, text)

    def clean(self, text: str) -> str:
        """A model's text as it may be shown: unchanged in a file or pipe, without control characters on a screen."""
        return _CONTROL.sub("", text) if self.is_live else text

    def _styled(self, style: str, text: str) -> str:
        plain = not self.is_live or self.environment.get("NO_COLOR") or self.environment.get("TERM") == "dumb"
        return text if plain or not text else f"{style}{text}{_PLAIN}"
