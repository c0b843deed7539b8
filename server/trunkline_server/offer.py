# SPDX-License-Identifier: Apache-2.0
"""What the gateway offers at a moment, and how one offer follows another while calls are under way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from trunkline_server.catalog.entry import Catalog, EndpointKey, Provider
from trunkline_server.config.read import make_catalog, make_deployment
from trunkline_server.config.settings import ProviderSettings, Settings
from trunkline_server.routing.candidates import Deployment
from trunkline_server.upstream.aws import AwsKeys
from trunkline_server.upstream.grpc import GrpcUpstream, GrpcWay
from trunkline_server.upstream.leased import LeasedUpstream
from trunkline_server.upstream.proxy import Proxy
from trunkline_server.upstream.simulator import SimulatorUpstream
from trunkline_server.upstream.way import HttpWay, make_upstream

_Way = HttpWay | GrpcWay | None
"""None: the simulator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Catalog, what the deployment demands of every request, and the way to each provider by slug.

    `upstreams` also has providers that are gone from the catalog: a call that was planned before may still try one as its fallback.
    """

    catalog: Catalog
    deployment: Deployment
    upstreams: Mapping[str, LeasedUpstream]
    ways: Mapping[str, _Way]

    @classmethod
    def make(cls, settings: Settings) -> Self:
        """The first offer."""
        catalog = make_catalog(settings)
        ways = _find_ways(settings, catalog)
        return cls(
            catalog=catalog,
            deployment=make_deployment(settings.routing),
            upstreams={slug: _make_upstream(way) for slug, way in ways.items()},
            ways=ways,
        )

    async def following(self, settings: Settings) -> Self:
        """The offer of other settings. An upstream stays where the way to its provider does; the others are for `retire`."""
        catalog = await asyncio.to_thread(make_catalog, settings)
        ways = _find_ways(settings, catalog)
        made = {slug: _make_upstream(way) for slug, way in ways.items() if self.ways.get(slug) != way}
        return type(self)(
            catalog=catalog,
            deployment=make_deployment(settings.routing),
            upstreams={**self.upstreams, **made},
            ways=ways,
        )

    def mended(self, successor: Offer) -> list[EndpointKey]:
        """The endpoints that another offer reaches in another way: what is known of their health says nothing any more."""
        reaches = successor._reaches()
        return [key for key, reach in self._reaches().items() if reaches.get(key) != reach]

    async def retire(self, successor: Offer) -> None:
        """Puts aside the upstreams that are not on offer any more: each closes when its last call has left."""
        for slug, way in self.ways.items():
            if successor.ways.get(slug) != way:
                await self.upstreams[slug].put_aside()

    def _reaches(self) -> Mapping[EndpointKey, tuple[object, ...]]:
        """How each endpoint is reached: the way to its provider, the provider's language and time-outs, the model's name there."""
        return {
            endpoint.key: (
                self.ways[endpoint.provider.slug],
                endpoint.provider.dialect,
                endpoint.provider.timeouts,
                endpoint.upstream_model,
            )
            for model in self.catalog.models.values()
            for endpoint in model.endpoints
        }

    async def close(self) -> None:
        """Frees all connections, those in use too."""
        for upstream in self.upstreams.values():
            await upstream.close()


def _find_ways(settings: Settings, catalog: Catalog) -> Mapping[str, _Way]:
    """What decides about a provider's upstream, for each provider of the catalog."""
    rows = {row.slug: row for row in settings.providers}
    return {
        slug: _way(provider, rows.get(slug) or ProviderSettings(slug=slug))
        for slug, provider in catalog.providers.items()
    }


def _way(provider: Provider, row: ProviderSettings) -> _Way:
    """`row` holds what only the settings may: keys, files, a proxy."""
    if provider.transport == "simulator" or provider.base_url is None:
        return None
    if provider.transport == "grpc":
        return GrpcWay(base_url=provider.base_url, secret=row.api_key)
    key_id, key = row.aws_access_key_id, row.aws_secret_access_key
    return HttpWay(
        base_url=provider.base_url,
        auth=provider.auth,
        auth_header=provider.auth_header,
        secret=row.api_key,
        aws_keys=AwsKeys(access_key_id=key_id, secret_access_key=key, session_token=row.aws_session_token)
        if key_id is not None and key is not None
        else None,
        region=provider.region,
        credentials_file=row.credentials_file,
        ca_file=row.ca_file,
        proxy=Proxy(url=row.proxy, credentials=row.proxy_credentials) if row.proxy is not None else None,
    )


def _make_upstream(way: _Way) -> LeasedUpstream:
    if way is None:
        return LeasedUpstream(lambda: SimulatorUpstream(clock=time.time))
    if isinstance(way, GrpcWay):
        return LeasedUpstream(lambda: GrpcUpstream(way))
    return LeasedUpstream(lambda: make_upstream(way))
