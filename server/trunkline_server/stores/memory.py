# SPDX-License-Identifier: Apache-2.0
"""Records and sums in this process's memory: bounded, and gone with it."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from trunkline_server.core.record import Generation

_DAY_S: Final = 86_400
# A month and the week that began before it.
_MOST_DAYS: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What a principal spent, 1e-12 USD: in all, and in the day, the week (from Monday) and the month of now, in UTC."""

    total_pusd: int
    daily_pusd: int
    weekly_pusd: int
    monthly_pusd: int


@dataclass(slots=True)
class _Sums:
    """What one principal spent: in all, and by day since the epoch, the latest days only."""

    total_pusd: int = 0
    by_day: dict[int, int] = field(default_factory=dict)

    def add(self, day: int, cost_pusd: int) -> None:
        self.total_pusd += cost_pusd
        self.by_day[day] = self.by_day.get(day, 0) + cost_pusd
        while len(self.by_day) > _MOST_DAYS:
            del self.by_day[min(self.by_day)]


class MemoryRecords:
    """A RecordKeeper that holds the latest `most` records, and the sums of all. The sums grow with the number of principals, not of calls."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._records: OrderedDict[str, Generation] = OrderedDict()
        self._sums: defaultdict[str, _Sums] = defaultdict(_Sums)

    def keep(self, generation: Generation) -> None:
        """Keeps a record; the oldest one goes where there are too many."""
        self._records[generation.generation_id] = generation
        if len(self._records) > self._most:
            self._records.popitem(last=False)
        if generation.cost_pusd:
            self._sums[generation.principal].add(generation.created_s // _DAY_S, generation.cost_pusd)

    def find(self, principal: str, generation_id: str) -> Generation | None:
        """The record with that id, None where there is none of this principal."""
        generation = self._records.get(generation_id)
        return generation if generation is not None and generation.principal == principal else None

    def records(self) -> Iterator[Generation]:
        """All records, the oldest first."""
        return iter(tuple(self._records.values()))

    def sums(self) -> Iterator[tuple[str, int, Mapping[int, int]]]:
        """What each principal spent, 1e-12 USD: its name, all of it, and the latest days of it by days since the epoch."""
        return iter([(principal, sums.total_pusd, dict(sums.by_day)) for principal, sums in self._sums.items()])

    def add_sums(self, principal: str, total_pusd: int, by_day: Mapping[int, int]) -> None:
        """Counts in what `sums` of another memory said of a principal."""
        sums = self._sums[principal]
        by_day_pusd = sum(by_day.values())
        for day, cost_pusd in by_day.items():
            sums.add(day, cost_pusd)
        sums.total_pusd += total_pusd - by_day_pusd

    def spending(self, principal: str, now_s: float) -> Spending:
        """What a principal spent. `now_s` is the wall clock in Unix seconds; what was begun later counts in all of it."""
        sums = self._sums.get(principal, _Sums())
        today = datetime.fromtimestamp(now_s, UTC).date()
        day = int(now_s) // _DAY_S
        return Spending(
            total_pusd=sums.total_pusd,
            daily_pusd=_since(sums, day),
            weekly_pusd=_since(sums, day - today.weekday()),
            monthly_pusd=_since(sums, day - (today - today.replace(day=1)) // timedelta(days=1)),
        )


def _since(sums: _Sums, day: int) -> int:
    return sum(cost_pusd for begun, cost_pusd in sums.by_day.items() if begun >= day)
