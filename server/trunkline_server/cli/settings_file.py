# SPDX-License-Identifier: Apache-2.0
"""Reading settings for a command: the file that it names, the environment, its flags."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from trunkline_server.cli.terminal import CommandError, Terminal
from trunkline_server.config.faults import SettingsError
from trunkline_server.config.read import read_settings
from trunkline_server.config.settings import Settings
from trunkline_server.config.sources import SettingsFile


def load_settings(path: str | None, terminal: Terminal, flags: Mapping[str, object]) -> Settings:
    """The settings of a file (None: no file), the environment and flags. Raises CommandError with every fault on a line of its own."""
    try:
        return read_settings(
            file=None if path is None else _read_file(path), environment=terminal.environment, flags=flags
        )
    except SettingsError as error:
        count = len(error.faults)
        raise CommandError(f"{count} fault{'' if count == 1 else 's'} in the settings:\n{error}") from error


def _read_file(path: str) -> SettingsFile:
    try:
        return SettingsFile(name=path, text=Path(path).read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not a text in UTF-8") from error
    except OSError as error:
        raise CommandError(f"cannot read the settings file {path}: {error.strerror}") from error
