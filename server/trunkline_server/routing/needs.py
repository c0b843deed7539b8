# SPDX-License-Identifier: Apache-2.0
"""What a request needs of an endpoint.

Of most requests most of it is never asked: a model with one endpoint has no prices to compare, and a short prompt fits every context. So it is read from the
request when it is first asked for, and then kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.tiers import TIERS
from trunkline_server.core.usage import count_prompt_bytes, estimate_tokens

PARAMETERS: Final = frozenset(
    [
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "top_a",
        "frequency_penalty",
        "presence_penalty",
        "repetition_penalty",
        "max_tokens",
        "max_completion_tokens",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "prediction",
        "seed",
        "response_format",
        "structured_outputs",
        "stop",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "include_reasoning",
        "reasoning",
        "reasoning_effort",
        "web_search_options",
        "verbosity",
    ]
)
"""The vocabulary of `supported_parameters` (OpenRouter's OpenAPI file, schema Parameter, August 2026)."""
_MODALITIES: Final[Mapping[str, str]] = MappingProxyType(
    {"image_url": "image", "input_audio": "audio", "video_url": "video", "file": "file"}
)
"""The kinds of content parts, and the word of `input_modalities` that each needs."""
_TEXT: Final = "text"
# Prose makes a token of three to five bytes in every tokenizer of the field; a prompt of eight bytes a token is one that fits although few would think so.
_BYTES_PER_LARGEST_TOKEN: Final = 8


class Needs:
    """What one request needs.

    `most_tokens` is the length of answer that it asks for (None: it does not say); `tier` the service tier, "priority" or "flex" (None: the standard one).
    """

    __slots__ = ("_images", "_parameters", "_reads", "_request", "_size_bytes", "most_tokens", "tier")

    def __init__(self, request: ChatCompletionRequest) -> None:
        self._request = request
        self._parameters: AbstractSet[str] | None = None
        self._reads: frozenset[str] | None = None
        self._images = 0
        self._size_bytes = -1
        self.most_tokens = _most_tokens(request)
        self.tier = TIERS.get(request.service_tier)

    @property
    def parameters(self) -> AbstractSet[str]:
        """The parameters that it sets, of PARAMETERS."""
        if self._parameters is None:
            self._parameters = sent_parameters(self._request)
        return self._parameters

    @property
    def fields(self) -> AbstractSet[str]:
        """All fields that it sets."""
        return sent_fields(self._request)

    @property
    def reads(self) -> frozenset[str]:
        """The modalities beside text that it sends, in the words of `input_modalities`."""
        return self._read_parts() if self._reads is None else self._reads

    @property
    def images(self) -> int:
        """The pictures that it sends."""
        if self._reads is None:
            self._read_parts()
        return self._images

    @property
    def writes(self) -> frozenset[str]:
        """The modalities beside text that it asks for."""
        return frozenset(word for word in self._request.modalities if word != _TEXT)

    @property
    def prompt_tokens(self) -> int:
        """The tokens of its prompt, as estimated."""
        return estimate_tokens(self._prompt_bytes())

    @property
    def least_prompt_tokens(self) -> int:
        """Fewer tokens than the prompt will have in any tokenizer: what does not fit by this count does not fit."""
        return self._prompt_bytes() // _BYTES_PER_LARGEST_TOKEN

    def fits(self, context_length: int) -> bool:
        """Whether prompt and answer fit a context by the estimate. Cheap where they fit by far."""
        room = context_length - (self.most_tokens or 0)
        # The whole request is no shorter than its texts.
        return estimate_tokens(self._request.ByteSize()) <= room or self.prompt_tokens <= room

    def _prompt_bytes(self) -> int:
        if self._size_bytes < 0:
            self._size_bytes = count_prompt_bytes(self._request)
        return self._size_bytes

    def _read_parts(self) -> frozenset[str]:
        reads: set[str] = set()
        for message in self._request.messages:
            for part in getattr(message, message.WhichOneof("message") or "user").content:
                kind = part.WhichOneof("part")
                if kind in _MODALITIES:
                    reads.add(_MODALITIES[kind])
                    self._images += kind == "image_url"
        self._reads = frozenset(reads)
        return self._reads


def read_needs(request: ChatCompletionRequest) -> Needs:
    """What the request needs. It must not change as long as the needs are in use."""
    return Needs(request)


def sent_fields(request: ChatCompletionRequest) -> AbstractSet[str]:
    """The fields that a request sets."""
    return {field.name for field, _ in request.ListFields()}


def sent_parameters(request: ChatCompletionRequest) -> AbstractSet[str]:
    """The parameters that a request sets, of those an endpoint may support or not."""
    return sent_fields(request) & PARAMETERS


def _most_tokens(request: ChatCompletionRequest) -> int | None:
    # 0 is no length of an answer (the contract's limit is 1), so these tell presence.
    return request.max_completion_tokens or request.max_tokens or None
