# SPDX-License-Identifier: Apache-2.0
"""docs/configuration.md, made from the classes of the settings. A test compares; `make golden` writes it anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from trunkline_server.catalog.rows import Row
from trunkline_server.config.scalars import Scalar, find_scalars, format_default, strip
from trunkline_server.config.settings import Settings

_INTRODUCTION: Final = """\
# Configuration

The sources of settings, each winning over the one before: the TOML file, environment variables, flags of `trunkline serve`. Without any of them the
simulator is served to this machine alone, and whatever the keys in the environment open. The file is named by `--config` or `TRUNKLINE_CONFIG`; [example.toml](example.toml) is one.

- `trunkline check-config FILE` finds every fault at once, each with its line. Unknown keys, variables and flags are faults.
- Any text in the file may hold `${NAME}`, which stands for an environment variable; one that is not set is a fault. `$${` stands for `${`.
- An empty variable counts as not set. Switches are `true` or `false`.
- Lists (keys, providers, models, those of `[routing]`) stand in the file alone.
- A running gateway takes over changes of `[[providers]]`, `[[models]]`, `default_model`, `environment_keys`, `simulator` and `[routing]` when the file changes, and on SIGHUP. A file with
  a fault changes nothing: its faults are in the log, and what was offered before still is. Calls under way go on as they began. All other settings
  wait for a restart, which the log says. With `workers` each of them does so by itself, and SIGHUP replaces them all instead ([workers.md](workers.md)).
- Providers that ship with the gateway need no row: setting the variable of a provider's key is enough to have its models ([providers.md](providers.md)). A row with the
  same slug adds to the shipped one, unless its `base_url` is at another host: then it is another provider, and nothing shipped is for it.
- Where an endpoint names no `prices`, those of a shipped price list hold ([decisions/0008](decisions/0008-catalog.md)); `trunkline check-config` counts such endpoints.
- Without `[[keys]]` the gateway listens on loopback addresses only, unless told `--insecure`.

This page is made from the settings themselves.
"""
_TYPE_WORDS: Final = {bool: "switch", int: "whole number", float: "number", str: "text"}


def render_reference() -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    scalars = list(find_scalars())
    parts += _scalar_section("Top level", None, [scalar for scalar in scalars if len(scalar.path) == 1])
    for name, field in Settings.model_fields.items():
        annotation = strip(field.annotation)
        if isinstance(annotation, type) and issubclass(annotation, Row):
            section = [scalar for scalar in scalars if scalar.path[0] == name]
            parts += _scalar_section(f"`[{name}]`", annotation, section)
    for name, field in Settings.model_fields.items():
        annotation = strip(field.annotation)
        if get_origin(annotation) is tuple:
            parts += _row_section(name, f"[[{name}]]", field, strip(get_args(annotation)[0]))
    return "\n".join(parts)


def _scalar_section(title: str, table: type[Row] | None, scalars: list[Scalar]) -> Iterator[str]:
    yield f"## {title}\n"
    if table is not None:
        yield f"{table.__doc__}\n"
    yield "| setting | flag | variable | default | |"
    yield "|---|---|---|---|---|"
    for scalar in scalars:
        default = f"`{scalar.default}`" if scalar.default is not None else "unset"
        choices = f" One of {', '.join(f'`{choice}`' for choice in scalar.choices)}." if scalar.choices else ""
        key = ".".join(scalar.path[1:] or scalar.path)
        yield f"| `{key}` | `{scalar.flag}` | `{scalar.variable}` | {default} | {scalar.sentence}{choices} |"
    for key, field in table.model_fields.items() if table is not None else ():
        if get_origin(strip(field.annotation)) is tuple:
            yield f"| `{key}` | | | {_default_words(field)} | {field.description} |"
    yield ""


def _row_section(path: str, title: str, field: FieldInfo | None, table: type[Row]) -> Iterator[str]:
    """The tables of a list, and those inside each of them."""
    yield f"## `{title}`\n"
    yield f"{table.__doc__}{f' {field.description}' if field else ''}\n"
    yield "| key | type | default | |"
    yield "|---|---|---|---|"
    inner: list[tuple[str, str, type[Row]]] = []
    for key, column in table.model_fields.items():
        annotation = strip(column.annotation)
        element = strip(get_args(annotation)[0]) if get_origin(annotation) is tuple else annotation
        if isinstance(element, type) and issubclass(element, Row):
            brackets = ("[[", "]]") if element is not annotation else ("[", "]")
            inner.append((f"{path}.{key}", f"{path}.{key}".join(brackets), element))
        yield f"| `{key}` | {_type_words(annotation)} | {_default_words(column)} | {column.description} |"
    yield ""
    for inner_path, inner_title, element in inner:
        yield from _row_section(inner_path, inner_title, None, element)


def _type_words(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(f"`{choice}`" for choice in get_args(annotation))
    if get_origin(annotation) is tuple:
        element = strip(get_args(annotation)[0])
        return "tables" if _is_table(element) else "list of texts"
    if _is_table(annotation):
        return "table"
    return _TYPE_WORDS.get(annotation, "text" if isinstance(annotation, type) else "table")


def _default_words(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if isinstance(field.default, Row):
        return "as below"
    if field.default is None or field.default in ((), {}, ""):
        return "unset"
    return f"`{format_default(field)}`"


def _is_table(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Row)
