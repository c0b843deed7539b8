# SPDX-License-Identifier: Apache-2.0
"""Routes from annotations: what they claim, what a path finds, which annotations are refused."""

from collections.abc import Sequence

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import MethodDescriptor

from trunkline.v1 import model_service_pb2, openai_compat_service_pb2
from trunkline_server.edge.http.routes import RouteError, RouteTable, parse_template, read_bindings, served_paths

MODELS = model_service_pb2.DESCRIPTOR.services_by_name["ModelService"]
FACADE = openai_compat_service_pb2.DESCRIPTOR.services_by_name["OpenAICompatService"]


def make_rpc(**rule: object) -> MethodDescriptor:
    """An RPC with a google.api.http rule, in a pool of its own."""
    file = descriptor_pb2.FileDescriptorProto(name="sample.proto", package="sample", syntax="proto3")
    file.dependency.append("google/api/annotations.proto")
    file.message_type.add(name="Empty")
    method = file.service.add(name="S").method.add(name="Do", input_type=".sample.Empty", output_type=".sample.Empty")
    method.options.Extensions[annotations_pb2.http].MergeFrom(
        annotations_pb2.google_dot_api_dot_http__pb2.HttpRule(**rule)
    )
    pool = descriptor_pool.DescriptorPool()
    for name in ("google/protobuf/descriptor.proto", "google/api/http.proto", "google/api/annotations.proto"):
        source = descriptor_pb2.FileDescriptorProto()
        descriptor_pool.Default().FindFileByName(name).CopyToProto(source)
        pool.Add(source)
    pool.Add(file)
    return pool.FindMethodByName("sample.S.Do")


@pytest.mark.parametrize(
    ("rpc", "expected"),
    [
        (MODELS.methods_by_name["ListModels"], [("GET", "/v1/models", ""), ("GET", "/api/v1/models", "")]),
        (
            MODELS.methods_by_name["ListModelEndpoints"],
            [
                ("GET", "/v1/models/{author}/{slug}/endpoints", ""),
                ("GET", "/api/v1/models/{author}/{slug}/endpoints", ""),
            ],
        ),
        (
            FACADE.methods_by_name["ChatCompletions"],
            [("POST", "/v1/chat/completions", "payload"), ("POST", "/api/v1/chat/completions", "payload")],
        ),
    ],
)
def test_bindings_come_from_the_descriptor(rpc: MethodDescriptor, expected: Sequence[tuple[str, str, str]]) -> None:
    """Each annotated path is served below both bases, and once however often it is annotated."""
    bindings = read_bindings(rpc)
    assert [(binding.http_method, binding.path, binding.body) for binding in bindings] == expected
    assert {binding.rpc for binding in bindings} == {rpc}


@pytest.mark.parametrize(
    ("annotated", "expected"),
    [
        ("/v1/models", ("/v1/models", "/api/v1/models")),
        ("/api/v1/models", ("/v1/models", "/api/v1/models")),
        ("/v1beta/models", ("/v1beta/models",)),
        ("/other", ("/other",)),
    ],
)
def test_bases(annotated: str, expected: tuple[str, ...]) -> None:
    """A path below one base stands for both; another path for itself."""
    assert served_paths(annotated) == expected


@pytest.mark.parametrize(
    "path", ["/v1/{name=**}", "/v1/{name=models/*}", "/v1/models:count", "/v1//x", "/v1/%2e", "/v1/{Name}", "/v1/x{y}"]
)
def test_templates_that_are_not_served(path: str) -> None:
    """What the table cannot match is refused at start, not served wrongly."""
    with pytest.raises(RouteError, match="neither a plain word nor a variable"):
        parse_template(path)


@pytest.mark.parametrize(
    "rule", [{}, {"custom": {"kind": "PURGE", "path": "/v1/x"}}, {"get": "/v1/x", "response_body": "data"}]
)
def test_rules_that_are_not_served(rule: dict[str, object]) -> None:
    """An RPC without a plain rule is refused at start, by name."""
    with pytest.raises(RouteError, match=r"sample\.S\.Do"):
        read_bindings(make_rpc(**rule))


def test_every_kind_of_rule() -> None:
    """Methods, bodies and additional bindings are read."""
    rpc = make_rpc(
        patch="/v1/keys/{hash}",
        body="*",
        additional_bindings=[{"delete": "/v1/keys/{hash}"}, {"put": "/k", "body": "key"}],
    )
    assert [(binding.http_method, binding.path, binding.body) for binding in read_bindings(rpc)] == [
        ("PATCH", "/v1/keys/{hash}", "*"),
        ("PATCH", "/api/v1/keys/{hash}", "*"),
        ("DELETE", "/v1/keys/{hash}", ""),
        ("DELETE", "/api/v1/keys/{hash}", ""),
        ("PUT", "/k", "key"),
    ]


def make_table() -> RouteTable[str]:
    """A table of plain and variable paths."""
    table = RouteTable[str]()
    table.add("GET", "/v1/models", "list")
    table.add("POST", "/v1/models", "make")
    table.add("GET", "/v1/model/{author}/{slug}", "get")
    table.add("GET", "/v1/model/{author}/latest", "latest")
    table.add("GET", "/v1/models/{author}/{slug}/endpoints", "endpoints")
    return table


@pytest.mark.parametrize(
    ("path", "targets", "variables"),
    [
        ("/v1/models", ["list", "make"], {}),
        ("/v1/model/sim/echo", ["get"], {"author": "sim", "slug": "echo"}),
        ("/v1/model/sim/latest", ["latest"], {"author": "sim"}),
        ("/v1/models/sim/echo:free/endpoints", ["endpoints"], {"author": "sim", "slug": "echo:free"}),
        ("/v1/model/sim/echo%3Afree", ["get"], {"author": "sim", "slug": "echo:free"}),
        ("/v1/model/sim/a%2Fb%20c", ["get"], {"author": "sim", "slug": "a/b c"}),
        ("/v1/model/sim/fault?", ["get"], {"author": "sim", "slug": "fault?"}),
    ],
)
def test_paths_that_are_found(path: str, targets: list[str], variables: dict[str, str]) -> None:
    """Literals go before variables; a variable is one piece, decoded."""
    found = make_table().find(path)
    assert found is not None
    assert (list(found[0].values()), dict(found[1])) == (targets, variables)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "*",
        "/v1",
        "/v1/models/",
        "//v1/models",
        "/v1//models",
        "/v1/./models",
        "/v1/x/../models",
        "/V1/models",
        "/v1/m%6fdels",
        "/v1%2fmodels",
        "/v1/models;x=1",
        "/v1\\models",
        "/v1/model/sim",
        "/v1/model/sim/",
        "/v1/model/../secret",
        "/v1/model/%2e%2e/secret",
        "/v1/model/./x",
        "/v1/model/sim/%ff",
        "/v1/model/sim/echo/more",
        "http://127.0.0.1/v1/models",
    ],
)
def test_paths_that_are_not_found(path: str) -> None:
    """Nothing is normalised: what is not written as the route is finds nothing."""
    assert make_table().find(path) is None


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v1/models", "two routes claim"),
        ("/v1/model/{a}/{b}", "other variables"),
        ("/v1/model/{author}/{slug}", "two"),
    ],
)
def test_conflicts_show_at_start(path: str, message: str) -> None:
    """Two routes never share a method and path."""
    with pytest.raises(RouteError, match=message):
        make_table().add("GET", path, "again")


def test_the_table_lists_its_routes() -> None:
    """All routes can be walked, as (method, path, target)."""
    assert sorted(make_table())[:3] == [
        ("GET", "/v1/model/{author}/latest", "latest"),
        ("GET", "/v1/model/{author}/{slug}", "get"),
        ("GET", "/v1/models", "list"),
    ]
