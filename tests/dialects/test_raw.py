# SPDX-License-Identifier: Apache-2.0
"""Raw JSON text that is looked into."""

import orjson

from trunkline_server.dialects.raw import opened


def test_opened() -> None:
    """A fragment is read, with integers as they were; anything else is itself."""
    assert opened(orjson.Fragment('{"a": 12345678901234567, "b": [null]}')) == {"a": 12345678901234567, "b": [None]}
    value = {"a": orjson.Fragment("1")}
    assert opened(value) is value
