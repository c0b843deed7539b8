# SPDX-License-Identifier: Apache-2.0
"""What a request will probably cost at an endpoint. Integers of 1e-12 USD."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from trunkline_server.catalog.entry import Endpoint
from trunkline_server.routing.needs import Needs

ASSUMED_COMPLETION_TOKENS: Final = 256
"""The length of an answer for a price, where the request sets no limit; with a limit it is the lesser of the two."""
_UNKNOWN: Final = float("inf")


def assumed_answer(needs: Needs) -> int:
    """The tokens of an answer that a price reckons with."""
    most = needs.most_tokens
    return ASSUMED_COMPLETION_TOKENS if most is None else min(most, ASSUMED_COMPLETION_TOKENS)


def expected_prices_pusd(endpoints: Iterable[Endpoint], needs: Needs) -> list[int]:
    """For each endpoint the price of the request's prompt and pictures, as estimated, and of an answer of ASSUMED_COMPLETION_TOKENS; 0 where its prices
    are unknown.
    """
    prompt_tokens, answer_tokens, images = needs.prompt_tokens, assumed_answer(needs), needs.images
    return [
        prompt_tokens * prompt + answer_tokens * completion + request + images * image
        for prompt, completion, request, image in [
            endpoint.main_prices_for(prompt_tokens) if endpoint.prices_above else endpoint.main_prices_pusd
            for endpoint in endpoints
        ]
    ]


def expected_price_pusd(endpoint: Endpoint, needs: Needs) -> int:
    """The same for one endpoint."""
    return expected_prices_pusd((endpoint,), needs)[0]


def comparable_prices_pusd(endpoints: Sequence[Endpoint], needs: Needs) -> list[float]:
    """The same to sort by: infinite where the prices are unknown, for a call costs what the provider says that it does."""
    prices = expected_prices_pusd(endpoints, needs)
    return [price if endpoint.prices_pusd else _UNKNOWN for endpoint, price in zip(endpoints, prices, strict=True)]
