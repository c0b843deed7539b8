# SPDX-License-Identifier: Apache-2.0
"""In which order candidates are tried.

From the strongest word to the weakest: endpoints in service before those that are cooling or out; those that `order` names, in its order; the endpoint that
the conversation is pinned to; the service tier asked for; those that are probably large enough; those that miss no preferred speed; `sort`, or a variant that
sorts; else stable ones before unstable ones and, among those, one drawn with weight 1/price² ahead of the others by price. `order` switches the draw off:
then it is the price alone. Nobody is left out but by `allow_fallbacks: false`. Every sort is stable: what ties stays in catalog order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from trunkline.v1.provider_preferences_pb2 import PreferredCutoff, ProviderPreferences
from trunkline_server.catalog.entry import Endpoint, EndpointKey
from trunkline_server.routing.candidates import Ask, Test, forbids_fallbacks, tiers_asked_for
from trunkline_server.routing.health import HealthSnapshot, Percentiles, Standing
from trunkline_server.routing.needs import Needs
from trunkline_server.routing.price import comparable_prices_pusd, expected_prices_pusd

Draw = Callable[[], float]
"""A number in [0, 1), another one each time."""

_SORTS_OF_VARIANTS: Final[Mapping[str, str]] = MappingProxyType(
    {"nitro": "throughput", "floor": "price", "exacto": "exacto"}
)
_SORTS_OF_TIERS: Final[Mapping[str, str]] = MappingProxyType({"priority": "throughput", "flex": "price"})
_UNKNOWN: Final = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What an order depends on beside the request: the health of endpoints, how they stand by it (those that stand well are left out), the endpoint that the
    conversation is pinned to (None: none), and the draw.
    """

    health: HealthSnapshot
    standings: Mapping[EndpointKey, Standing]
    pin: EndpointKey | None
    draw: Draw


def order_candidates(candidates: Sequence[Endpoint], ask: Ask, moment: Moment) -> Sequence[Endpoint]:
    """The candidates in the order to try them. Without fallbacks of each model the first, where `order` does not name them: then all of them were named."""
    preferences = ask.preferences
    if len(candidates) < 2 and not preferences.order:
        return candidates
    ordered = _order_by_worth(list(candidates), ask, moment)
    places = _places(ordered, ask)
    if places:
        last = len(preferences.order)
        ordered.sort(key=lambda endpoint: places.get(endpoint.key, last))
    if moment.standings:
        ordered.sort(key=lambda endpoint: rank_in_service(moment.standings.get(endpoint.key)))
    if preferences.order or not forbids_fallbacks(preferences):
        return ordered
    firsts: dict[str, Endpoint] = {}
    for endpoint in ordered:
        firsts.setdefault(endpoint.model, endpoint)
    return list(firsts.values())


def rank_in_service(standing: Standing | None) -> int:
    """The lower, the earlier, whatever was asked for: those in service are alike, those that cool down come behind them, those that are out last."""
    return Standing.UNSTABLE if standing is None else max(standing, Standing.UNSTABLE)


def sorting(ask: Ask) -> str | None:
    """What the request sorts by: its own word before the variant's, before the tier's. None: it does not."""
    sort = ask.preferences.sort
    own = sort.config.by if sort.WhichOneof("sort") == "config" else sort.by
    return own or _SORTS_OF_VARIANTS.get(ask.variant or "") or _SORTS_OF_TIERS.get(ask.needs.tier or "")


def sorts_across_models(preferences: ProviderPreferences) -> bool:
    """Whether `sort` takes all models of the request together."""
    return preferences.sort.config.partition == "none"


def sort_endpoints(endpoints: Sequence[Endpoint], by: str, ask: Ask, health: HealthSnapshot) -> list[Endpoint]:
    """The endpoints by price, latency (the time to the first token), throughput, or "exacto" (known for good tool calls first). Unmeasured ones come last."""
    keys = _SORT_KEYS[by](endpoints, ask, health)
    return [endpoints[place] for place in sorted(range(len(endpoints)), key=keys.__getitem__)]


def misses_cutoff(measured: Percentiles | None, cutoff: PreferredCutoff, *, least: bool) -> bool:
    """Whether what was measured misses any of the percentiles asked for; `least`: they are lower bounds. What was not measured misses nothing.

    A percentile of throughput is what that share of calls reached at least: p90 is the slow end of nine calls in ten.
    """
    return _misses(measured, _wanted_percentiles(cutoff), least=least)


def make_slowness_test(preferences: ProviderPreferences, health: HealthSnapshot) -> Test | None:
    """What tells whether an endpoint misses a preferred speed; None where none is preferred."""
    has_least, has_most = (
        preferences.HasField("preferred_min_throughput"),
        preferences.HasField("preferred_max_latency"),
    )
    if not has_least and not has_most:
        return None
    least = _wanted_percentiles(preferences.preferred_min_throughput) if has_least else ()
    most = _wanted_percentiles(preferences.preferred_max_latency) if has_most else ()

    def is_slow(endpoint: Endpoint) -> bool:
        known = health.of(endpoint)
        return _misses(known.throughput_tps, least, least=True) or _misses(known.first_token_s, most, least=False)

    return is_slow


def _wanted_percentiles(cutoff: PreferredCutoff) -> Sequence[tuple[str, float]]:
    kind = cutoff.WhichOneof("cutoff")
    if kind == "median":
        return [("p50", cutoff.median)]
    return [(field.name, value) for field, value in cutoff.percentiles.ListFields()] if kind is not None else ()


def _misses(measured: Percentiles | None, wanted: Sequence[tuple[str, float]], *, least: bool) -> bool:
    if measured is None:
        return False
    for name, value in wanted:
        found = getattr(measured, name)
        if found < value if least else found > value:
            return True
    return False


def is_too_small(endpoint: Endpoint, needs: Needs) -> bool:
    """Whether prompt and answer probably do not fit. The estimate is rough, so it moves endpoints; `candidates` excludes those that are too small by any count."""
    return endpoint.context_length is not None and not needs.fits(endpoint.context_length)


def draw_first(endpoints: Sequence[Endpoint], ask: Ask, draw: Draw) -> list[Endpoint]:
    """One endpoint drawn with weight 1/price² ahead of the others by price. Free ones are drawn among themselves, all alike; so are, after all others, those
    whose prices are unknown.
    """
    if len(endpoints) < 2:
        return list(endpoints)
    unknown = [endpoint for endpoint in endpoints if not endpoint.prices_pusd]
    if unknown and len(unknown) < len(endpoints):
        return [*draw_first([e for e in endpoints if e.prices_pusd], ask, draw), *draw_first(unknown, ask, draw)]
    prices = expected_prices_pusd(endpoints, ask.needs)
    cheapest = min(prices)
    # Relative to the cheapest, so that neither squares of tiny prices nor those of huge ones leave the range of a float.
    weights = [(cheapest / price) ** 2 for price in prices] if cheapest else [float(not price) for price in prices]
    point = draw() * sum(weights)
    chosen = prices.index(cheapest)
    for place, weight in enumerate(weights):
        point -= weight
        if point < 0:
            chosen = place
            break
    places = sorted(range(len(prices)), key=prices.__getitem__)
    places.remove(chosen)
    return [endpoints[chosen], *[endpoints[place] for place in places]]


def _places(candidates: Sequence[Endpoint], ask: Ask) -> dict[EndpointKey, int]:
    """The place in `order` of the first slug that names each endpoint. A base slug names no endpoint of a service tier that was not asked for."""
    named = ask.places
    places: dict[EndpointKey, int] = {}
    if not named:
        return places
    asked = tiers_asked_for(ask)
    for endpoint in candidates:
        plain = endpoint.service_tier is None or endpoint.service_tier in asked
        meant = endpoint.names if plain else (endpoint.tag.lower(),)
        found = [named[name] for name in meant if name in named]
        if found:
            places[endpoint.key] = min(found)
    return places


def _order_by_worth(candidates: list[Endpoint], ask: Ask, moment: Moment) -> list[Endpoint]:
    preferences, needs = ask.preferences, ask.needs
    by = sorting(ask)
    ordered = (
        _order_by_price(candidates, ask, moment) if by is None else sort_endpoints(candidates, by, ask, moment.health)
    )
    is_slow = make_slowness_test(preferences, moment.health)
    if is_slow is not None:
        ordered.sort(key=is_slow)
    lengths = [endpoint.context_length for endpoint in candidates if endpoint.context_length is not None]
    if lengths and not needs.fits(min(lengths)):
        ordered.sort(key=lambda endpoint: is_too_small(endpoint, needs))
    if needs.tier is not None:
        ordered.sort(key=lambda endpoint: endpoint.service_tier != needs.tier)
    if moment.pin is not None:
        ordered.sort(key=lambda endpoint: endpoint.key != moment.pin)
    return ordered


def _order_by_price(candidates: list[Endpoint], ask: Ask, moment: Moment) -> list[Endpoint]:
    standings = moment.standings
    groups: dict[Standing, list[Endpoint]] = {}
    if standings:
        for endpoint in candidates:
            groups.setdefault(standings.get(endpoint.key, Standing.WELL), []).append(endpoint)
    else:
        groups[Standing.WELL] = candidates
    if ask.preferences.order:
        return [
            endpoint
            for group in sorted(groups)
            for endpoint in sort_endpoints(groups[group], "price", ask, moment.health)
        ]
    return [endpoint for group in sorted(groups) for endpoint in draw_first(groups[group], ask, moment.draw)]


def _by_price(endpoints: Sequence[Endpoint], ask: Ask, _health: HealthSnapshot) -> Sequence[float]:
    return comparable_prices_pusd(endpoints, ask.needs)


def _by_latency(endpoints: Sequence[Endpoint], _ask: Ask, health: HealthSnapshot) -> Sequence[float]:
    measured = [health.of(endpoint).first_token_s for endpoint in endpoints]
    return [_UNKNOWN if speed is None else speed.p50 for speed in measured]


def _by_throughput(endpoints: Sequence[Endpoint], _ask: Ask, health: HealthSnapshot) -> Sequence[float]:
    measured = [health.of(endpoint).throughput_tps for endpoint in endpoints]
    return [_UNKNOWN if speed is None else -speed.p50 for speed in measured]


def _by_tool_calls(endpoints: Sequence[Endpoint], _ask: Ask, _health: HealthSnapshot) -> Sequence[float]:
    return [not endpoint.exacto for endpoint in endpoints]


_SORT_KEYS: Final[Mapping[str, Callable[[Sequence[Endpoint], Ask, HealthSnapshot], Sequence[float]]]] = (
    MappingProxyType(
        {"price": _by_price, "latency": _by_latency, "throughput": _by_throughput, "exacto": _by_tool_calls}
    )
)
