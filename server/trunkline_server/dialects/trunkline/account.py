# SPDX-License-Identifier: Apache-2.0
"""What becomes of each field of a request on its way to another gateway."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from trunkline_server.dialects.account import FIELDS, SENT, Accounts, gateway, renamed

ACCOUNT: Final[Accounts] = MappingProxyType(
    {
        **dict.fromkeys(FIELDS, SENT),
        "models": gateway("falls back from model to model"),
        "route": gateway("routes"),
        "provider": renamed("provider", "without `order`, `only` and `ignore`, which name this gateway's providers"),
    }
)
"""By path; see `dialects/account.py`."""
