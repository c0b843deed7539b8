# SPDX-License-Identifier: Apache-2.0
"""Golden files: expected answers longer than ten lines stand in tests/golden and are written by `make golden`."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """Compares what the code made with a file below folder, or writes the file when update is set."""

    folder: Path
    update: bool

    def check_text(self, name: str, actual: str) -> None:
        """Fail the test unless the file name, relative to the folder, holds exactly actual.

        Line ends count, so the file is read and written as bytes.
        """
        path = self.folder / name
        made = actual.encode()
        current = path.read_bytes() if path.is_file() else None
        if self.update:
            if current != made:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(made)
            return
        if current is None:
            pytest.fail(f"tests/golden/{name} is not there: `make golden` writes it", pytrace=False)
        assert actual == current.decode(), (
            f"tests/golden/{name} differs: if that is meant, `make golden` writes it anew"
        )

    def check_json(self, name: str, actual: object) -> None:
        """Fail the test unless the file name holds actual as indented JSON, keys in the order they were made."""
        self.check_text(name, json.dumps(actual, indent=2, ensure_ascii=False) + "\n")
