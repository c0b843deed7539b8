# SPDX-License-Identifier: Apache-2.0
"""Targets, credentials, metadata and limits of the clients."""

import grpc
import pytest

from trunkline.connection import CallDefaults, plan_connection, plan_metadata


@pytest.mark.parametrize(
    ("target", "grpc_target", "encrypted"),
    [
        ("127.0.0.1:50051", "127.0.0.1:50051", False),
        ("http://gateway.test:50051", "gateway.test:50051", False),
        ("grpc://gateway.test:50051/", "gateway.test:50051", False),
        ("https://gateway.test:443", "gateway.test:443", True),
        ("grpcs://[::1]:443/", "[::1]:443", True),
        ("dns:///gateway.test:50051", "dns:///gateway.test:50051", False),
        ("unix:/run/trunkline.sock", "unix:/run/trunkline.sock", False),
    ],
)
def test_targets(target: str, grpc_target: str, encrypted: bool) -> None:
    """The scheme of a URL says whether TLS is used; names of grpc's own resolvers are left alone."""
    plan = plan_connection(target, None, ())
    assert plan.target == grpc_target
    assert (plan.credentials is not None) is encrypted


@pytest.mark.parametrize("target", ["127.0.0.1:50051", "http://gateway.test", "https://gateway.test"])
def test_given_credentials_win(target: str) -> None:
    """Credentials are used as they are given, whatever the scheme."""
    credentials = grpc.ssl_channel_credentials()
    assert plan_connection(target, credentials, ()).credentials is credentials


@pytest.mark.parametrize("target", ["", "https://", "https://gateway.test/v1", "http://gateway.test:80/api/v1/"])
def test_wrong_targets(target: str) -> None:
    """No host, or a path, is refused before anything is sent."""
    with pytest.raises(ValueError, match="target must"):
        plan_connection(target, None, ())


def test_given_options_win() -> None:
    """A channel option of the caller replaces the package's own; the others stay."""
    own = dict(plan_connection("a:1", None, ()).options)
    changed = dict(plan_connection("a:1", None, (("grpc.keepalive_time_ms", 1), ("grpc.x", "y"))).options)
    assert changed == own | {"grpc.keepalive_time_ms": 1, "grpc.x": "y"}


def test_metadata() -> None:
    """Header names become lower case; the key is a bearer token."""
    assert dict(plan_metadata("sk-1", {"X-Request-Id": "mine"})) == {
        "x-request-id": "mine",
        "authorization": "Bearer sk-1",
    }
    assert plan_metadata(None, {}) == ()


@pytest.mark.parametrize("value", ["sk-1\n", "schlüssel", "a\r\nb: c", "\0"])
def test_values_that_cannot_be_sent(value: str) -> None:
    """A key or header that is no printable ASCII is refused without being shown."""
    with pytest.raises(ValueError, match="api_key must be printable ASCII") as caught:
        plan_metadata(value, {})
    assert value not in str(caught.value)
    with pytest.raises(ValueError, match="x-thing must be printable ASCII"):
        plan_metadata(None, {"X-Thing": value})


def test_options_of_a_call() -> None:
    """A call's own limit and headers win over the client's."""
    defaults = CallDefaults(timeout_s=10.0, metadata=(("a", "1"), ("b", "2")))
    assert defaults.options(None, None) == {"timeout": 10.0, "metadata": (("a", "1"), ("b", "2"))}
    own = defaults.options(0.0, {"B": "3", "c": "4"})
    assert own["timeout"] == 0.0
    assert dict(own["metadata"]) == {"a": "1", "b": "3", "c": "4"}
