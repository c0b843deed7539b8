# SPDX-License-Identifier: Apache-2.0
"""The plots of a run, as PNG: the throughput frontier, and what a chunk costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.gateways import Wire
from bench.results import DIRECT, FRONTIER_MS, Key, Result
from bench.table import format_value
from bench.targets import OURS, index_values

_WIRES = {Wire.HTTP: "HTTP/1.1", Wire.GRPC: "gRPC"}
_OURS_COLOUR = "#c2410c"
# Told apart by those who see colours differently, too (Okabe and Ito).
_COLOURS = ("#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#6b7280", "#7c3aed", "#111827")
_MARKERS = "osD^vPX*"
# The range of an axis with nothing on it.
_EMPTY = (1.0, 100.0)


def draw_plots(folder: Path, results: Sequence[Result]) -> list[Path]:
    """Draw all plots into a folder; returns their paths. Without matplotlib none."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 - the tables are of use without it
    except ImportError:
        print("no plots: matplotlib is not installed (requirements/bench.txt)")
        return []
    mpl.use("agg")
    values = index_values(results)
    names = list(dict.fromkeys(result.gateway for result in results))
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _draw_frontier(folder / "frontier.png", values, names),
        _draw_chunks(folder / "cpu_per_chunk.png", values, names),
    ]


def _draw_frontier(path: Path, values: Mapping[Key, float], names: Sequence[str]) -> Path:
    """For each wire a panel, for each gateway a line: the best rate within each bound of added latency."""
    from matplotlib import pyplot as plt  # noqa: PLC0415 - see above
    from matplotlib import ticker  # noqa: PLC0415 - see above

    figure, panels = plt.subplots(1, len(_WIRES), figsize=(12, 5), sharey=True, layout="constrained")
    for panel, (wire, title) in zip(panels, _WIRES.items(), strict=True):
        for name in names:
            rates = {bound: values.get(Key(name, wire, f"rps_at_added_p99_{bound}ms")) for bound in FRONTIER_MS}
            met = [(bound, rate) for bound, rate in rates.items() if rate is not None]
            if met and name != DIRECT:
                panel.plot(*zip(*met, strict=True), label=name, **_style(name, names))
        panel.set(title=title, xscale="log", yscale="log", xlabel="added p99, at most (ms)")
        panel.set_xticks(FRONTIER_MS, [f"{bound:g}" for bound in FRONTIER_MS])
        panel.set_xlim(FRONTIER_MS[0] * 0.8, FRONTIER_MS[-1] * 1.25)
        panel.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        panel.minorticks_off()
        panel.yaxis.set_major_formatter(lambda rate, _: f"{rate:,.0f}")
        panel.grid(visible=True, which="major", alpha=0.3)
        if panel.lines:
            panel.legend(frameon=False)
    if not any(panel.lines for panel in panels):
        panels[0].set_ylim(*_EMPTY)
    panels[0].set_ylabel("requests/s on one core")
    figure.suptitle("Throughput frontier: higher and further left is better")
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return path


def _draw_chunks(path: Path, values: Mapping[Key, float], names: Sequence[str]) -> Path:
    """For each wire a panel, for each gateway two bars: CPU time for a paced chunk and for one of a burst."""
    from matplotlib import pyplot as plt  # noqa: PLC0415 - see above

    figure, panels = plt.subplots(1, len(_WIRES), figsize=(12, 0.5 * len(names) + 2.5), layout="constrained")
    for panel, (wire, title) in zip(panels, _WIRES.items(), strict=True):
        shown = [name for name in reversed(names) if Key(name, wire, "cpu_us_per_chunk") in values]
        for offset, (metric, label, shade) in enumerate(
            (("cpu_us_per_burst_chunk", "in a burst", 0.45), ("cpu_us_per_chunk", "paced at 5 ms", 1.0))
        ):
            places = [place + 0.38 * (offset - 0.5) for place in range(len(shown))]
            costs = [values.get(Key(name, wire, metric), 0.0) for name in shown]
            colours = [_style(name, names)["color"] for name in shown]
            bars = panel.barh(places, costs, height=0.36, color=colours, alpha=shade)
            panel.bar_label(bars, [f"{format_value(cost)}  {label}" for cost in costs], padding=4, fontsize=8)
        panel.set_yticks(range(len(shown)), shown)
        panel.set(title=title, xscale="log", xlabel="CPU µs per chunk (log)")
        low, high = panel.get_xlim() if shown else _EMPTY
        # Room for the words behind the longest bar.
        panel.set_xlim(low, high * (high / low) ** 0.35)
        panel.xaxis.set_major_formatter(lambda cost, _: f"{cost:g}")
        panel.spines[["top", "right"]].set_visible(False)
    figure.suptitle("CPU time per streamed chunk of 200 bytes: less is better")
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return path


def _style(name: str, names: Sequence[str]) -> dict[str, Any]:
    """How a gateway looks in all plots: ours stands out."""
    if name == OURS:
        return {"color": _OURS_COLOUR, "marker": "o", "linewidth": 2.6, "zorder": 3}
    place = [other for other in names if other not in (OURS, DIRECT)].index(name)
    return {"color": _COLOURS[place % len(_COLOURS)], "marker": _MARKERS[place % len(_MARKERS)], "linewidth": 1.4}
