# SPDX-License-Identifier: Apache-2.0
"""A changed settings file and the running gateway: what it offers is changed, everything else waits for a restart.

The file is looked at again and again: that needs no library, sees what editors, `mv` and the symbolic links of mounted volumes do, and works on every file
system. A change counts once two looks saw the same, so that a file is not read while it is being written.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from trunkline_server.config.faults import Fault, SettingsError
from trunkline_server.config.read import read_settings
from trunkline_server.config.settings import Settings
from trunkline_server.config.sources import SettingsFile

RELOADED: Final = frozenset({"default_model", "environment_keys", "models", "providers", "routing", "simulator"})
"""The settings that a running gateway takes over."""
_LOGGER: Final = logging.getLogger("trunkline.reload")

_State = tuple[int, ...] | None
"""What tells one state of the file from another; () for none that was ever seen, None for a file that cannot be found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsSource:
    """Where the settings of this process came from: the file's path, the environment, the flags."""

    path: str
    environment: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, object] = field(default_factory=dict)

    def read(self) -> Settings:
        """The settings as they are now. Raises SettingsError with every fault, also where the file cannot be read."""
        try:
            text = Path(self.path).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise SettingsError([Fault(where=self.path, message="is not a text in UTF-8")]) from error
        except OSError as error:
            raise SettingsError([Fault(where=self.path, message=f"cannot be read: {error.strerror}")]) from error
        file = SettingsFile(name=self.path, text=text)
        return read_settings(file=file, environment=self.environment, flags=self.flags)

    def look(self) -> _State:
        """The file's state, without reading it."""
        try:
            state = Path(self.path).stat()
        except OSError:
            return None
        return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


class Reloader:
    """Reads the settings again when their file has changed, or when asked, and has what they offer taken over.

    `started_with` are the settings that the process was started with, `take_over` changes what it offers.
    """

    def __init__(
        self, source: SettingsSource, started_with: Settings, take_over: Callable[[Settings], Awaitable[None]]
    ) -> None:
        self._source = source
        self._started_with = started_with
        self._current = started_with
        self._take_over = take_over
        self._asked = asyncio.Event()
        self._was_faulty = False

    def ask(self) -> None:
        """Reads the settings soon, changed or not."""
        self._asked.set()

    async def run(self) -> None:
        """Works until it is cancelled."""
        # The file may have changed while the process started, so the first state that lasts is read as well.
        seen: _State = ()
        taken: _State = ()
        while True:
            asked = await self._wait()
            now = await asyncio.to_thread(self._source.look)
            if asked or taken != now == seen:
                taken = now
                await self._reload(asked=asked)
            seen = now

    async def _wait(self) -> bool:
        """Waits for the next look; tells whether somebody asked for it."""
        try:
            async with asyncio.timeout(self._started_with.reload.interval_s or None):
                await self._asked.wait()
        except TimeoutError:
            return False
        self._asked.clear()
        return True

    async def _reload(self, *, asked: bool) -> None:
        settings = await asyncio.to_thread(self._read)
        was_faulty, self._was_faulty = self._was_faulty, isinstance(settings, SettingsError)
        if isinstance(settings, SettingsError):
            count = len(settings.faults)
            what = f"{count} fault{'' if count == 1 else 's'}"
            _LOGGER.error("%s: %s; what was offered before still is", self._source.path, what)
            for fault in settings.faults:
                _LOGGER.error("%s", fault)
            return
        if settings == self._current:
            if asked or was_faulty:
                _LOGGER.info("%s: nothing has changed", self._source.path)
            return
        try:
            await self._take_over(settings)
        except Exception:  # what stands in the way of this file must not stop the next one
            _LOGGER.exception("%s cannot be taken over; what was offered before still is", self._source.path)
            return
        self._current = settings
        models, providers = len(settings.models), len(settings.providers)
        _LOGGER.info("%s: taken over, with %s models and %s providers of its own", self._source.path, models, providers)
        waiting = waiting_settings(self._started_with, settings)
        if waiting:
            _LOGGER.warning("%s: changes of %s wait for a restart", self._source.path, ", ".join(waiting))

    def _read(self) -> Settings | SettingsError:
        try:
            return self._source.read()
        except SettingsError as error:
            return error


def waiting_settings(started_with: Settings, settings: Settings) -> list[str]:
    """The settings that differ from those the process was started with and that it does not take over."""
    names = [name for name in Settings.model_fields if name not in RELOADED]
    return [name for name in names if getattr(started_with, name) != getattr(settings, name)]
