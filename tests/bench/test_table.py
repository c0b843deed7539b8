# SPDX-License-Identifier: Apache-2.0
"""The tables of a run: what stands in them, and how they look in a terminal and as Markdown."""

from collections.abc import Mapping
from typing import Any

import pytest

from bench.gateways import Wire
from bench.results import Result
from bench.table import Table, format_markdown, format_terminal, format_value, make_tables

CONDITIONS: Mapping[str, Any] = {
    "gateways": {"nginx": {"version": "1.22.1", "settings": "1 worker"}},
    "absent": {"litellm": "not installed: pip install litellm"},
}
TABLE = Table(title="Costs", head=("gateway", "wire", "CPU µs"), rows=[("nginx", "http", "18"), ("x", "grpc", "1,200")])


def result(gateway: str, wire: Wire, metric: str, value: float, *, low: float | None = None) -> Result:
    """A result; its lowest round as given, else without spread."""
    return Result(gateway=gateway, wire=wire, metric=metric, value=value, spread=(value if low is None else low, value))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0237, "0.0237"),
        (4.0512, "4.05"),
        (18.0, "18"),
        (-32.84, "-32.8"),
        (99.96, "100"),
        (704.2, "704"),
        (31_249, "31,200"),
        (1_234_567, "1,230,000"),
        (-1320, "-1,320"),
    ],
)
def test_numbers_have_three_digits_that_mean_something(value: float, text: str) -> None:
    """No digit stands there that the next run would change."""
    assert format_value(value) == text


def test_a_terminal_sees_columns() -> None:
    """Words to the left, numbers to the right."""
    assert format_terminal(TABLE).splitlines() == [
        "Costs",
        "",
        "gateway  wire  CPU µs",
        "-------  ----  ------",
        "nginx    http      18",
        "x        grpc   1,200",
    ]


def test_markdown_is_a_table() -> None:
    """With a heading, and numbers to the right."""
    assert format_markdown(TABLE).splitlines() == [
        "## Costs",
        "",
        "| gateway | wire | CPU µs |",
        "| --- | --- | ---: |",
        "| nginx | http | 18 |",
        "| x | grpc | 1,200 |",
    ]


def test_a_table_without_rows_is_nothing() -> None:
    """Nothing was absent: there is no heading for it."""
    empty = Table(title="Not measured", head=("gateway", "why"), rows=[])
    assert (format_terminal(empty), format_markdown(empty)) == ("", "")


def rows_of(title: str, *results: Result) -> list[tuple[str, ...]]:
    """The rows of the table whose title begins so."""
    (table,) = [table for table in make_tables(results, CONDITIONS) if table.title.startswith(title)]
    return [tuple(row) for row in table.rows]


def test_gateways_stand_below_each_other_by_wire() -> None:
    """HTTP first; what was not measured is a dash, what varied has its extremes."""
    rows = rows_of(
        "What it costs",
        result("nginx", Wire.GRPC, "cpu_us_per_request", 30.0),
        result("nginx", Wire.HTTP, "cpu_us_per_request", 18.0, low=17.0),
        result("nginx", Wire.HTTP, "rps", 52_000.0),
        result("trunkline", Wire.HTTP, "start_s", 1.06),
    )
    assert rows == [
        ("nginx", "http", "18 (17–18)", "-", "-", "52,000", "-", "-", "-", "-"),
        ("trunkline", "http", "-", "-", "-", "-", "-", "-", "-", "1.06"),
        ("nginx", "grpc", "30", "-", "-", "-", "-", "-", "-", "-"),
    ]


def test_nothing_in_between_adds_nothing() -> None:
    """`direct` has no row among what is added to it."""
    rows = rows_of(
        "What it adds",
        result("direct", Wire.HTTP, "lost_chunks", 0.0),
        result("nginx", Wire.HTTP, "lost_chunks", 0.0),
        result("nginx", Wire.HTTP, "ttft_added_p50_us", 80.0),
    )
    assert rows == [("nginx", "http", "-", "-", "80", "-", "-", "-", "-", "-", "0")]


def test_the_frontier_has_a_column_for_each_bound() -> None:
    """A bound that no point meets is a dash."""
    rows = rows_of("Throughput frontier", result("envoy", Wire.HTTP, "rps_at_added_p99_5ms", 20_600.0))
    assert rows == [("envoy", "http", "-", "20,600", "-", "-")]


def test_who_was_measured_and_who_was_not_is_said() -> None:
    """With the version and the settings, or with what to install."""
    assert rows_of("Measured") == [("nginx", "1.22.1", "1 worker")]
    assert rows_of("Not measured") == [("litellm", "not installed: pip install litellm")]


def test_every_first_target_has_its_verdict() -> None:
    """Reached, missed by how much, or what it lacks to be judged."""
    rows = rows_of(
        "Trunkline's first targets",
        result("nginx", Wire.HTTP, "cpu_us_per_request", 20.0),
        result("trunkline", Wire.HTTP, "cpu_us_per_request", 350.0),
        result("trunkline", Wire.HTTP, "rss_idle_mb", 80.0),
        result("trunkline", Wire.HTTP, "rps", 4000.0),
    )
    verdicts = {row[0]: row[1:] for row in rows}
    assert len(verdicts) == 9
    assert verdicts["CPU per HTTP request / nginx"] == ("missed by 25%", "≤ 14", "17.5")
    assert verdicts["RSS idle"] == ("reached", "≤ 90 MB", "80 MB")
    assert verdicts["requests/s, c=64 / tuned LiteLLM"] == ("not measured: needs litellm", "≥ 40", "-")
    assert verdicts["CPU per paced chunk / nginx"] == ("not measured: needs trunkline", "≤ 3", "-")
