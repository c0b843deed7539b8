# SPDX-License-Identifier: Apache-2.0
"""What a request will probably cost."""

from typing import Any

import pytest

from support.builders import make_endpoint, make_message, make_request
from trunkline.v1.message_pb2 import ContentPart
from trunkline_server.routing.needs import read_needs
from trunkline_server.routing.price import (
    assumed_answer,
    comparable_prices_pusd,
    expected_price_pusd,
    expected_prices_pusd,
)

PICTURE = make_message("x" * 40)
PICTURE.user.content.append(ContentPart(image_url={"url": "https://acme.test/a.png"}))


@pytest.mark.parametrize(
    ("prices", "fields", "expected"),
    [
        pytest.param({}, {}, 0, id="free"),
        pytest.param({"prompt": 5}, {}, 50, id="prompt"),
        pytest.param({"completion": 2}, {}, 512, id="an answer of the assumed length"),
        pytest.param({"completion": 2}, {"max_tokens": 100}, 200, id="an answer of the length asked for"),
        pytest.param({"completion": 2}, {"max_tokens": 9000}, 512, id="a limit far away is no length"),
        pytest.param({"prompt": 5, "request": 7}, {}, 57, id="request"),
        pytest.param({"image": 1000}, {}, 0, id="no image"),
        pytest.param({"image": 1000, "prompt": 1}, {"messages": [PICTURE]}, 1010, id="an image"),
        pytest.param({"audio": 3, "web_search": 9}, {}, 0, id="what is not foreseen costs nothing yet"),
        pytest.param({"prompt": 2**62}, {}, 10 * 2**62, id="beyond 64 bits"),
    ],
)
def test_the_expected_price(prices: dict[str, int], fields: dict[str, Any], expected: int) -> None:
    """Prompt, answer, request and pictures, each at its price."""
    needs = read_needs(make_request("x" * 40, **fields))
    endpoint = make_endpoint(prices_pusd=prices)
    assert expected_price_pusd(endpoint, needs) == expected
    assert expected_prices_pusd([endpoint, make_endpoint()], needs) == [expected, 0]


@pytest.mark.parametrize(("most", "assumed"), [(None, 256), (1, 1), (256, 256), (5000, 256)])
def test_the_assumed_answer(most: int | None, assumed: int) -> None:
    """An answer is as long as answers are, or as long as it may be."""
    assert assumed_answer(read_needs(make_request(max_tokens=most))) == assumed


@pytest.mark.parametrize(("size", "expected"), [(40, 10), (400, 100), (404, 505)])
def test_the_price_of_a_long_prompt(size: int, expected: int) -> None:
    """Beyond a length all tokens have the higher price."""
    endpoint = make_endpoint(prices_pusd={"prompt": 1}, prices_above=((100, {"prompt": 5}),))
    assert expected_price_pusd(endpoint, read_needs(make_request("x" * size))) == expected


def test_unknown_prices_compare_as_the_highest() -> None:
    """A price of nothing is known."""
    endpoints = [make_endpoint(), make_endpoint(prices_pusd={"prompt": 0}), make_endpoint(prices_pusd={"request": 7})]
    assert comparable_prices_pusd(endpoints, read_needs(make_request())) == [float("inf"), 0, 7]
