# SPDX-License-Identifier: Apache-2.0
"""Every dialect by the name that the catalog uses. A new language is a new row in each of the two tables."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from trunkline_server.catalog.entry import Provider
from trunkline_server.dialects.account import Accounts, refused
from trunkline_server.dialects.anthropic import ACCOUNT as _ANTHROPIC
from trunkline_server.dialects.anthropic import Anthropic
from trunkline_server.dialects.base import Dialect
from trunkline_server.dialects.bedrock_converse import ACCOUNT as _BEDROCK_CONVERSE
from trunkline_server.dialects.bedrock_converse import BedrockConverse
from trunkline_server.dialects.gemini import Gemini
from trunkline_server.dialects.gemini.account import ACCOUNT as _GEMINI
from trunkline_server.dialects.openai_chat import OpenAiChat
from trunkline_server.dialects.openai_chat.account import ACCOUNT as _OPENAI_CHAT
from trunkline_server.dialects.openai_responses import OpenAiResponses
from trunkline_server.dialects.openai_responses.account import ACCOUNT as _OPENAI_RESPONSES
from trunkline_server.dialects.shape import Shaped
from trunkline_server.dialects.trunkline import Trunkline
from trunkline_server.dialects.trunkline.account import ACCOUNT as _TRUNKLINE
from trunkline_server.dialects.xai import ACCOUNT as _XAI
from trunkline_server.dialects.xai import Xai
from trunkline_server.jsonshape import Codec

_DIALECTS: Final = (OpenAiChat, Anthropic, Gemini, OpenAiResponses, BedrockConverse, Trunkline, Xai)
DIALECT_NAMES: Final = tuple(dialect.name for dialect in _DIALECTS)
"""What a provider's `dialect` may be."""
OVER_GRPC: Final = frozenset({Trunkline.name, Xai.name})
"""Those whose bodies are protobuf messages, which go over gRPC alone."""

ACCOUNTS: Final[Mapping[str, Accounts]] = MappingProxyType(
    {
        OpenAiChat.name: _OPENAI_CHAT,
        Anthropic.name: _ANTHROPIC,
        Gemini.name: _GEMINI,
        OpenAiResponses.name: _OPENAI_RESPONSES,
        BedrockConverse.name: _BEDROCK_CONVERSE,
        Trunkline.name: _TRUNKLINE,
        Xai.name: _XAI,
    }
)
"""What each dialect does with each field of a request."""


def make_dialects(codec: Codec) -> Mapping[str, Dialect]:
    """All dialects, which share a codec that must hold ChatCompletionRequest and ChatCompletionChunk."""
    return MappingProxyType(
        {dialect.name: Shaped(dialect(codec), unframes=dialect is not BedrockConverse) for dialect in _DIALECTS}
    )


def refused_parameters(provider: Provider) -> frozenset[str]:
    """The top-level fields of a request that a provider would not get: those that its dialect drops, and those that its row refuses."""
    return frozenset() if provider.takes_extensions else refused(ACCOUNTS[provider.dialect]) | provider.refuses
