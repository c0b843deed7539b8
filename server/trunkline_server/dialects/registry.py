# SPDX-License-Identifier: Apache-2.0
"""Every dialect by the name that the catalog uses. A new language is a new row."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from trunkline_server.dialects.base import Dialect
from trunkline_server.dialects.openai_chat import OpenAiChat
from trunkline_server.jsonshape import Codec

_DIALECTS: Final = (OpenAiChat,)
DIALECT_NAMES: Final = tuple(dialect.name for dialect in _DIALECTS)
"""What a provider's `dialect` may be."""


def make_dialects(codec: Codec) -> Mapping[str, Dialect]:
    """All dialects, which share a codec that must hold ChatCompletionRequest and ChatCompletionChunk."""
    return MappingProxyType({dialect.name: dialect(codec) for dialect in _DIALECTS})
