# SPDX-License-Identifier: Apache-2.0
"""A key as its caller sees it."""

import orjson
import pytest

from support.golden import Golden
from trunkline.v1.key_service_pb2 import (
    Credits,
    GetCreditsRequest,
    GetCreditsResponse,
    GetCurrentKeyRequest,
    GetCurrentKeyResponse,
)
from trunkline_server.core.call import Principal
from trunkline_server.jsonshape import Codec
from trunkline_server.stores.accounts import Accounts
from trunkline_server.stores.memory import Spending

ASKING = Principal(name="tester")
TOP = 2**63 - 1


def make_accounts(total: int = 4, daily: int = 1, weekly: int = 2, monthly: int = 3) -> Accounts:
    """Accounts at 1000 s on the clock, in which "tester" spent these amounts and nobody else any."""
    spent = Spending(total_pusd=total, daily_pusd=daily, weekly_pusd=weekly, monthly_pusd=monthly)

    async def spending(name: str, now_s: float) -> Spending:
        return {("tester", 1000.0): spent}[name, now_s]

    return Accounts(spending, lambda: 1000.0)


async def test_the_callers_key() -> None:
    """The key has its name, what it spent in each period, and no limits."""
    key = (await make_accounts().get_current_key(GetCurrentKeyRequest(), ASKING)).data
    assert (key.label, key.usage_pusd, key.usage_daily_pusd, key.usage_weekly_pusd, key.usage_monthly_pusd) == (
        "tester",
        4,
        1,
        2,
        3,
    )
    assert (key.rate_limit.requests, list(key.allowed_data_regions), list(key.budgets)) == (-1, ["global"], [])


@pytest.mark.parametrize(
    "name", ["limit_pusd", "limit_remaining_pusd", "limit_reset", "expires_at", "effective_budget"]
)
async def test_a_key_without_limits(name: str) -> None:
    """What does not exist is null for clients: no limit is not a limit of 0."""
    assert not (await make_accounts().get_current_key(GetCurrentKeyRequest(), ASKING)).data.HasField(name)


async def test_credits() -> None:
    """Nothing is paid in advance, so all there is to see is what was spent."""
    answer = await make_accounts().get_credits(GetCreditsRequest(), ASKING)
    assert answer.data == Credits(total_credits_pusd=0, total_usage_pusd=4)


async def test_a_sum_beyond_64_bits_is_the_highest() -> None:
    """Sums of nonsense that providers report still have an answer."""
    accounts = make_accounts(TOP + 1, TOP + 1, TOP + 1, TOP + 1)
    key = (await accounts.get_current_key(GetCurrentKeyRequest(), ASKING)).data
    credits_answer = await accounts.get_credits(GetCreditsRequest(), ASKING)
    assert key.usage_pusd == key.usage_daily_pusd == key.usage_weekly_pusd == key.usage_monthly_pusd == TOP
    assert credits_answer.data.total_usage_pusd == TOP


async def test_a_key_in_json(golden: Golden) -> None:
    """Every key is written, with null for what does not exist; money in USD."""
    codec = Codec.compile([GetCurrentKeyResponse.DESCRIPTOR, GetCreditsResponse.DESCRIPTOR])
    accounts = make_accounts(25_500_000_000_000, 1, 5_000_000, 10**12)
    for name, answer in (
        ("key", await accounts.get_current_key(GetCurrentKeyRequest(), ASKING)),
        ("credits", await accounts.get_credits(GetCreditsRequest(), ASKING)),
    ):
        golden.check_json(f"routes/{name}.json", orjson.loads(codec.dump(answer)))
