# SPDX-License-Identifier: Apache-2.0
"""How the process logs."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from trunkline_server.telemetry.log_setup import GATHER_S, set_up_logging


@pytest.fixture(autouse=True)
def _restored_logger() -> Iterator[None]:
    logger = logging.getLogger("trunkline")
    handlers, level, propagate = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)
    logger.propagate = propagate


def test_text_lines_have_moment_level_logger_and_message() -> None:
    """A text line begins with the UTC moment, the level and the logger."""
    stream = io.StringIO()
    set_up_logging("text", "info", stream)
    logging.getLogger("trunkline.call").info("status=%s", "ok")
    moment, rest = stream.getvalue().split(" ", 1)
    assert moment.endswith("Z")
    assert rest == "info trunkline.call status=ok\n"


@pytest.mark.parametrize("text", ["a\nforged line", "\x1b[31mred", "bell\x07", "c1\x9b31m", "del\x7f"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_control_characters_cannot_forge_a_line(form: str, text: str) -> None:
    """What a client sends appears escaped, on one line."""
    stream = io.StringIO()
    set_up_logging(form, "info", stream)  # type: ignore[arg-type]  # the table holds both words
    logging.getLogger("trunkline").warning("said %s", text)
    line = stream.getvalue().removesuffix("\n")
    assert line.isprintable()


def test_json_lines_hold_the_fields_of_a_record() -> None:
    """Fields stand in the line itself, beside moment, level and logger."""
    stream = io.StringIO()
    set_up_logging("json", "info", stream)
    logging.getLogger("trunkline.call").info("text", extra={"fields": {"status": "ok", "ms": 1.5}})
    line = json.loads(stream.getvalue())
    assert {key: line[key] for key in ("level", "logger", "status", "ms")} == {
        "level": "info",
        "logger": "trunkline.call",
        "status": "ok",
        "ms": 1.5,
    }


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_traceback_follows_its_message(form: str) -> None:
    """An exception is logged with its traceback."""
    stream = io.StringIO()
    set_up_logging(form, "info", stream)  # type: ignore[arg-type]  # the table holds both words
    logging.getLogger("trunkline").error("broke", exc_info=ValueError("why"))
    assert "ValueError: why" in stream.getvalue()


def test_lines_below_the_level_are_left_out() -> None:
    """The level is the least important one that is written."""
    stream = io.StringIO()
    set_up_logging("text", "error", stream)
    logging.getLogger("trunkline.call").info("unseen")
    assert not stream.getvalue()


async def test_lines_of_one_moment_are_written_together() -> None:
    """Lines of calls wait a moment for one another; a warning takes all of them along at once."""
    stream = io.StringIO()
    set_up_logging("text", "info", stream)
    logger = logging.getLogger("trunkline.call")
    logger.info("one")
    assert not stream.getvalue()
    await asyncio.sleep(2 * GATHER_S)
    assert stream.getvalue().endswith("one\n")
    logger.info("two")
    logger.warning("three")
    assert [line.rpartition(" ")[2] for line in stream.getvalue().splitlines()] == ["one", "two", "three"]


async def test_lines_stay_whole_where_processes_share_a_pipe() -> None:
    """A write is no longer than a pipe keeps whole, and ends with a line; a longer line is a write of its own."""

    class Writes(io.StringIO):
        def write(self, text: str, /) -> int:
            writes.append(text)
            return len(text)

    writes: list[str] = []
    set_up_logging("text", "info", Writes())
    logger = logging.getLogger("trunkline.call")
    for number in range(100):
        logger.info("%d %s", number, "x" * 300)
    logger.warning("y" * 10_000)
    assert [text for text in writes if not text.endswith("\n")] == []
    assert sorted(len(text) > 4096 for text in writes) == [False] * (len(writes) - 1) + [True]
    assert "".join(writes).count("\n") == 101


async def test_the_end_of_the_process_loses_no_line() -> None:
    """Logging flushes its handlers when the process ends, and a new set-up those before it."""
    stream = io.StringIO()
    set_up_logging("text", "info", stream)
    logging.getLogger("trunkline.call").info("one")
    set_up_logging("text", "info", io.StringIO())
    assert stream.getvalue().endswith("one\n")


async def test_a_closed_stream_fails_no_call() -> None:
    """Where the reader of the log has gone, lines are lost and nothing else."""
    stream = io.StringIO()
    set_up_logging("text", "info", stream)
    stream.close()
    logging.getLogger("trunkline.call").warning("unread")
