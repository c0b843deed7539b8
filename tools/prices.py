# SPDX-License-Identifier: Apache-2.0
"""Make the price lists of the catalog from the PyPI package genai-prices, or check that the committed ones are what it would make.

Runs in the environment of requirements/generate.txt (`make generate` and `make check` see to that). A model is in a list where the package knows what a token
of its prompts and of its answers costs, and, unless the provider made it, how long its context is, and where all that it charges for has its place in a
row; the others are counted. docs/decisions/0008 has the rules.

The package tells from which day a price holds, so a list depends on a day: it is written in every row, --check makes the list for that same day again, and
without --check today's list is written where it says something else than the committed one.
"""

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import ROUND_UP, Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from genai_prices.data import providers
from genai_prices.types import (
    ClauseEquals,
    ClauseOr,
    ClauseStartsWith,
    ModelInfo,
    ModelPrice,
    Provider,
    TieredPrices,
    TimeOfDateConstraint,
)

ROOT: Final = Path(__file__).resolve().parent.parent
DATA: Final = ROOT / "server" / "trunkline_server" / "catalog" / "data"
LISTS: Final = DATA / "price_lists.toml"
FOLDER: Final = DATA / "prices"
PACKAGE: Final = "genai-prices"

# The package's units -> ours, and for how many of them its price is.
_MILLION: Final = Decimal(1_000_000)
_THOUSAND: Final = Decimal(1_000)
_GRAIN: Final = Decimal("1e-12")
_UNITS: Final[Mapping[str, tuple[str, Decimal]]] = {
    "input_mtok": ("prompt", _MILLION),
    "output_mtok": ("completion", _MILLION),
    "cache_read_mtok": ("input_cache_read", _MILLION),
    "cache_write_mtok": ("input_cache_write", _MILLION),
    "cache_write_1h_mtok": ("input_cache_write_1h", _MILLION),
    "input_audio_mtok": ("audio", _MILLION),
    "output_audio_mtok": ("audio_output", _MILLION),
    "cache_audio_read_mtok": ("input_audio_cache", _MILLION),
    "output_reasoning_mtok": ("internal_reasoning", _MILLION),
    "requests_kcount": ("request", _THOUSAND),
    "web_searches_kcount": ("web_search", _THOUSAND),
}
# Charged for what no chat request asks for.
_IGNORED: Final = frozenset({"storage_searches_kcount"})
_TIERS: Final = (None, "priority", "flex")
# How providers write the day of a snapshot: a day to ask the package about, and what stands for any day in a row.
_DAYS: Final = {"20991231": "YYYYMMDD", "2099-12-31": "YYYY-MM-DD"}

_HEAD: Final = """\
# SPDX-License-Identifier: Apache-2.0
# Made by tools/prices.py: `make generate` writes it anew. USD per token, request or search.
"""


class UnusableError(Exception):
    """A model that no row can be made of; the text says why."""


def render_list(provider: Provider, day: date, skipped: list[str], *, of_author: bool) -> str:
    """The file of a price list for a day. Models without a row are added to `skipped`, each with the reason. `of_author` says that the provider made the models."""
    source = f"{PACKAGE} {version(PACKAGE)}"
    parts = [_HEAD + "".join(f"# {provider.name} says so at {url}\n" for url in provider.pricing_urls or ())]
    for model in provider.models:
        try:
            rows = list(_rows(provider, model, day, of_author=of_author))
        except UnusableError as reason:
            skipped.append(f"{provider.id}: {model.id}: {reason}")
            continue
        for row in rows:
            keys = {**row, "source": source, "date": day}
            parts.append("[[prices]]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in keys.items()))
    return "\n".join(parts)


def _rows(provider: Provider, model: ModelInfo, day: date, *, of_author: bool) -> Iterator[dict[str, Any]]:
    """The rows of a model: one for each service tier that it is sold in. Raises UnusableError."""
    length = {} if model.context_window is None else {"context_length": model.context_window}
    # Where the package does not know the length of what somebody else made, it is most often not on offer there any more.
    if not length and not of_author:
        raise UnusableError("no context length")
    names = _names(provider, model)
    if not names:
        raise UnusableError("no name of its own")
    sold = {variant.when.get("service_tier") for variant in model.price_variants or () if len(variant.when) == 1}
    for tier in _TIERS:
        if tier is None or tier in sold:
            at_day = _prices_at(model, day, {"service_tier": tier} if tier else None)
            head: dict[str, Any] = {"names": names, **({"service_tier": tier} if tier else {})}
            yield {**head, **length, **_price_keys(at_day)}


def _prices_at(model: ModelInfo, day: date, context: Mapping[str, str] | None) -> ModelPrice:
    """The prices of a day. Where they depend on the hour it is the dearest one, so that nobody is promised too little."""
    conditions = model.prices if isinstance(model.prices, list) else []
    limits = [limit for price in conditions if isinstance(limit := price.constraint, TimeOfDateConstraint)]
    turns = {time(tzinfo=UTC), *(limit.start_time for limit in limits), *(limit.end_time for limit in limits)}
    moments = [datetime.combine(day, turn) for turn in sorted(turns)]
    found = [model.get_prices(moment, context) for moment in moments]
    return max(found, key=lambda prices: tuple(_at_length(getattr(prices, key, None), 0) or 0 for key in _UNITS))


def _price_keys(prices: ModelPrice) -> dict[str, Any]:
    """`prices` and `prices_above` of a row. Raises UnusableError."""
    known = {key: value for key, value in vars(prices).items() if value is not None and key not in _IGNORED}
    if not {"input_mtok", "output_mtok"} <= known.keys():
        raise UnusableError("no price for prompts and answers")
    if strange := sorted(known.keys() - _UNITS.keys()):
        raise UnusableError(f"charges for {', '.join(strange)}")
    tiers = {tier.start for price in known.values() if isinstance(price, TieredPrices) for tier in price.tiers}
    above = [{"tokens": start, "prices": _our_prices(known, start + 1)} for start in sorted(tiers)]
    return {"prices": _our_prices(known, 0), **({"prices_above": above} if above else {})}


def _our_prices(known: Mapping[str, Decimal | TieredPrices], prompt_tokens: int) -> dict[str, str]:
    """Our keys with USD for one unit, for a prompt of so many tokens."""
    return {
        ours: f"{_to_grain(_at_length(known[key], prompt_tokens) / per).normalize():f}"
        for key, (ours, per) in _UNITS.items()
        if key in known
    }


def _to_grain(price: Decimal) -> Decimal:
    """A price in whole 1e-12 USD, which is as fine as the gateway counts: never too low."""
    return price.quantize(_GRAIN, rounding=ROUND_UP)


def _at_length(price: Decimal | TieredPrices | None, prompt_tokens: int) -> Any:
    if not isinstance(price, TieredPrices):
        return price
    reached = [tier.price for tier in price.tiers if prompt_tokens > tier.start]
    return reached[-1] if reached else price.base


def _names(provider: Provider, model: ModelInfo) -> list[str]:
    """The names for which the package finds this model: those that it writes down, and snapshots of them by their day."""
    clauses = model.match.or_ if isinstance(model.match, ClauseOr) else [model.match]
    written = [model.id]
    written += [clause.equals for clause in clauses if isinstance(clause, ClauseEquals)]
    written += [clause.starts_with for clause in clauses if isinstance(clause, ClauseStartsWith)]
    found = [name for name in written if name[-1].isalnum() and provider.find_model(name) is model]
    for name in tuple(found):
        found += [f"{name}-{form}" for day, form in _DAYS.items() if provider.find_model(f"{name}-{day}") is model]
    return list(dict.fromkeys(found))


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return value.isoformat() if isinstance(value, date) else json.dumps(value)


def _day_of(path: Path) -> date | None:
    """The day of a committed list; None where there is none."""
    rows = tomllib.loads(path.read_text(encoding="utf-8")).get("prices") if path.is_file() else None
    return rows[0]["date"] if rows else None


def _wanted_lists() -> dict[str, tuple[Provider, bool]]:
    """The package's provider for each list, by name, and whether it made the models. Ends the program where a list has none, or a host that is not the provider's."""
    by_id = {provider.id: provider for provider in providers}
    wanted = {}
    for row in tomllib.loads(LISTS.read_text(encoding="utf-8"))["price_lists"]:
        provider = by_id.get(row["name"])
        strange = [host for host in row["hosts"] if provider and not re.match(provider.api_pattern, f"https://{host}/")]
        if provider is None or strange:
            sys.exit(f"{LISTS.relative_to(ROOT)}: {PACKAGE} does not know {row['name']} {' '.join(strange)}")
        wanted[row["name"]] = provider, "author" in row
    return wanted


def main() -> int:
    """Return the exit status: 1 when --check finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when the committed lists differ")
    parser.add_argument("--skipped", action="store_true", help="say which models have no row, and why")
    options = parser.parse_args()
    lists = _wanted_lists()
    today = datetime.now(tz=UTC).date()
    differing = [path for path in FOLDER.glob("*.toml") if path.stem not in lists]
    skipped: list[str] = []
    for name, (provider, of_author) in lists.items():
        path = FOLDER / f"{name}.toml"
        committed = path.read_text(encoding="utf-8") if path.is_file() else ""
        day = _day_of(path) or today
        fresh = render_list(provider, today, skipped, of_author=of_author).replace(today.isoformat(), day.isoformat())
        if (render_list(provider, day, [], of_author=of_author) if options.check else fresh) != committed:
            differing.append(path)
            if not options.check:
                path.write_text(render_list(provider, today, [], of_author=of_author), encoding="utf-8")
                print(f"wrote   {path.relative_to(ROOT).as_posix()}")
    for path in differing:
        if options.check:
            print(
                f"{path.relative_to(ROOT).as_posix()} is not what {PACKAGE} gives: run `make generate` and commit the result"
            )
        elif path.stem not in lists:
            path.unlink()
            print(f"removed {path.relative_to(ROOT).as_posix()}")
    if options.skipped:
        print("\n".join(skipped))
    return 1 if options.check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
