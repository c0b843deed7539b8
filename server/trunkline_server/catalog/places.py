# SPDX-License-Identifier: Apache-2.0
"""The places `{name}` in a provider's addresses, such as the resource of Azure's or the project and the region of Google's, and what stands there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from trunkline_server.catalog.entry import Wire
from trunkline_server.catalog.rows import ProviderRow

MODEL: Final = "model"
"""The place in the paths of `wire` where each request has its own model."""
REGION: Final = "region"
"""The value that requests to AWS are signed for."""

_PLACE: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_VALUE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with the values in their places; places without a value stay."""
    return _PLACE.sub(lambda match: values.get(match[1], match[0]), template)


def find_values(row: ProviderRow, environment: Mapping[str, str]) -> ProviderRow:
    """The row with the values that its variables hold, where it has none of its own. A variable whose text cannot be part of an address counts as not set."""
    found = {
        name: text
        for name, variable in row.value_variables.items()
        if name not in row.values and _VALUE.fullmatch(text := environment.get(variable, ""))
    }
    return row.model_copy(update={"values": {**row.values, **found}}) if found else row


def unfilled(row: ProviderRow) -> tuple[str, ...]:
    """The places of the row's addresses that nothing stands in: such a provider cannot be reached."""
    wire = row.wire
    templates = [row.base_url, *((wire.path, wire.stream_path) if wire is not None else ())]
    names = (name for template in templates if template is not None for name in _PLACE.findall(template))
    return tuple(dict.fromkeys(name for name in names if name not in row.values and name != MODEL))


def make_wire(row: ProviderRow) -> Wire | None:
    """What the row says of its provider's requests, with its values in their places; None where it says nothing."""
    wire = row.wire
    if wire is None:
        return None
    path, stream_path = wire.path, wire.stream_path or wire.path
    return Wire(
        path=fill(path, row.values) if path is not None else None,
        stream_path=fill(stream_path, row.values) if stream_path is not None else None,
        adds=MappingProxyType(dict(wire.adds)),
        removes=frozenset(wire.removes),
        removes_headers=frozenset(name.lower() for name in wire.removes_headers),
        reads_urls=wire.reads_urls,
    )


def find_place_faults(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The places that neither a value nor a variable is named for, in a row as it was written: the key that is at fault, and what is wrong."""
    known = {MODEL}
    for key in ("values", "value_variables"):
        if isinstance(row.get(key), Mapping):
            known.update(row[key])
    wire = row.get("wire")
    paths = [wire.get("path"), wire.get("stream_path")] if isinstance(wire, Mapping) else []
    for key, template in (("base_url", row.get("base_url")), *(("wire", path) for path in paths)):
        for name in _PLACE.findall(template) if isinstance(template, str) else ():
            if name not in known or (name == MODEL and key == "base_url"):
                yield key, f'nothing stands for `{{{name}}}`: write `values = {{ {name} = "..." }}`'
