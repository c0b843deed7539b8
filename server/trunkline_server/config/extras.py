# SPDX-License-Identifier: Apache-2.0
"""Packages that only some providers need, and what to install for them. A gateway without one runs; calls of such a provider fail and say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final

from trunkline_server.catalog.entry import Catalog, Provider

_OF_AUTH: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {"aws": ("botocore", "bedrock"), "google": ("google.auth", "vertex")}
)
"""A provider's `auth`: the package, and the extra that brings it."""
_OF_DIALECT: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {"bedrock_converse": ("botocore", "bedrock"), "xai": ("xai_sdk", "xai")}
)


def describe_missing(catalog: Catalog, is_there: Callable[[str], bool] | None = None) -> list[str]:
    """A sentence for each provider whose package is not installed. `is_there` tells of packages by their names (None: what this Python has)."""
    look = _is_installed if is_there is None else is_there
    return [
        f"provider `{provider.slug}`: the package {package} is missing, so its calls will fail: install `trunkline[server,{extra}]`"
        for provider in catalog.providers.values()
        for package, extra in _needs(provider)
        if not look(package)
    ]


def _needs(provider: Provider) -> Iterator[tuple[str, str]]:
    wanted = (_OF_AUTH.get(provider.auth), _OF_DIALECT.get(provider.dialect))
    yield from dict.fromkeys(need for need in wanted if need is not None)


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # the package around it is missing, too
        return False
