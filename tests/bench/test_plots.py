# SPDX-License-Identifier: Apache-2.0
"""The plots are drawn from whatever was measured."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.gateways import Wire
from bench.plots import draw_plots
from bench.results import Result

pytestmark = pytest.mark.slow


def result(gateway: str, wire: Wire, metric: str, value: float) -> Result:
    """A result without spread."""
    return Result(gateway=gateway, wire=wire, metric=metric, value=value, spread=(value, value))


HTTP_ALONE = [
    result("direct", Wire.HTTP, "rps_at_added_p99_1ms", 50_000.0),
    result("nginx", Wire.HTTP, "rps_at_added_p99_1ms", 30_000.0),
    result("nginx", Wire.HTTP, "cpu_us_per_chunk", 17.0),
    result("nginx", Wire.HTTP, "cpu_us_per_burst_chunk", 0.7),
    result("trunkline", Wire.HTTP, "rps_at_added_p99_50ms", 3000.0),
    result("trunkline", Wire.HTTP, "cpu_us_per_chunk", 40.0),
]
BOTH = [*HTTP_ALONE, result("trunkline", Wire.GRPC, "cpu_us_per_chunk", 60.0)]
MANY = [result(f"gateway-{number}", Wire.GRPC, "cpu_us_per_chunk", 10.0 * number) for number in range(1, 15)]


@pytest.mark.parametrize("results", [[], HTTP_ALONE, BOTH, MANY], ids=["nothing", "http-alone", "both", "many"])
def test_plots_are_pictures(results: Sequence[Result], tmp_path: Path) -> None:
    """Also where a wire, a bound or everything is missing, and with more gateways than colours."""
    pytest.importorskip("matplotlib", reason="`make bench-quick` and `make test-all` install requirements/bench.txt")
    drawn = draw_plots(tmp_path, results)
    assert [path.name for path in drawn] == ["frontier.png", "cpu_per_chunk.png"]
    assert [path.read_bytes()[:8] for path in drawn] == [b"\x89PNG\r\n\x1a\n"] * 2
