# SPDX-License-Identifier: Apache-2.0
"""Rows of the hostile table that wait for a feature of the gateway, wholly or in part. The run prints them; no test pretends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One row: its number, the feature it waits for, what of it is not tested until then. `partly`: the rest of the row is tested."""

    number: str
    feature: str
    rest: str
    partly: bool = False


WAITING: Final = (
    Waiting(
        number="H04", feature="the benchmark", rest="the noise of 100,000 samples; the same work is shown", partly=True
    ),
    Waiting(number="H05", feature="accounts", rest="revoked, expired and disabled keys"),
    Waiting(number="H06", feature="accounts", rest="administration routes and the rights to them"),
    Waiting(number="H07", feature="accounts", rest="another tenant's keys; its generations are tested", partly=True),
    Waiting(
        number="H16", feature="the benchmark", rest="1,000 slow heads leave the service's p99 unharmed", partly=True
    ),
    Waiting(number="H45", feature="presets", rest="a cycle in presets", partly=True),
    Waiting(number="H52", feature="guardrails", rest="a pattern from a guardrail's configuration", partly=True),
    Waiting(
        number="H55",
        feature="the fetcher",
        rest="400 image_download_failed: today no address is fetched at all",
        partly=True,
    ),
    Waiting(number="H56", feature="the fetcher", rest="400 for private networks and metadata hosts", partly=True),
    Waiting(number="H57", feature="the fetcher", rest="the allow-list of schemes", partly=True),
    Waiting(number="H58", feature="the fetcher", rest="redirects, checked at each hop"),
    Waiting(number="H59", feature="the fetcher", rest="names that are resolved anew to another address"),
    Waiting(number="H60", feature="the fetcher", rest="URLs that two parsers read differently"),
    Waiting(number="H61", feature="the fetcher", rest="endless, slow and exploding images"),
    Waiting(number="H62", feature="the fetcher", rest="sizes and kinds of images, read from their heads"),
    Waiting(number="H65", feature="plugins and broadcasts", rest="URLs that a user sets"),
    Waiting(number="H67", feature="limits by address", rest="forged addresses do not widen a limit", partly=True),
    Waiting(number="H73", feature="plugins", rest="403 for a plugin's command from the API", partly=True),
    Waiting(number="H76", feature="plugins", rest="healing of answers in linear time"),
    Waiting(number="H82", feature="the benchmark", rest="the p99 of other connections", partly=True),
    Waiting(number="H88", feature="limits by address", rest="401s are limited by address", partly=True),
    Waiting(number="H89", feature="the ledger", rest="Idempotency-Key"),
    Waiting(number="H90", feature="the cache", rest="the cache's key holds the tenant and all parameters"),
    Waiting(number="H93", feature="accounts", rest="the limit of a key as money", partly=True),
    Waiting(number="H94", feature="accounts", rest="names and labels of keys"),
)
