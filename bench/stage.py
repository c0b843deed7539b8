# SPDX-License-Identifier: Apache-2.0
"""A run: the gateways that could be started, measured in turns round by round, so that what the machine does beside it meets all of them."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.check import wait_for_answer
from bench.floors import TREE, TRUNKLINE
from bench.gateways import IDLE_MODEL, BenchError, Gateway, Running, Wire
from bench.lanes import Plan, Subject, warm_up
from bench.loads import Loader
from bench.measure import read_rss_bytes
from bench.processes import GATEWAY_CORE, LOAD_CORE, GatewaySite, Processes, on_core, wait_for_output
from bench.results import Lane, Samples
from bench.upstream import Upstream

MB = 1_000_000
IDLE_STREAMS = 1000
IMPORTS = 5
# A slow gateway migrates a database and loads half a gigabyte before its first answer.
START_S = 120.0
_IMPORT = "import time; t = time.perf_counter(); import trunkline; trunkline.Client; print(time.perf_counter() - t)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a run knows. `measured` and `absent` tell of gateways by name, `faults` what went wrong on the way."""

    plan: Plan
    processes: Processes
    folder: Path
    upstream: Upstream
    say: Callable[[str], None]
    samples: Samples = field(default_factory=Samples)
    subjects: dict[Lane, Subject] = field(default_factory=dict)
    measured: dict[str, dict[str, str]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def admit(self, gateway: Gateway) -> None:
        """Start a gateway and warm it up, or note why it is absent."""
        if reason := gateway.why_absent():
            self.absent[gateway.name] = reason
            return
        folder = self.folder / gateway.name
        folder.mkdir()
        site = GatewaySite(
            folder=folder,
            upstream_http_port=self.upstream.http_port,
            upstream_grpc_port=self.upstream.grpc_port,
            processes=self.processes,
        )
        try:
            subjects = self._start(gateway, site)
        except BenchError as error:
            self.processes.end(site.pids)
            self.absent[gateway.name] = f"could not be measured: {error}"
            return
        self.subjects.update(subjects)
        self.measured[gateway.name] = {"version": gateway.find_version(), "settings": gateway.settings}

    def measure_rounds(self, end_s: float) -> int:
        """Measure all lanes in turns, the further concurrencies before all else. A round that would end after `end_s` is left out; returns the rounds done."""
        self.say("throughput frontier")
        self._measure_all(1, Subject.measure_points)
        took_s = 0.0
        for number in range(1, self.plan.rounds + 1):
            started_s = time.monotonic()
            if started_s + took_s > end_s:
                self.say(f"time is up after {number - 1} of {self.plan.rounds} rounds")
                return number - 1
            self.say(f"round {number} of {self.plan.rounds}")
            self._measure_all(number, Subject.measure_round)
            took_s = time.monotonic() - started_s
        return self.plan.rounds

    def measure_idle_streams(self, gateways: Sequence[str]) -> None:
        """What 1,000 open streams on which nothing comes take of memory."""
        for lane, subject in self.subjects.items():
            if lane.gateway in gateways and subject.pids:
                try:
                    self.samples.add(lane, 1, {"rss_per_1000_streams_mb": self._hold_streams(lane, subject)})
                except BenchError as error:
                    self.faults.append(f"{lane.gateway} {lane.wire}, idle streams: {error}")

    def measure_import(self) -> None:
        """How long `import trunkline` takes, in processes of their own. The first one also warms the disk."""
        times_s = []
        for _ in range(IMPORTS + 1):
            with on_core(GATEWAY_CORE):
                done = subprocess.run(
                    [sys.executable, "-c", _IMPORT], env=TREE, capture_output=True, text=True, timeout=30, check=True
                )
            times_s.append(float(done.stdout))
        for number, time_s in enumerate(times_s[1:], 1):
            self.samples.add(Lane(TRUNKLINE, Wire.GRPC), number, {"import_s": time_s})
        self.say(f"import trunkline: {statistics.median(times_s[1:]):.3f} s")

    def _start(self, gateway: Gateway, site: GatewaySite) -> dict[Lane, Subject]:
        """Start a gateway, wait for its first good answer on every wire, warm it up. Raises BenchError."""
        started_s = time.monotonic()
        running = self._start_on_wires(gateway, site)
        first = True
        for wire, call in running.calls.items():
            wait_for_answer(wire, call, timeout_s=START_S, is_alive=lambda: self._all_alive(running))
            if first and running.pids:
                # Memory is read when every wire has answered once, the time after the first.
                self.samples.add(Lane(gateway.name, wire), 1, {"start_s": time.monotonic() - started_s})
                first = False
        if running.pids:
            time.sleep(0.2)
            rss_mb = read_rss_bytes(running.pids) / MB
            self.samples.add(Lane(gateway.name, next(iter(running.calls))), 1, {"rss_idle_mb": rss_mb})
        subjects = {}
        for wire, call in running.calls.items():
            loader = Loader(wire=wire, call=call, folder=site.folder)
            lane = Lane(gateway.name, wire)
            speed = warm_up(loader, self.plan)
            subjects[lane] = Subject(lane=lane, loader=loader, pids=running.pids, plan=self.plan, speed=speed)
            self.say(f"{lane.gateway} {lane.wire} answers: {speed.rps:,.0f} requests/s before it is measured")
        return subjects

    def _start_on_wires(self, gateway: Gateway, site: GatewaySite) -> Running:
        """Start a gateway; the wire that the upstream does not speak is left out."""
        running = gateway.start(site)
        if self.upstream.grpc_port is not None:
            return running
        self.absent["everything over gRPC"] = (
            "libnghttp2 was not here: apt-get install libnghttp2-dev, make -B -C bench"
        )
        return replace(running, calls={wire: call for wire, call in running.calls.items() if wire is not Wire.GRPC})

    def _all_alive(self, running: Running) -> bool:
        return all(self.processes.is_alive(pid) for pid in running.pids)

    def _measure_all(self, number: int, measure: Callable[[Subject], dict[str, float]]) -> None:
        for lane, subject in list(self.subjects.items()):
            try:
                self.samples.add(lane, number, measure(subject))
            except BenchError as error:
                # The machine may have had no time for it: it gets a second chance in the next round. What was measured of it stays.
                name = f"{lane.gateway} {lane.wire}"
                self.say(f"{name} failed: {error}")
                if any(fault.startswith(f"{name},") for fault in self.faults):
                    del self.subjects[lane]
                self.faults.append(f"{name}, round {number}: {error}")

    def _hold_streams(self, lane: Lane, subject: Subject) -> float:
        log = self.folder / f"hold-{lane.gateway}-{lane.wire}.log"
        command = subject.loader.hold_command(model=IDLE_MODEL, streams=IDLE_STREAMS)
        before = read_rss_bytes(subject.pids)
        pid = self.processes.spawn(command, core=LOAD_CORE, log=log)
        try:
            opened = int(wait_for_output(log, r'"open":\s*(\d+)', processes=self.processes, pid=pid))
            if opened < IDLE_STREAMS:
                raise BenchError(f"{opened} of {IDLE_STREAMS} streams were open")
            return (read_rss_bytes(subject.pids) - before) / MB / (opened / 1000)
        finally:
            self.processes.end([pid])
