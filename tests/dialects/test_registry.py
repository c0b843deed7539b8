# SPDX-License-Identifier: Apache-2.0
"""The register of dialects."""

from support.answer_cuts import make_codec
from trunkline_server.dialects.registry import make_dialects


def test_dialects_stand_under_their_names() -> None:
    """Each dialect is found by the name that it gives itself."""
    dialects = make_dialects(make_codec())
    assert {name: dialect.name for name, dialect in dialects.items()} == {"openai_chat": "openai_chat"}
