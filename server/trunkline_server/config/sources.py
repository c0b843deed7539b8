# SPDX-License-Identifier: Apache-2.0
"""Where settings come from. A later source wins: the TOML file, environment variables, flags of the command line.

Each source is turned into nested mappings, and each value remembers where it stands, for the faults.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from trunkline_server.config.faults import Fault, SettingsError, format_path, suggest
from trunkline_server.config.lines import Path, find_lines
from trunkline_server.config.scalars import VARIABLE_PREFIX, Scalar

CONFIG_VARIABLE: Final = "TRUNKLINE_CONFIG"
"""The variable that names the settings file."""
KEY_VARIABLE: Final = "TRUNKLINE_API_KEY"
"""The variable with the key of a person who calls a gateway from the command line."""
MODEL_VARIABLE: Final = "TRUNKLINE_MODEL"
"""The variable with the model that `trunkline chat` asks."""
_NO_SETTINGS: Final = frozenset({CONFIG_VARIABLE, KEY_VARIABLE, MODEL_VARIABLE})
# Kubernetes tells a pod of the services beside it. A service called `trunkline` makes TRUNKLINE_PORT=tcp://10.0.0.1:8080 and its like.
_SERVICE_LINK: Final = re.compile(
    r"\w+_SERVICE_(HOST|PORT(_\w+)?)=.*|\w+_PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)=.*|\w+_PORT(_\d+_(TCP|UDP|SCTP))?=(tcp|udp|sctp)://.*"
)
_VARIABLE: Final = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{")
_ERROR_LINE: Final = re.compile(r" \(at line (\d+), column \d+\)$")
_ERROR_END: Final = " (at end of document)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    """A TOML file: its name as faults show it, and its text."""

    name: str
    text: str


@dataclass(slots=True, kw_only=True)
class Written:
    """The settings as they were written, merged from all sources, and where each stands.

    `tree` holds what TOML holds. `origins` are the paths that a variable or a flag sets, with its name. `faults` were found while reading.
    """

    tree: dict[str, Any] = field(default_factory=dict)
    file_name: str | None = None
    lines: Mapping[Path, int] = field(default_factory=dict)
    origins: dict[Path, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    broken: set[Path] = field(default_factory=set)

    def fault_at(self, path: Path, message: str, *, told: Path | None = None) -> Fault:
        """A fault of a setting, placed where the setting is written, else where the table around it is. `told` is the path in the message, where it differs."""
        shown = format_path(path if told is None else told)
        text = f"{shown}: {message}" if shown else message
        if path in self.origins:
            return Fault(where=self.origins[path], message=text, path=path)
        if self.file_name is None:
            return Fault(where="settings", message=text, path=path)
        line = next((self.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.lines), 1)
        return Fault(where=f"{self.file_name}:{line}", message=text, line=line, path=path)

    def value_at(self, path: Path) -> object:
        """What is written for a setting; None where nothing is."""
        value: Any = self.tree
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value


def read_sources(
    *, file: SettingsFile | None, environment: Mapping[str, str], flags: Mapping[str, object], scalars: Sequence[Scalar]
) -> Written:
    """All sources, merged. `flags` maps flags to their values. Raises SettingsError where the file is no TOML."""
    written = Written()
    if file is not None:
        written.file_name = file.name
        written.tree = _parse(file)
        written.lines = find_lines(file.text)
        written.tree = _expand(written.tree, (), environment, written)
    for name, value in _relevant(environment):
        scalar = next((scalar for scalar in scalars if scalar.variable == name), None)
        if scalar is None:
            hint = suggest(name, [scalar.variable for scalar in scalars])
            written.faults.append(Fault(where=name, message=f"no setting has this variable.{hint}"))
        else:
            _put(written, scalar.path, scalar.read(value), name)
    for scalar in scalars:
        if scalar.flag in flags:
            given = flags[scalar.flag]
            _put(written, scalar.path, scalar.read(given) if isinstance(given, str) else given, scalar.flag)
    return written


def _parse(file: SettingsFile) -> dict[str, Any]:
    try:
        return tomllib.loads(file.text)
    except tomllib.TOMLDecodeError as error:
        match = _ERROR_LINE.search(str(error))
        line = int(match[1]) if match else file.text.rstrip("\n").count("\n") + 1
        words = _ERROR_LINE.sub("", str(error)).removesuffix(_ERROR_END)
        raise SettingsError(
            [Fault(where=f"{file.name}:{line}", message=f"not valid TOML: {words}", line=line)]
        ) from error


def _relevant(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The variables that are meant for the settings. An empty one counts as not set."""
    for name, value in sorted(environment.items()):
        is_link = _SERVICE_LINK.fullmatch(f"{name}={value}")
        if name.startswith(VARIABLE_PREFIX) and name not in _NO_SETTINGS and value and not is_link:
            yield name, value


def _put(written: Written, path: tuple[str, ...], value: object, origin: str) -> None:
    """Set one value in the tree, making the tables on the way. A thing in the way that is no table stays, for the check to refuse."""
    table = written.tree
    for key in path[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            return
    table[path[-1]] = value
    written.origins[path] = origin


def _expand(value: Any, path: Path, environment: Mapping[str, str], written: Written) -> Any:
    """The value with each `${NAME}` in its texts replaced; `$${` stands for `${`. What cannot be replaced is a fault."""
    if isinstance(value, dict):
        return {key: _expand(item, (*path, key), environment, written) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, (*path, index), environment, written) for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replacement(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        name = match[1]
        if name and environment.get(name):
            return environment[name]
        problem = (
            f"the environment variable {name} is not set"
            if name
            else "`${` begins the name of a variable, as in `${NAME}`; write `$${` for the text"
        )
        written.faults.append(written.fault_at(path, problem))
        written.broken.add(path)
        return match[0]

    return _VARIABLE.sub(replacement, value)
