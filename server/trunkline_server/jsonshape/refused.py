# SPDX-License-Identifier: Apache-2.0
"""Keys that no caller may send, wherever unknown keys are kept.

Each would redirect a secret or take over the upstream call in a well-known client library or gateway. None names a field of the contract, so
without this table they would be kept as unknown keys and might one day be sent on. Names that also mean something harmless (`headers` of a remote
tool, `proxy` among the caller's own trace marks) are left out: the gateway never reads unknown keys itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

_ADDRESS: Final = "chooses the address that a provider's key is sent to"
_SECRET: Final = "is a secret, which belongs in the settings or in the authorization header"  # noqa: S105 - a reason, not a password
_TRANSPORT: Final = "changes the upstream request itself"

REFUSED_REASONS: Final = MappingProxyType(
    {
        "api_base": _ADDRESS,
        "base_url": _ADDRESS,
        "api_url": _ADDRESS,
        "api_host": _ADDRESS,
        "endpoint_url": _ADDRESS,
        "azure_endpoint": _ADDRESS,
        "api_key": _SECRET,
        "apikey": _SECRET,
        "api_token": _SECRET,
        "auth_token": _SECRET,
        "access_token": _SECRET,
        "azure_ad_token": _SECRET,
        "aws_access_key_id": _SECRET,
        "aws_secret_access_key": _SECRET,
        "aws_session_token": _SECRET,
        "vertex_credentials": _SECRET,
        "extra_headers": _TRANSPORT,
        "default_headers": _TRANSPORT,
        "extra_body": _TRANSPORT,
        "extra_query": _TRANSPORT,
        "custom_llm_provider": "chooses the provider past the routing rules",
        "litellm_params": _TRANSPORT,
        "user_config": _ADDRESS,
        "model_list": _ADDRESS,
        "fallbacks": "names further endpoints past the routing rules; `models` is the way",
        "mock_response": "answers in place of the model",
    }
)
"""Refused key -> why."""


def _spellings(key: str) -> Iterator[str]:
    """A key as other languages and careless servers write it: apiBase, ApiBase, api-base, apibase, API_BASE."""
    first, *rest = key.split("_")
    tail = "".join(part.capitalize() for part in rest)
    for spelling in (key, first + tail, first.capitalize() + tail, "-".join([first, *rest]), "".join([first, *rest])):
        yield from (spelling, spelling.upper())
    yield first + "".join(part.upper() if part in {"url", "id", "api"} else part.capitalize() for part in rest)


REFUSED_KEYS: Final = frozenset(spelling for key in REFUSED_REASONS for spelling in _spellings(key))
"""Every refused key in each of its spellings."""
