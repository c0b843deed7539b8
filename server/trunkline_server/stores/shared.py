# SPDX-License-Identifier: Apache-2.0
"""Records and sums of a gateway that may be several processes. Each keeps its own; what is asked of one is answered for all.

A worker that leaves because another took its seat hands over what it has. One that crashed takes it along.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from trunkline.v1 import generation_service_pb2 as rpc
from trunkline_server.stores.generations import render_generation
from trunkline_server.stores.memory import MemoryRecords, Spending
from trunkline_server.stores.peers import Peers

_ASK: Final = "ask"
_RECORDS_AT_ONCE: Final = 500
_TAKEN: Final = b"taken"
_MOST_TAKEN: Final = 1000
_FIELDS: Final = tuple(field.name for field in fields(Spending))


class SharedRecords:
    """The records and sums of all workers.

    `own` is this process's memory, `most` how many records it may hold of workers that left. `folder` is where the workers meet, and `name` this
    one's name there, which no other has; without a folder this process is alone.
    """

    def __init__(self, own: MemoryRecords, *, most: int, folder: Path | None = None, name: str = "") -> None:
        self._own = own
        self._most = most
        # Those of workers that left, as they rendered them: principal and record by id.
        self._inherited: dict[str, tuple[str, bytes]] = {}
        # The digests of the latest parts that were handed over to this one: who did not hear that it took one says it again.
        self._taken: dict[bytes, None] = {}
        self._leaving = False
        self._name = name
        self._peers = Peers(folder, name, self._answer)

    async def open(self) -> None:
        """Begins to answer the other workers. Raises OSError."""
        await self._peers.open()

    async def close(self) -> None:
        """Answers them no more."""
        await self._peers.close()

    async def find(self, principal: str, generation_id: str) -> rpc.Generation | None:
        """The record with that id as clients see it, whichever worker has it; None where there is none of this principal. Raises GatewayError where a worker does not answer."""
        raw = self._find_here(principal, generation_id)
        if raw is None:
            question = {_ASK: "record", "principal": principal, "id": generation_id}
            raw = next(filter(None, await self._peers.ask(_written(question))), None)
        return None if raw is None else rpc.Generation.FromString(raw)

    async def spending(self, principal: str, now_s: float) -> Spending:
        """What a principal spent by all workers. `now_s` is the wall clock in Unix seconds. Raises GatewayError where a worker does not answer."""
        question = {_ASK: "spending", "principal": principal, "now_s": now_s}
        parts = [asdict(self._own.spending(principal, now_s))]
        parts += [json.loads(answer) for answer in await self._peers.ask(_written(question)) if answer]
        return Spending(**{name: sum(part[name] for part in parts) for name in _FIELDS})

    async def hand_over(self) -> bool:
        """Gives everything to one of the others, and answers nothing of it any more. Whether somebody took it all."""
        self._leaving = True
        for part in self._parts():
            if not await self._peers.tell_one(_written(part)):
                return False
        return True

    def _parts(self) -> Iterator[Mapping[str, Any]]:
        """What there is, in parts of bounded size."""
        yield {_ASK: "inherit", "from": self._name, "records": (), "sums": list(self._own.sums())}
        own = (
            (each.principal, each.generation_id, render_generation(each).SerializeToString())
            for each in self._own.records()
        )
        inherited = [(principal, generation_id, raw) for generation_id, (principal, raw) in self._inherited.items()]
        records = chain(inherited, own)
        while part := list(islice(records, _RECORDS_AT_ONCE)):
            texts = [(principal, known_by, base64.b64encode(raw).decode()) for principal, known_by, raw in part]
            yield {_ASK: "inherit", "from": self._name, "records": texts, "sums": ()}

    def _answer(self, raw: bytes) -> bytes:
        """The answer to a question of another worker: empty where this one has nothing to say."""
        question = json.loads(raw)
        match question[_ASK]:
            case "record":
                return self._find_here(question["principal"], question["id"]) or b""
            case "spending" if not self._leaving:
                return _written(asdict(self._own.spending(question["principal"], question["now_s"])))
            case "inherit" if not self._leaving:
                part = hashlib.sha256(raw).digest()
                if part not in self._taken:
                    self._taken[part] = None
                    self._inherit(question["records"], question["sums"])
                return _TAKEN
        return b""

    def _find_here(self, principal: str, generation_id: str) -> bytes | None:
        generation = self._own.find(principal, generation_id)
        if generation is not None:
            return render_generation(generation).SerializeToString()
        owner, raw = self._inherited.get(generation_id, ("", b""))
        return raw if raw and owner == principal else None

    def _inherit(
        self, records: Sequence[tuple[str, str, str]], sums: Sequence[tuple[str, int, Mapping[str, int]]]
    ) -> None:
        for principal, total_pusd, by_day in sums:
            self._own.add_sums(principal, total_pusd, {int(day): cost_pusd for day, cost_pusd in by_day.items()})
        for principal, generation_id, text in records:
            self._inherited[generation_id] = (principal, base64.b64decode(text))
        for part in list(self._taken)[: max(0, len(self._taken) - _MOST_TAKEN)]:
            del self._taken[part]
        # Ids sort by time: the oldest go.
        for generation_id in sorted(self._inherited)[: max(0, len(self._inherited) - self._most)]:
            del self._inherited[generation_id]


def _written(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode()
