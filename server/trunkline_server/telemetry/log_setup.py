# SPDX-License-Identifier: Apache-2.0
"""How the process logs: one line an event on standard error, as text or as JSON.

Writing a line costs as much as half a call, so lines of calls are gathered and written together, at most `GATHER_S` after they were said. What is more
than information is written at once, with all that was said before it; so is everything where no event loop runs.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, Literal, TextIO

import orjson

GATHER_S: Final = 0.05
_MOST_LINES: Final = 256
# PIPE_BUF on Linux: up to here a write to a pipe stays whole, where several workers write to one.
_WHOLE_BYTES: Final = 4096
_ROOT: Final = "trunkline"
_CONTROL: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) != "\t"}


class GatheringHandler(logging.StreamHandler[TextIO]):
    """Writes lines to a stream, those of one moment together."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[str] = []
        self._is_due = False

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a line."""
        try:
            self._lines.append(self.format(record))
        except (
            TypeError,
            ValueError,
            KeyError,
            AttributeError,
            RecursionError,
        ):  # a line that cannot be made ends no call
            self.handleError(record)
            return
        if record.levelno > logging.INFO or len(self._lines) >= _MOST_LINES:
            self.flush()
        elif not self._is_due:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self.flush()
            else:
                self._is_due = True
                loop.call_later(GATHER_S, self._flush_in_time)

    def flush(self) -> None:
        """Writes what was gathered. Logging calls this when the process ends."""
        self.acquire()
        try:
            lines, self._lines = self._lines, []
            for piece in _pieces(lines):
                self.stream.write(piece)
                # Each piece by itself, lest the stream joins them again.
                super().flush()
        except (OSError, ValueError):
            return  # the reader of the log has gone, or its stream is closed: no call may fail for that
        finally:
            self.release()

    def _flush_in_time(self) -> None:
        self._is_due = False
        self.flush()


def _pieces(lines: Iterable[str]) -> Iterator[str]:
    """Lines together, as many as one write keeps whole; a longer line stands alone."""
    piece: list[str] = []
    size = 0
    for line in lines:
        length = (len(line) if line.isascii() else len(line.encode(errors="backslashreplace"))) + 1
        if piece and size + length > _WHOLE_BYTES:
            yield "\n".join(piece) + "\n"
            piece, size = [], 0
        piece.append(line)
        size += length
    if piece:
        yield "\n".join(piece) + "\n"


class _Clock:
    """Writes moments; the text of a second is made once."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def text(self, moment_s: float) -> str:
        """A moment in Unix seconds as `2026-01-31T12:00:00.000Z`."""
        second = int(moment_s)
        if second != self._second:
            self._second, self._text = second, datetime.fromtimestamp(second, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._text}.{int((moment_s - second) * 1000):03d}Z"


class TextFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.000Z info trunkline.call message`; a traceback follows on lines of its own.

    Control characters in the message are escaped, so that nothing which a client sends can forge a line.
    """

    def __init__(self) -> None:
        super().__init__()
        self._clock = _Clock()

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage().translate(_CONTROL)
        line = f"{self._clock.text(record.created)} {record.levelname.lower()} {record.name} {message}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line. Where a record carries `fields` (a call's), they stand in the line instead of a message."""

    def __init__(self) -> None:
        super().__init__()
        self._clock = _Clock()

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": self._clock.text(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        fields = getattr(record, "fields", None)
        line.update(fields if isinstance(fields, dict) else {"message": record.getMessage()})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        try:
            text = orjson.dumps(line)
        except TypeError:  # what is no JSON, or half of a character
            text = b"\xff"
        if (
            not text.isascii()
        ):  # all others are escaped by Python's own writer, so that a terminal shows them as they are
            return json.dumps(line, default=str, separators=(",", ":")).replace("\x7f", "\\u007f")
        return text.decode().replace("\x7f", "\\u007f")


def set_up_logging(form: Literal["text", "json"], level: str, stream: TextIO | None = None) -> None:
    """Sends the gateway's log to standard error, or to `stream`. `level` is the least important level that is written: "debug" to "error"."""
    handler = GatheringHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logger = logging.getLogger(_ROOT)
    for before in logger.handlers:
        before.flush()
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    # No formatter here shows them, and to find them out takes as long as all the rest of a record.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logger.propagate = False
