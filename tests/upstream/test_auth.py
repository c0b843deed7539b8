# SPDX-License-Identifier: Apache-2.0
"""The gateway's keys at providers."""

import pytest

from trunkline_server.core.secret import Secret
from trunkline_server.upstream.auth import FIXED_AUTHS, Showing, bearer_headers, show_key


def test_bearer() -> None:
    """A key is shown as a bearer token; no key, no header."""
    assert bearer_headers(Secret("sk-1")) == {"authorization": "Bearer sk-1"}
    assert bearer_headers(None) == {}


@pytest.mark.parametrize(
    ("auth", "header", "headers", "query"),
    [
        ("bearer", None, {"authorization": "Bearer k+/1"}, ""),
        ("bearer", "X-Auth", {"x-auth": "Bearer k+/1"}, ""),
        ("x-api-key", None, {"x-api-key": "k+/1"}, ""),
        ("x-api-key", "X-Goog-Api-Key", {"x-goog-api-key": "k+/1"}, ""),
        ("azure", None, {"api-key": "k+/1"}, ""),
        ("query", None, {}, "key=k%2B%2F1"),
        ("none", None, {}, ""),
    ],
)
def test_ways_of_showing_a_key(auth: str, header: str | None, headers: dict[str, str], query: str) -> None:
    """Each way shows the key in its place, and in no other."""
    shown = show_key(auth, Secret("k+/1"), header)
    assert (dict(shown.headers), shown.query) == (headers, query)


@pytest.mark.parametrize("auth", sorted(FIXED_AUTHS))
def test_no_key(auth: str) -> None:
    """Without a key nothing is shown."""
    assert show_key(auth, None) == Showing()


@pytest.mark.parametrize("auth", sorted(FIXED_AUTHS))
def test_what_is_shown_does_not_print(auth: str) -> None:
    """A key is in no text that a log or an error may hold."""
    assert "canary" not in repr(show_key(auth, Secret("canary")))


@pytest.mark.parametrize("auth", sorted(FIXED_AUTHS))
@pytest.mark.parametrize("key", ["", "a b", "a\r\nx: y", "ключ", "a\x00"])
def test_a_key_that_no_header_can_hold(auth: str, key: str) -> None:
    """Such a key is refused at start, without being shown."""
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        show_key(auth, Secret(key))
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize("auth", ["aws", "google"])
def test_ways_that_need_a_signer(auth: str) -> None:
    """A key alone does not show those."""
    with pytest.raises(KeyError):
        show_key(auth, Secret("sk-1"))
