# SPDX-License-Identifier: Apache-2.0
"""The gateway's keys at providers."""

import pytest

from trunkline_server.core.secret import Secret
from trunkline_server.upstream.auth import bearer_headers


def test_bearer() -> None:
    """A key is shown as a bearer token; no key, no header."""
    assert bearer_headers(Secret("sk-1")) == {"authorization": "Bearer sk-1"}
    assert bearer_headers(None) == {}


@pytest.mark.parametrize("key", ["", "a b", "a\r\nx: y", "ключ", "a\x00"])
def test_a_key_that_no_header_can_hold(key: str) -> None:
    """Such a key is refused at start, without being shown."""
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        bearer_headers(Secret(key))
    assert not key or key not in str(caught.value)
