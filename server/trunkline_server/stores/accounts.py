# SPDX-License-Identifier: Apache-2.0
"""What clients may read of their own key: the RPCs of `trunkline.v1.KeyService`, one method each, the same on every wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from trunkline.v1 import key_service_pb2 as rpc
from trunkline_server.core.call import Principal
from trunkline_server.stores.memory import Spending

_HIGHEST_PUSD: Final = 2**63 - 1
_NO_LIMIT: Final = 2**31 - 1
_REGIONS: Final = ("global",)


class Accounts:
    """Answers questions about the caller's key. `spending` sums up what a principal spent, by its name and the wall clock in Unix seconds."""

    def __init__(self, spending: Callable[[str, float], Awaitable[Spending]], clock_s: Callable[[], float]) -> None:
        self._spending = spending
        self._clock_s = clock_s

    async def get_current_key(
        self, _request: rpc.GetCurrentKeyRequest, principal: Principal
    ) -> rpc.GetCurrentKeyResponse:
        """The key's name and spending. No key has limits."""
        spent = await self._spending(principal.name, self._clock_s())
        return rpc.GetCurrentKeyResponse(
            data=rpc.CurrentKey(
                label=principal.name,
                usage_pusd=_bounded(spent.total_pusd),
                usage_daily_pusd=_bounded(spent.daily_pusd),
                usage_weekly_pusd=_bounded(spent.weekly_pusd),
                usage_monthly_pusd=_bounded(spent.monthly_pusd),
                rate_limit=rpc.RateLimit(requests=-1, interval="10s", note="Calls are not limited by number."),
                free_model_daily_requests=rpc.FreeModelDailyRequests(limit=_NO_LIMIT, remaining=_NO_LIMIT),
                allowed_data_regions=_REGIONS,
            )
        )

    async def get_credits(self, _request: rpc.GetCreditsRequest, principal: Principal) -> rpc.GetCreditsResponse:
        """What the key spent. Nothing is paid in advance."""
        spent = await self._spending(principal.name, self._clock_s())
        return rpc.GetCreditsResponse(data=rpc.Credits(total_usage_pusd=_bounded(spent.total_pusd)))


def _bounded(amount_pusd: int) -> int:
    """The amount as 64 bits can say it."""
    return min(amount_pusd, _HIGHEST_PUSD)
