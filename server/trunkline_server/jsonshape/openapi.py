# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI 3.1 document of a contract, from its descriptor set alone: no message, field or RPC is named here.

Every unary RPC with a `google.api.http` rule becomes an operation. An RPC whose options name a typed pair stands for that pair: its operation takes the
pair's request and answers whole or as server-sent events, and the pair's own paths, which are for transcoders, are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from google.api import annotations_pb2
from google.protobuf import descriptor_pool

from trunkline.jsonshape.v1 import options_pb2
from trunkline_server.jsonshape.compiler import compile_messages
from trunkline_server.jsonshape.members import held_message
from trunkline_server.jsonshape.openapi_comments import read_comments
from trunkline_server.jsonshape.openapi_messages import PREFIX, MessageSchemas
from trunkline_server.jsonshape.openapi_values import Role, Schema, parameter_schema
from trunkline_server.jsonshape.plan import Kind, Shape
from trunkline_server.jsonshape.refused import REFUSED_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.api.http_pb2 import HttpRule
    from google.protobuf.descriptor import Descriptor, MethodDescriptor
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    from trunkline_server.jsonshape.plan import Member, MessagePlan

_VARIABLE: Final = re.compile(r"\{([a-z0-9_.]+)(?:=[^}]*)?\}")
_SENTENCE: Final = re.compile(r"(?<=[.!?]) ")
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An answer that says why a call failed, for all failures of one HTTP status. With `needs_body` it is for operations that read a body alone."""

    status: int
    description: str
    headers: Mapping[str, Schema]
    needs_body: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What the contract does not say.

    `info` and `security` are the document's own objects. `bases` are the path prefixes under which every route is served; annotations name any of them.
    `failure_message` is the full name of the message that all failures answer with, `headers` stand on every answer. Keys that callers may not send are
    `refused`.
    """

    info: Mapping[str, Any]
    bases: Sequence[str]
    security: Mapping[str, Any]
    failure_message: str
    failures: Sequence[Failure]
    headers: Mapping[str, Schema]
    refused: frozenset[str] = REFUSED_KEYS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operation:
    """An RPC as it is served: `request` and `answer` are those of the typed pair where it has one, `chunk` is what such a pair streams."""

    rpc: MethodDescriptor
    rule: HttpRule
    request: Descriptor
    answer: Descriptor
    chunk: Descriptor | None
    body: str


def make_document(files: FileDescriptorSet, outline: Outline) -> dict[str, Any]:
    """Make the document. Raises CompileError for options that contradict each other, ValueError for names that clash."""
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    operations = _operations(files, pool)
    failure = pool.FindMessageTypeByName(outline.failure_message)
    answers = [failure, *(one for op in operations for one in (op.answer, op.chunk) if one is not None)]
    plans = compile_messages([*(op.request for op in operations), *answers])
    comments = read_comments(files)
    bodies = set().union(*(_body_message(operation) for operation in operations))
    roots = {Role.REQUEST: bodies, Role.ANSWER: {one.full_name for one in answers}}
    schemas = MessageSchemas(plans, comments, outline.refused, roots)
    return _Writer(outline, plans, comments, schemas).write(operations)


def _operations(files: FileDescriptorSet, pool: descriptor_pool.DescriptorPool) -> list[_Operation]:
    rpcs = [
        pool.FindMethodByName(f"{file.package}.{service.name}.{method.name}")
        for file in files.file
        for service in file.service
        for method in service.method
    ]
    extension: Any = annotations_pb2.http  # the stubs of googleapis-common-protos type it as a plain FieldDescriptor
    ruled = [rpc for rpc in rpcs if rpc.GetOptions().HasExtension(extension)]
    pairs = {rpc.full_name: rpc.GetOptions().Extensions[options_pb2.method].typed for rpc in ruled}
    transcoded = {name for pair in pairs.values() for name in (pair.unary, pair.streaming)}
    found: list[_Operation] = []
    for rpc in ruled:
        if rpc.full_name in transcoded:
            continue
        rule: HttpRule = rpc.GetOptions().Extensions[extension]
        pair, request, answer, chunk, body = pairs[rpc.full_name], rpc.input_type, rpc.output_type, None, rule.body
        if pair.unary:
            typed = pool.FindMethodByName(pair.unary)
            request, answer, body = typed.input_type, typed.output_type, "*"
            chunk = pool.FindMethodByName(pair.streaming).output_type
        found.append(_Operation(rpc=rpc, rule=rule, request=request, answer=answer, chunk=chunk, body=body))
    return found


def _body_message(operation: _Operation) -> set[str]:
    """The message that the body is, where there is one."""
    if operation.body in ("", "*"):
        return {operation.request.full_name} if operation.body else set()
    return {held_message(operation.request.fields_by_name[operation.body]).full_name}


def _used(schemas: Mapping[str, Schema], users: Sequence[Any]) -> dict[str, Schema]:
    """The schemas that something refers to. A message that only ever stands inline in a union needs none of its own."""
    found: set[str] = set()
    waiting = set(_referred(users))
    while waiting:
        found |= waiting
        waiting = {name for user in waiting for name in _referred(schemas[user])} - found
    return {name: schema for name, schema in schemas.items() if name in found}


def _referred(value: Any) -> Iterator[str]:
    """The names of the schemas that a part of the document refers to."""
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str) and reference.startswith(PREFIX):
            yield reference.removeprefix(PREFIX)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from _referred(one)


class _Writer:
    def __init__(
        self,
        outline: Outline,
        plans: Mapping[str, MessagePlan],
        comments: Mapping[str, str],
        schemas: MessageSchemas,
    ) -> None:
        self._outline = outline
        self._plans = plans
        self._comments = comments
        self._schemas = schemas

    def write(self, operations: Sequence[_Operation]) -> dict[str, Any]:
        outline = self._outline
        paths: dict[str, dict[str, Any]] = {}
        services: dict[str, str] = {}
        ids: list[str] = []
        for operation in operations:
            service = operation.rpc.containing_service
            services[service.name] = self._comments.get(service.full_name, "")
            for http_method, path, based in self._places(operation.rule):
                item = paths.setdefault(path, {} if based else {"servers": [{"url": "/"}]})
                if http_method in item:  # below another base already
                    continue
                item[http_method] = self._operation(operation, path)
                ids.append(operation.rpc.name)
                if (times := ids.count(operation.rpc.name)) > 1:
                    item[http_method]["operationId"] += str(times)
        responses = {str(failure.status): self._failure(failure) for failure in outline.failures}
        return {
            "openapi": "3.1.0",
            "info": dict(outline.info),
            "servers": [{"url": base} for base in outline.bases],
            "security": [{name: []} for name in outline.security],
            "tags": [
                {"name": name, **({"description": text} if text else {})} for name, text in sorted(services.items())
            ],
            "paths": dict(sorted(paths.items())),
            "components": {
                "schemas": _used(self._schemas.all(), [paths, responses]),
                "responses": responses,
                "headers": self._all_headers(),
                "securitySchemes": dict(outline.security),
            },
        }

    def _places(self, rule: HttpRule) -> Iterator[tuple[str, str, bool]]:
        """HTTP method, path, and whether the path is one below the bases, for each binding."""
        for one in (rule, *rule.additional_bindings):
            http_method = str(one.WhichOneof("pattern"))
            path = _VARIABLE.sub(r"{\1}", getattr(one, http_method))
            base = next(
                (base for base in sorted(self._outline.bases, key=len, reverse=True) if path.startswith(f"{base}/")), ""
            )
            yield http_method, path.removeprefix(base), bool(base)

    def _operation(self, operation: _Operation, path: str) -> dict[str, Any]:
        rpc = operation.rpc
        comment = self._comments.get(rpc.full_name, "")
        made: dict[str, Any] = {
            "operationId": rpc.name[:1].lower() + rpc.name[1:],
            "tags": [rpc.containing_service.name],
        }
        if comment:
            made |= {"summary": _SENTENCE.split(comment)[0].rstrip(".").replace("`", ""), "description": comment}
        variables = _VARIABLE.findall(path)
        parameters = list(self._parameters(operation, variables))
        if parameters:
            made["parameters"] = parameters
        if operation.body:
            made["requestBody"] = self._body(operation, variables)
        made["responses"] = {
            "200": self._answer(operation),
            **{
                str(failure.status): {"$ref": f"#/components/responses/{failure.status}"}
                for failure in self._outline.failures
                if operation.body or not failure.needs_body
            },
        }
        return made

    # -- what goes in

    def _parameters(self, operation: _Operation, variables: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The variables of the path, then what may stand in the query: all that neither the body holds nor a path of another binding."""
        leaves = dict(self._leaves(operation.request, "", ()))
        in_some_path = {name for _, other, _ in self._places(operation.rule) for name in _VARIABLE.findall(other)}
        for name in variables:
            yield self._parameter(name, leaves[name], "path")
        if operation.body == "*":
            return
        for name, member in leaves.items():
            if name not in in_some_path and name.partition(".")[0] != operation.body:
                yield self._parameter(name, member, "query")

    def _leaves(self, descriptor: Descriptor, prefix: str, above: tuple[str, ...]) -> Iterator[tuple[str, Member]]:
        """The scalars of a message by their dotted names, those of messages inside it included; what holds itself is not entered."""
        plan = self._plans[descriptor.full_name]
        for member in plan.members:
            if member.shape is Shape.MAP:
                continue
            if member.value.kind is not Kind.MESSAGE:
                yield prefix + member.key, member
            elif (
                member.shape is Shape.SINGLE
                and not self._plans[member.value.message].union
                and descriptor.full_name not in above
            ):
                inner = held_message(member.descriptor)
                yield from self._leaves(inner, f"{prefix}{member.name}.", (*above, descriptor.full_name))

    def _parameter(self, name: str, member: Member, place: str) -> dict[str, Any]:
        comment = self._comments.get(member.descriptor.full_name)
        return {
            "name": name,
            "in": place,
            **({"description": comment} if comment else {}),
            "required": place == "path" or (member.rule.required and "." not in name),
            "schema": parameter_schema(
                member, Role.REQUEST, lambda message: self._schemas.refer(message, Role.REQUEST)
            ),
        }

    def _body(self, operation: _Operation, variables: Sequence[str]) -> dict[str, Any]:
        plan = self._plans[operation.request.full_name]
        if operation.body == "*":
            schema = self._schemas.refer(plan.name, Role.REQUEST)
            if variables:  # what stands in the path must not stand in the body again
                schema = self._schemas.without(plan.name, [name for name in variables if "." not in name])
            needed = any(member.rule.required and member.key not in variables for member in plan.members)
        else:
            member = next(member for member in plan.members if member.name == operation.body)
            schema, needed = self._schemas.refer(member.value.message, Role.REQUEST), member.rule.required
        return {"required": needed, "content": {_JSON: {"schema": schema}}}

    # -- what comes out

    def _answer(self, operation: _Operation) -> dict[str, Any]:
        content: dict[str, Any] = {_JSON: {"schema": self._schemas.refer(operation.answer.full_name, Role.ANSWER)}}
        comment = self._comments.get(operation.answer.full_name, operation.answer.name)
        if operation.chunk is not None:
            shape = operation.rpc.GetOptions().Extensions[options_pb2.method]
            content["text/event-stream"] = self._events(operation.chunk, shape.sse.terminator)
            comment += (
                f" With `{shape.typed.switch_field}` true its chunks instead, each the data of one server-sent event."
            )
        return {"description": comment, "headers": self._headers({}), "content": content}

    def _events(self, chunk: Descriptor, terminator: str) -> dict[str, Any]:
        """One event. OpenAPI 3.1 cannot describe a sequence, so this is the convention that SDK generators read."""
        schema = {
            "type": "object",
            "description": f"One event. After the last chunk comes one with the data `{terminator}`, unless the stream failed.",
            "properties": {"data": self._schemas.refer(chunk.full_name, Role.ANSWER)},
            "required": ["data"],
        }
        return {"schema": schema, "x-speakeasy-sse-sentinel": terminator}

    def _failure(self, failure: Failure) -> dict[str, Any]:
        schema = self._schemas.refer(self._outline.failure_message, Role.ANSWER)
        return {
            "description": failure.description,
            "headers": self._headers(failure.headers),
            "content": {_JSON: {"schema": schema}},
        }

    def _headers(self, more: Mapping[str, Schema]) -> dict[str, Any]:
        return {name: {"$ref": f"#/components/headers/{name}"} for name in (*self._outline.headers, *more)}

    def _all_headers(self) -> dict[str, Any]:
        found = dict(self._outline.headers)
        for failure in self._outline.failures:
            found.update(failure.headers)
        return found
