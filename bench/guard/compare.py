# SPDX-License-Identifier: Apache-2.0
"""The judgement: figures of now beside those of the baseline. Nothing here measures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

TOLERANCE: Final = 0.15
"""How much dearer a figure may be, as a part of its baseline. The method itself is good to one to four parts in a hundred, system calls to seven (docs/decisions/0006)."""

_RAISE: Final = "Make it cheaper. Where the cost is wanted, raise the baseline in the same commit: `make guard-update`, and say why in the commit's body."
_LOWER: Final = "Hold what was won: `make guard-update`, in the same commit."
_OTHER_FIGURES: Final = "The baseline does not hold the figures that are measured: `make guard-update`, in the commit that adds or removes one."

Verdict = Literal["even", "dearer", "cheaper", "not in the baseline", "not measured"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One figure, in instructions or system calls for one piece of work. None: the figure is on one side only."""

    name: str
    baseline: float | None
    now: float | None

    @property
    def ratio(self) -> float | None:
        """Now / baseline; None where one of them is missing."""
        if not self.baseline or self.now is None:
            return None
        return self.now / self.baseline

    @property
    def verdict(self) -> Verdict:
        """What the guard thinks of it."""
        if self.now is None:
            return "not measured"
        if self.ratio is None:
            return "not in the baseline"
        if self.ratio > 1 + TOLERANCE:
            return "dearer"
        return "cheaper" if self.ratio < 1 - TOLERANCE else "even"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is printed, and whether the check fails."""

    text: str
    failed: bool


def compare(baseline: Mapping[str, float], now: Mapping[str, float]) -> Sequence[Comparison]:
    """All figures of both sides, in the order of now."""
    names = [*now, *(name for name in baseline if name not in now)]
    return [Comparison(name=name, baseline=baseline.get(name), now=now.get(name)) for name in names]


def report(comparisons: Iterable[Comparison]) -> Report:
    """The table with all figures, and below it what to do about those that changed."""
    rows = list(comparisons)
    dearer = [row for row in rows if row.verdict == "dearer"]
    others = [row for row in rows if row.ratio is None]
    cheaper = [row for row in rows if row.verdict == "cheaper"]
    parts = [format_table(rows)]
    if dearer:
        parts.append(f"More than {TOLERANCE:.0%} above the baseline:\n{format_table(dearer)}\n{_RAISE}")
    if others:
        parts.append(f"{_OTHER_FIGURES}\n{format_table(others)}")
    if cheaper:
        parts.append(f"More than {TOLERANCE:.0%} below the baseline:\n{format_table(cheaper)}\n{_LOWER}")
    return Report(text="\n\n".join(parts), failed=bool(dearer or others))


def format_table(rows: Sequence[Comparison]) -> str:
    """The figures as lines of text, with a head."""
    width = max(len(row.name) for row in rows) if rows else 0
    lines = [f"  {'':{width}}  {'baseline':>12}  {'now':>12}  {'ratio':>6}"]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.3f}"
        verdict = "" if row.verdict == "even" else f"  {row.verdict}"
        lines.append(f"  {row.name:{width}}  {_number(row.baseline):>12}  {_number(row.now):>12}  {ratio:>6}{verdict}")
    return "\n".join(lines)


def format_share(figures: Mapping[str, float], one: str, other: str, *, most: float) -> str:
    """One figure as times another, in a line of text, with the most that it may be."""
    return f"  {one} are {figures[one] / figures[other]:.2f} times {other} (at most {most:g})"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.1f}"
