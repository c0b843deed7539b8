# SPDX-License-Identifier: Apache-2.0
"""One log line a call: ids, who, what, where, how long, how it ended. Never prompts, answers or keys."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Final

from trunkline_server.core.errors import reason_name
from trunkline_server.core.record import Generation

LOGGER_NAME: Final = "trunkline.call"
_LONGEST_VALUE: Final = 256
_SAFE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@+~")


class CallLog:
    """A RecordKeeper that logs each record as one line: the message is `key=value` text, and the same stands in the log record's `fields` for JSON."""

    def __init__(self) -> None:
        self._logger = logging.getLogger(LOGGER_NAME)

    def keep(self, generation: Generation) -> None:
        """Writes the line. What logging itself cannot do is logging's to report."""
        if self._logger.isEnabledFor(logging.INFO):
            fields = _fields_of(generation)
            self._logger.info("%s", _TextLine(fields), extra={"fields": fields})


class _TextLine:
    """The fields as `key=value`, written only where a formatter asks for the text."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields = fields

    def __str__(self) -> str:
        return " ".join(f"{key}={_quote(value)}" for key, value in self._fields.items())


def _fields_of(generation: Generation) -> dict[str, object]:
    fields: dict[str, object] = {
        "generation": generation.generation_id,
        "request": generation.request_id,
        "principal": generation.principal,
        "wire": generation.wire,
        "stream": generation.streamed,
        "model": generation.model,
        "endpoint": None if generation.provider is None else f"{generation.provider}:{generation.endpoint_model}",
        "attempts": len(generation.attempts) + (generation.provider is not None),
        "failed": [f"{attempt.provider}:{reason_name(attempt.reason)}" for attempt in generation.attempts],
        "unsent": list(generation.unsent),
        "status": generation.status,
        "prompt_tokens": generation.prompt_tokens,
        "completion_tokens": generation.completion_tokens,
        "ms": round(generation.latency_ms, 1),
        "first_token_ms": None if generation.first_token_ms is None else round(generation.first_token_ms, 1),
    }
    return {
        key: value[:_LONGEST_VALUE] if isinstance(value, str) else value
        for key, value in fields.items()
        if value not in (None, [], "")
    }


def _quote(value: object) -> str:
    """The value as one word: quoted and escaped where it holds anything that could be taken for another field or line."""
    if isinstance(value, list):
        value = ",".join(map(str, value))
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if text and _SAFE.issuperset(text) else json.dumps(text)
