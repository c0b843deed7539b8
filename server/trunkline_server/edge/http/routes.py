# SPDX-License-Identifier: Apache-2.0
"""The HTTP routes of RPCs, read from the `google.api.http` annotations of their descriptors, and the table that finds them.

Annotations name one base path; the gateway serves each route below OpenAI's base and OpenRouter's. A request's path is compared as it was sent, piece by
piece: nothing is decoded or normalised before it is matched, so `//`, `/./` or `%2e%2e` find nothing. Only what stands for a variable is decoded, and it
may then hold anything, a stroke too: it is a value, never a path again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar
from urllib.parse import unquote

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import MethodDescriptor

ANNOTATED_BASE: Final = "/v1"
SERVED_BASES: Final = ("/v1", "/api/v1")

_VARIABLE: Final = re.compile(r"\{(?P<field>[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*)(?:=\*)?\}")
_LITERAL: Final = re.compile(r"[A-Za-z0-9._~-]+")
_T = TypeVar("_T")


class RouteError(Exception):
    """An annotation cannot be served, or two of them claim one path. Shows at start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A path: its pieces between the strokes, a literal as text and a variable as None, and the variables' fields in order."""

    pieces: tuple[str | None, ...]
    fields: tuple[str, ...]

    def match(self, pieces: Sequence[str]) -> Mapping[str, str] | None:
        """The variables' values where the pieces of a path fit, else None."""
        if len(pieces) != len(self.pieces):
            return None
        values: list[str] = []
        for piece, wanted in zip(pieces, self.pieces, strict=True):
            if wanted is None:
                value = _decode(piece)
                if value in (None, "", ".", ".."):
                    return None
                values.append(value)
            elif piece != wanted:
                return None
        return dict(zip(self.fields, values, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One way to call an RPC over HTTP.

    `body` is "*" where the body is the request, a field's name where it is that field, "" where there is none.
    """

    rpc: MethodDescriptor
    http_method: str
    path: str
    body: str


def read_bindings(rpc: MethodDescriptor) -> tuple[Binding, ...]:
    """The bindings of an RPC, each below both bases, each once. Raises RouteError where it has none or one that cannot be served."""
    rule = _read_rule(rpc)
    bindings = dict.fromkeys(
        Binding(rpc=rpc, http_method=method, path=path, body=one.body)
        for one in (rule, *rule.additional_bindings)
        for method, annotated in [_pattern(rpc, one)]
        for path in served_paths(annotated)
    )
    return tuple(bindings)


def served_paths(annotated: str) -> tuple[str, ...]:
    """The paths under which an annotated one is served."""
    for base in sorted(SERVED_BASES, key=len, reverse=True):
        if annotated.startswith(base + "/"):
            return tuple(other + annotated.removeprefix(base) for other in SERVED_BASES)
    return (annotated,)


def parse_template(path: str) -> Template:
    """A path of an annotation. Raises RouteError for what is not served: variables of several pieces, custom verbs."""
    pieces: list[str | None] = []
    fields: list[str] = []
    for piece in path.removeprefix("/").split("/"):
        if variable := _VARIABLE.fullmatch(piece):
            pieces.append(None)
            fields.append(variable["field"])
        elif _LITERAL.fullmatch(piece):
            pieces.append(piece)
        else:
            raise RouteError(f"{path}: the piece {piece!r} is neither a plain word nor a variable of one piece")
    return Template(pieces=tuple(pieces), fields=tuple(fields))


class RouteTable(Generic[_T]):
    """Finds what serves a path: its HTTP methods, each with a target, and the values of its variables. Literals go before variables."""

    def __init__(self) -> None:
        self._plain: dict[str, dict[str, _T]] = {}
        self._templates: list[tuple[Template, dict[str, _T]]] = []

    def add(self, http_method: str, path: str, target: _T) -> None:
        """Adds a target. Raises RouteError where the method and path are taken."""
        template = parse_template(path)
        methods = self._methods(path, template)
        if http_method in methods:
            raise RouteError(f"two routes claim {http_method} {path}")
        methods[http_method] = target

    def find(self, path: str) -> tuple[Mapping[str, _T], Mapping[str, str]] | None:
        """The methods of a path and its variables. None where nothing serves the path. `path` is as the client sent it, without the query."""
        if (methods := self._plain.get(path)) is not None:
            return methods, _NO_VARIABLES
        pieces = path.removeprefix("/").split("/")
        for template, methods in self._templates:
            if (values := template.match(pieces)) is not None:
                return methods, values
        return None

    def __iter__(self) -> Iterator[tuple[str, str, _T]]:
        """All routes as (HTTP method, path with `{field}` for variables, target)."""
        for path, methods in self._plain.items():
            yield from ((method, path, target) for method, target in methods.items())
        for template, methods in self._templates:
            fields = iter(template.fields)
            path = "".join("/" + (f"{{{next(fields)}}}" if piece is None else piece) for piece in template.pieces)
            yield from ((method, path, target) for method, target in methods.items())

    def _methods(self, path: str, template: Template) -> dict[str, _T]:
        if not template.fields:
            return self._plain.setdefault(path, {})
        for known, methods in self._templates:
            if known.pieces == template.pieces:
                if known.fields != template.fields:
                    raise RouteError(f"{path}: another route has the same path with other variables")
                return methods
        methods = {}
        self._templates.append((template, methods))
        # The template with the earlier literal is the more particular one.
        self._templates.sort(key=lambda entry: [piece is None for piece in entry[0].pieces])
        return methods


_NO_VARIABLES: Final[Mapping[str, str]] = MappingProxyType({})


def _read_rule(rpc: MethodDescriptor) -> http_pb2.HttpRule:
    # The stubs of googleapis-common-protos type the extension as a plain FieldDescriptor.
    extension: Any = annotations_pb2.http
    rule: http_pb2.HttpRule = rpc.GetOptions().Extensions[extension]
    return rule


def _pattern(rpc: MethodDescriptor, rule: http_pb2.HttpRule) -> tuple[str, str]:
    kind = rule.WhichOneof("pattern")
    if kind is None or kind == "custom" or rule.response_body:
        raise RouteError(
            f"{rpc.full_name}: a google.api.http rule with a plain method and without response_body is due"
        )
    return kind.upper(), getattr(rule, kind)


def _decode(piece: str) -> str | None:
    try:
        return unquote(piece, errors="strict")
    except UnicodeDecodeError:
        return None
