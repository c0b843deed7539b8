# SPDX-License-Identifier: Apache-2.0
"""The settings that have one value each, as found in the classes of `settings.py`: their flag, their variable, their kind, their default, their sentence.

Lists (keys, providers, models) stand in the file alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from trunkline_server.catalog.rows import Row
from trunkline_server.config.settings import Settings

VARIABLE_PREFIX: Final = "TRUNKLINE_"
# Two underscores, because Kubernetes gives pods variables such as TRUNKLINE_HTTP_PORT for its services.
_SECTION_MARK: Final = "__"
_ADDRESS: Final = "listen"

Kind = Literal["switch", "whole number", "number", "choice", "text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A setting of one value.

    `path` leads to it from the root; `default` is written as in a TOML file (None: unset); `choices` are the words that a choice allows.
    """

    path: tuple[str, ...]
    kind: Kind
    default: str | None
    sentence: str
    choices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The path as the documentation writes it."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return VARIABLE_PREFIX + _SECTION_MARK.join(self.path).upper()

    @property
    def flag(self) -> str:
        """The flag of `trunkline serve` that sets it. An address has its section's name: `--http`."""
        words = self.path[:-1] if len(self.path) > 1 and self.path[-1] == _ADDRESS else self.path
        return "--" + "-".join(words).replace("_", "-")

    def read(self, text: str) -> object:
        """The value of a text from a variable or a flag. A text that is not of the kind stays as it is, for the check to refuse."""
        if self.kind == "switch":
            return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(
                text.lower(), text
            )
        numbers = {"whole number": int, "number": float}
        try:
            return numbers[self.kind](text) if self.kind in numbers else text
        except ValueError:
            return text


def find_scalars(table: type[Row] = Settings, path: tuple[str, ...] = ()) -> Iterator[Scalar]:
    """The settings of one value, in the order of the classes."""
    for name, field in table.model_fields.items():
        annotation = strip(field.annotation)
        here = (*path, name)
        if isinstance(annotation, type) and issubclass(annotation, Row):
            yield from find_scalars(annotation, here)
        elif get_origin(annotation) is not tuple:
            yield _make_scalar(here, annotation, field)


def strip(annotation: Any) -> Any:
    """A type without `| None` and without annotations."""
    if get_origin(annotation) is Annotated:
        return strip(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        kept = [choice for choice in get_args(annotation) if choice is not NoneType]
        return strip(kept[0]) if len(kept) == 1 else annotation
    return annotation


def format_default(field: FieldInfo) -> str | None:
    """The default as a TOML file would write it; None for an unset one."""
    value = field.default
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    return f'"{value}"'


def _make_scalar(path: tuple[str, ...], annotation: Any, field: FieldInfo) -> Scalar:
    is_choice = get_origin(annotation) is Literal
    kinds: dict[Any, Kind] = {bool: "switch", int: "whole number", float: "number"}
    return Scalar(
        path=path,
        kind="choice" if is_choice else kinds.get(annotation, "text"),
        default=format_default(field),
        sentence=field.description or "",
        choices=get_args(annotation) if is_choice else (),
    )
