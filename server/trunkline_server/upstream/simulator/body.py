# SPDX-License-Identifier: Apache-2.0
"""Reading typed values out of parsed JSON, with the path of what is wrong.

Each reader takes an object, a key and the object's path; an absent key and null are the same, and give None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import orjson

from trunkline_server.upstream.simulator.limits import MAX_SCHEMA, too_many
from trunkline_server.upstream.simulator.refused import RefusedError

Json: TypeAlias = Any
"""What `orjson.loads` gives."""

_PLAIN_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")


def json_path(path: str, key: str | int) -> str:
    """The path of a key or item: `messages[2].content`, and `properties["a b"]` where a name needs quotes."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if _PLAIN_NAME.fullmatch(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{orjson.dumps(key).decode()}]"


def read_object(value: Json, path: str) -> Mapping[str, Json]:
    """The value itself, which must be an object."""
    if not isinstance(value, dict):
        raise wrong(path, "an object", value)
    return value


def object_at(source: Mapping[str, Json], key: str, path: str) -> Mapping[str, Json] | None:
    """An object."""
    value = source.get(key)
    return None if value is None else read_object(value, json_path(path, key))


def list_at(source: Mapping[str, Json], key: str, path: str) -> list[Json] | None:
    """An array."""
    value = source.get(key)
    if value is not None and not isinstance(value, list):
        raise wrong(json_path(path, key), "an array", value)
    return value


def text_at(source: Mapping[str, Json], key: str, path: str) -> str | None:
    """A string."""
    value = source.get(key)
    if value is not None and not isinstance(value, str):
        raise wrong(json_path(path, key), "a string", value)
    return value


def required_text(source: Mapping[str, Json], key: str, path: str) -> str:
    """A string that must be there."""
    value = text_at(source, key, path)
    if value is None:
        raise RefusedError(f"{json_path(path, key)}: a string is missing.", param=json_path(path, key))
    return value


def flag_at(source: Mapping[str, Json], key: str, path: str) -> bool | None:
    """A boolean."""
    value = source.get(key)
    if value is not None and not isinstance(value, bool):
        raise wrong(json_path(path, key), "true or false", value)
    return value


def integer_at(source: Mapping[str, Json], key: str, path: str, low: int, high: int) -> int | None:
    """An integer from `low` to `high`; 5.0 counts as one, true does not."""
    value = source.get(key)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise wrong(json_path(path, key), f"an integer from {low} to {high}", value)
    return value


def json_size(value: Json, path: str) -> int:
    """The bytes of a value's JSON text."""
    try:
        return len(orjson.dumps(value))
    except orjson.JSONEncodeError:  # orjson reads more levels than it writes
        raise RefusedError(f"{path}: nested too deep.", param=path) from None


def check_schema_size(schema: Json, path: str) -> None:
    """Raises RefusedError where a schema is longer than MAX_SCHEMA."""
    if json_size(schema, path) > MAX_SCHEMA:
        raise too_many(path, MAX_SCHEMA, "bytes of JSON in one schema")


def wrong(path: str, expected: str, value: Json) -> RefusedError:
    """The refusal of a value, which is shown when it is short."""
    try:
        shown = orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # orjson reads more levels than it writes
        shown = "a value that is nested too deep"
    came = shown if len(shown) <= 40 else f"{len(shown)} characters of JSON"
    return RefusedError(f"{path or 'The body'}: expected {expected}, got {came}.", param=path or None)
