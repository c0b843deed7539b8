# SPDX-License-Identifier: Apache-2.0
"""docs/routing.md keeps up with the code: no rule, preference, variant or standing is missing, and its numbers are the code's."""

import re

import pytest

from support.source_tree import ROOT
from trunkline.v1.provider_preferences_pb2 import ProviderPreferences
from trunkline_server.catalog.query import ROUTING_VARIANTS
from trunkline_server.engine import budget, health, health_page, sessions
from trunkline_server.routing import price, retry
from trunkline_server.routing.candidates import EXCLUSION_WORDS
from trunkline_server.routing.explain import EXCLUSION_SENTENCES
from trunkline_server.routing.health import Standing
from trunkline_server.routing.models import MOST_ROUTED_MODELS, ROUTER_MODELS, TIER_SHARES

PAGE = (ROOT / "docs" / "routing.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())
NUMBERS = {1: "one", 2: "twice", 3: "three", 5: "five", 8: "Eight", 0.2: "fifth", 0.25: "quarter"}


def test_every_word_of_excluded_by_has_its_row() -> None:
    """The table has exactly the words that an exclusion may carry, and so have the sentences of explanations."""
    rows = re.findall(r"^\| `([a-z_:]+)` \|", PAGE.partition("| `excluded_by` |")[2].partition("\n\n")[0], re.MULTILINE)
    assert sorted(rows) == sorted({*EXCLUSION_WORDS, "allowed_models"}) == sorted(EXCLUSION_SENTENCES)


def test_the_contract_has_the_same_words() -> None:
    """The comment of `excluded_by` lists them."""
    source = (ROOT / "proto" / "trunkline" / "v1" / "error.proto").read_text(encoding="utf-8")
    comment = source.partition("// The rules that excluded endpoints:")[2].partition("repeated string")[0]
    assert sorted(re.findall(r"`([a-z_:]+)`", comment)) == sorted(EXCLUSION_SENTENCES)


@pytest.mark.parametrize("field", [field.name for field in ProviderPreferences.DESCRIPTOR.fields])
def test_every_preference_is_explained(field: str) -> None:
    """The page names each field of `provider`."""
    assert re.search(rf"`[^`]*\b{field}\b[^`]*`", PAGE)


@pytest.mark.parametrize("name", sorted([*(f":{variant}" for variant in ROUTING_VARIANTS), *ROUTER_MODELS]))
def test_every_name_is_explained(name: str) -> None:
    """The page has a row for each variant and router model."""
    assert re.search(rf"^\| `[^`|]*{re.escape(name)}`", PAGE, re.MULTILINE)


def test_every_standing_is_explained() -> None:
    """The page names each way in which an endpoint may stand."""
    words = [standing.name.lower() for standing in Standing]
    assert [word for word in words if f"| `{word}` |" not in PAGE] == []


@pytest.mark.parametrize(
    "sentence",
    [
        f"an answer of {price.ASSUMED_COMPLETION_TOKENS} tokens",
        *(f"`{tier}` {share:g}" for tier, share in TIER_SHARES.items()),
        f"up to {NUMBERS[MOST_ROUTED_MODELS]}",
        f"more than {sessions.MOST:,}",
        f"{NUMBERS[health_page.FAILURES_TO_EJECT]} of its calls failed in a row: for {health_page.BASE_EJECTION_S:g} s",
        f"{health_page.LONGEST_EJECTION_S:g} s at most",
        f"one in {health_page.PROBE_INTERVAL_S:g} s",
        f"a {NUMBERS[health_page.OUTAGE_SHARE]} or more of its calls failed within the last {health_page.OUTAGE_S:g} seconds",
        f"({health_page.QUARANTINE_S:g} s)",
        f"{health.PAUSE_S:g} s where a rate limit names none",
        f"a {NUMBERS[budget.SHARE]} of the calls under way",
        f"{NUMBERS[budget.FLOOR]} are always allowed",
        f"up to {retry.FIRST_PAUSE_S:g} s, which doubles up to {retry.LONGEST_PAUSE_S:g} s",
        f"at most {NUMBERS[retry.MOST_TRIES_AT_ONE]}",
        f"{NUMBERS[retry.MOST_TRIES]} attempts at most",
    ],
)
def test_numbers_are_the_code_s(sentence: str) -> None:
    """What the page says in numbers is what the code does."""
    assert sentence in TEXT


def test_times_in_words() -> None:
    """What the page calls an hour, five minutes, ten seconds and a minute is that long."""
    assert (sessions.LIFETIME_S, health_page.WINDOW_S, budget.WINDOW_S, health_page.FORGIVEN_S) == (
        3600.0,
        300.0,
        10.0,
        60.0,
    )
