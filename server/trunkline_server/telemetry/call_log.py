# SPDX-License-Identifier: Apache-2.0
"""One log line a call: ids, who, what, where, how long, how it ended. Never prompts, answers or keys."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from typing import Final

from trunkline_server.core.errors import reason_name
from trunkline_server.core.record import Generation

LOGGER_NAME: Final = "trunkline.call"
_LONGEST_VALUE: Final = 256
_MAY_BE_EMPTY: Final = ("request", "principal", "model", "endpoint")
_IS_WORD: Final = re.compile(r"[a-zA-Z0-9_./:@+~-]+").fullmatch


class CallLog:
    """A RecordKeeper that logs each record as one line: the message is `key=value` text, and the same stands in the log record's `fields` for JSON."""

    def __init__(self) -> None:
        self._logger = logging.getLogger(LOGGER_NAME)

    def keep(self, generation: Generation) -> None:
        """Writes the line. What logging itself cannot do is logging's to report."""
        if self._logger.isEnabledFor(logging.INFO):
            fields = _fields_of(generation)
            # Made here: Logger.info would first look for the line of code that calls it, which no formatter shows.
            record = logging.LogRecord(LOGGER_NAME, logging.INFO, __file__, 0, "%s", (_TextLine(fields),), None)
            record.fields = fields
            self._logger.handle(record)


class _TextLine:
    """The fields as `key=value`, written only where a formatter asks for the text."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields = fields

    def __str__(self) -> str:
        return " ".join([f"{key}={_quote(value)}" for key, value in self._fields.items()])


def _fields_of(generation: Generation) -> dict[str, object]:
    """What the line says, in order; what is unknown or empty is left out."""
    provider, first_token_ms = generation.provider, generation.first_token_ms
    fields: dict[str, object] = {
        "generation": generation.generation_id,
        "request": generation.request_id[:_LONGEST_VALUE],
        "principal": generation.principal[:_LONGEST_VALUE],
        "wire": generation.wire,
        "stream": generation.streamed,
        "model": generation.model[:_LONGEST_VALUE],
        "endpoint": "" if provider is None else f"{provider}:{generation.endpoint_model}"[:_LONGEST_VALUE],
        "attempts": len(generation.attempts) + (provider is not None),
    }
    if generation.attempts:
        fields["failed"] = [f"{attempt.provider}:{reason_name(attempt.reason)}" for attempt in generation.attempts]
    if generation.unsent:
        fields["unsent"] = list(generation.unsent)
    if generation.changed:
        fields["changed"] = [path for path, _ in generation.changed]
    fields["status"] = generation.status
    fields["prompt_tokens"] = generation.prompt_tokens
    fields["completion_tokens"] = generation.completion_tokens
    fields["ms"] = round(generation.latency_ms, 1)
    if first_token_ms is not None:
        fields["first_token_ms"] = round(first_token_ms, 1)
    for name in _MAY_BE_EMPTY:
        if not fields[name]:
            del fields[name]
    return fields


def _quote(value: object) -> str:
    """The value as one word: quoted and escaped where it holds anything that could be taken for another field or line."""
    if isinstance(value, list):
        value = ",".join(map(str, value))
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if _IS_WORD(text) else json.dumps(text)
