# SPDX-License-Identifier: Apache-2.0
"""Records and sums of several workers."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.builders import make_generation
from trunkline_server.stores.generations import render_generation
from trunkline_server.stores.memory import MemoryRecords
from trunkline_server.stores.shared import SharedRecords

OWNER = "tester"


@asynccontextmanager
async def workers(folder: Path, *names: str, most: int = 5) -> AsyncIterator[list[tuple[MemoryRecords, SharedRecords]]]:
    """Workers that know each other: the memory of each, and what it makes of all."""
    made = []
    for name in names:
        own = MemoryRecords(most=most)
        made.append((own, SharedRecords(own, most=most, folder=folder, name=name)))
    for _, shared in made:
        await shared.open()
    try:
        yield made
    finally:
        for _, shared in made:
            await shared.close()


async def test_a_record_is_found_through_any_worker(tmp_path: Path) -> None:
    """Whoever is asked gives the same record; of somebody else's it gives none."""
    record = make_generation(generation_id="gen-a", principal=OWNER)
    async with workers(tmp_path, "1", "2", "3") as made:
        made[1][0].keep(record)
        for _, shared in made:
            assert await shared.find(OWNER, "gen-a") == render_generation(record)
            assert await shared.find("other", "gen-a") is None
            assert await shared.find(OWNER, "gen-b") is None


async def test_sums_count_all_workers(tmp_path: Path) -> None:
    """What a key spent is the same through every worker."""
    async with workers(tmp_path, "1", "2") as made:
        for cost, (own, _) in enumerate(made, start=1):
            own.keep(make_generation(principal=OWNER, created_s=1000, cost_pusd=cost))
        for _, shared in made:
            spent = await shared.spending(OWNER, 1000)
            assert (spent.total_pusd, spent.daily_pusd, spent.weekly_pusd, spent.monthly_pusd) == (3, 3, 3, 3)


async def test_one_process_is_alone() -> None:
    """Without a folder there is nobody to ask."""
    own = MemoryRecords(most=1)
    shared = SharedRecords(own, most=1)
    await shared.open()
    own.keep(make_generation(generation_id="gen-a", principal=OWNER, created_s=0, cost_pusd=4))
    assert await shared.find(OWNER, "gen-a") is not None
    assert await shared.find(OWNER, "gen-b") is None
    assert (await shared.spending(OWNER, 0)).total_pusd == 4
    assert not await shared.hand_over()
    await shared.close()


async def test_who_leaves_hands_over(tmp_path: Path) -> None:
    """After a hand-over the others know the record and the sums, each counted once, also when the heir hands over in turn."""
    async with workers(tmp_path, "1", "2", "3") as made:
        made[0][0].keep(make_generation(generation_id="gen-a", principal=OWNER, created_s=0, cost_pusd=4))
        made[1][0].keep(make_generation(generation_id="gen-b", principal=OWNER, created_s=0, cost_pusd=2))
        for _, leaving in made[:2]:
            assert await leaving.hand_over()
            assert (await made[2][1].spending(OWNER, 0)).total_pusd == 6
            await leaving.close()
        _, last = made[2]
        assert await last.find(OWNER, "gen-a") is not None
        assert await last.find(OWNER, "gen-b") is not None
        assert await last.find("other", "gen-a") is None


async def test_what_is_handed_over_twice_counts_once(tmp_path: Path) -> None:
    """Who did not hear that its sums were taken says them again; the same sums of another worker count as well."""
    async with workers(tmp_path, "1", "2", "3") as made:
        for own, _ in made[:2]:
            own.keep(make_generation(principal=OWNER, created_s=0, cost_pusd=4))
        parts = [json.dumps(part).encode() for _, leaving in made[:2] for part in leaving._parts()]
        heir_own, heir = made[2]
        assert [heir._answer(part) for part in parts * 2] == [b"taken"] * 2 * len(parts)
        assert heir_own.spending(OWNER, 0).total_pusd == 8


@pytest.mark.parametrize("count", [3, 5, 700])
async def test_an_heir_has_bounded_room(count: int, tmp_path: Path) -> None:
    """Of what is handed over the oldest find no room."""
    async with workers(tmp_path, "1", "2", most=count) as made:
        (own, leaving), (_, heir) = made
        for number in range(count):
            own.keep(make_generation(generation_id=f"gen-{number:04}", principal=OWNER))
        heir._most = count - 1
        assert await leaving.hand_over()
        await leaving.close()
        assert await heir.find(OWNER, "gen-0000") is None
        assert await heir.find(OWNER, "gen-0001") is not None
        assert await heir.find(OWNER, f"gen-{count - 1:04}") is not None
