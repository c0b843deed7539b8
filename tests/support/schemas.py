# SPDX-License-Identifier: Apache-2.0
"""JSON schemas of the structured-output subset, made by Hypothesis, and the referee that judges values by them.

The schemas demand nothing impossible: bounds are in order, patterns come with lengths they can have, enums fit their type.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

_CHECKER = FormatChecker()
for _name in Draft202012Validator.FORMAT_CHECKER.checkers:
    _CHECKER.checkers[_name] = Draft202012Validator.FORMAT_CHECKER.checkers[_name]


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


# jsonschema judges these only where further packages are installed. Formats speak of strings alone.
_CHECKS: dict[str, Callable[[str], object]] = {
    "date-time": _is_moment,
    "time": lambda text: _is_moment(f"2000-01-01T{text}"),
    "duration": re.compile(r"P(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?").fullmatch,
    "hostname": re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9-]{1,63})*").fullmatch,
    "uri": re.compile(r"[a-z]+://[a-z0-9.]+/[!-~]*").fullmatch,
}
for _name, _check in _CHECKS.items():
    _CHECKER.checks(_name)(lambda value, check=_check: not isinstance(value, str) or bool(check(value)))

FORMAT_NAMES = ("date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri")
PATTERNS = (
    r"^[a-z]+$",
    r"^[A-Z]{2}-\d{4}$",
    r"\d",
    r"^(red|green|blue)$",
    r"^\+?[0-9 ()-]{7,}$",
    r"^#[0-9a-fA-F]{6}$",
    r"^([a-z]+\.)*[a-z]+$",
    r"^[^\s@]+@[^\s@]+\.[a-z]{2,}$",
    r"^(?:a|bb|ccc)*?$",
    r"^v(?P<major>\d+)\.(\d+)(-rc\.\d+)?$",
    r"^\u0041\x42[\t ]?\S{3}\W$",
    r"^.{5}$",
)
NAMES = st.sampled_from(["id", "name", "next", "a b", "é", "$ref", "kind", "items"])


def find_faults(schema: Any, value: Any) -> list[str]:
    """What the referee finds wrong with a value; empty where it fits."""
    Draft202012Validator.check_schema(schema)
    return [error.message for error in Draft202012Validator(schema, format_checker=_CHECKER).iter_errors(value)]


def _without_none(keys: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in keys.items() if value is not None}


@st.composite
def _bounded(draw: st.DrawFn, low: str, high: str, most: int) -> dict[str, Any]:
    ends = sorted(draw(st.lists(st.integers(0, most), min_size=2, max_size=2)))
    kept = draw(st.sampled_from([(), (low,), (high,), (low, high)]))
    return {key: value for key, value in zip((low, high), ends, strict=True) if key in kept}


@st.composite
def _numbers(draw: st.DrawFn) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": draw(st.sampled_from(["integer", "number"]))}
    ends = sorted(draw(st.lists(st.integers(-(2**60), 2**60) | st.integers(-99, 99), min_size=2, max_size=2)))
    low, high = draw(
        st.sampled_from(
            [(None, None), ("minimum", None), (None, "maximum"), ("minimum", "maximum"), ("exclusiveMinimum", None)]
        )
    )
    schema |= _without_none({low: ends[0], high: ends[1]} if low != high else {})
    schema.pop(None, None)
    if (low is None or high is None) and draw(st.booleans()):
        schema["multipleOf"] = draw(st.sampled_from([1, 2, 5, 0.5, 0.25]))
    return schema


_strings = st.one_of(
    _bounded("minLength", "maxLength", 40),
    st.sampled_from(PATTERNS).map(lambda pattern: {"pattern": pattern}),
    st.sampled_from(FORMAT_NAMES).map(lambda name: {"format": name}),
).map(lambda keys: {"type": "string", **keys})
_members = st.lists(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["a", "b", ""]), min_size=1, max_size=4
)
_leaves = st.one_of(
    _numbers(),
    _strings,
    _members.map(lambda members: {"enum": members}),
    _members.map(lambda members: {"const": members}),
    st.sampled_from(
        [{"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]}, {}, True, {"title": "x", "default": 1}]
    ),
)


@st.composite
def _objects(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> dict[str, Any]:
    properties = draw(st.dictionaries(NAMES, inner, max_size=4))
    required = [name for name in properties if draw(st.booleans())]
    schema = _without_none({"type": "object", "properties": properties, "required": required or None})
    return schema | draw(st.sampled_from([{}, {"additionalProperties": False}, {"additionalProperties": True}]))


@st.composite
def _arrays(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> dict[str, Any]:
    schema = {"type": "array", "items": draw(inner), **draw(_bounded("minItems", "maxItems", 4))}
    return schema | draw(st.sampled_from([{}, {}, {"prefixItems": [{"type": "boolean"}]}]))


@st.composite
def _choices(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> dict[str, Any]:
    return {"anyOf": draw(st.lists(inner, min_size=1, max_size=3))}


def _compound(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    maps = inner.map(lambda child: {"type": "object", "additionalProperties": child})
    return st.one_of(_objects(inner), _arrays(inner), _choices(inner), maps)


@st.composite
def schemas(draw: st.DrawFn) -> dict[str, Any]:
    """A schema with definitions, which may refer to each other and to the root.

    A reference stands inside an object or array and is optional there: a finite value stays possible, and the referee does not follow it in circles.
    """
    plain = st.recursive(_leaves, _compound, max_leaves=6)
    names = draw(st.lists(st.sampled_from(["node", "a/b", "x~y"]), unique=True, max_size=3))
    pointers = ["#/$defs/" + name.replace("~", "~0").replace("/", "~1") for name in names]
    back = st.sampled_from([{"$ref": pointer} for pointer in [*pointers, "#"]])
    optional = st.one_of(
        back.map(
            lambda node: {
                "properties": {"next": {"anyOf": [node, {"type": "null"}], "description": "or nothing"}},
                "required": ["next"],
            }
        ),
        back.map(lambda node: {"type": "object", "properties": {"next": node}}),
        back.map(lambda node: {"type": "array", "items": node}),
    )
    recursive = st.recursive(_leaves | optional, _compound, max_leaves=6)
    definitions = {name: draw(recursive) for name in names}
    root = draw(st.one_of(_objects(st.one_of(plain, recursive)), recursive))
    root = {"anyOf": [root]} if isinstance(root, bool) else root
    return {**root, "$defs": definitions} if names else root
