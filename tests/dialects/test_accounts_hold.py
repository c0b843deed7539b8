# SPDX-License-Identifier: Apache-2.0
"""Every dialect does with every field of a request what its account says."""

import copy
from typing import Any

import pytest

from support.answer_cuts import make_codec
from support.builders import make_endpoint, make_provider
from support.dialect_scenarios import ENDPOINTS
from support.request_samples import ALWAYS, INNER, VALUES, sample
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.dialects.account import FIELDS, Kind
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.dialects.registry import ACCOUNTS, DIALECT_NAMES, make_dialects

CODEC = make_codec()
DIALECTS = make_dialects(CODEC)
REACHES = frozenset({Kind.SENT, Kind.RENAMED, Kind.CLAMPED})
"""What becomes of fields that the provider hears of."""


def render(name: str, body: dict[str, Any]) -> RenderedRequest:
    """A caller's JSON as a provider of the dialect gets it, streamed."""
    request = CODEC.decode(ChatCompletionRequest, copy.deepcopy(body))
    endpoint = make_endpoint(make_provider(name, dialect=name), **ENDPOINTS.get(name, {}))
    return DIALECTS[name].render_request(request, endpoint, stream=True)


def sent(rendered: RenderedRequest) -> tuple[str, dict[str, str], bytes]:
    """What the provider gets."""
    return rendered.path, dict(rendered.headers), rendered.body


@pytest.mark.parametrize("path", [*VALUES, *INNER])
@pytest.mark.parametrize("name", DIALECT_NAMES)
def test_a_field_fares_as_its_account_says(name: str, path: str) -> None:
    """What is sent changes what the provider gets; what is dropped does not and is reported; what the gateway does itself is neither."""
    without, body = sample(path)
    before, after = render(name, without), render(name, body)
    kind = ACCOUNTS[name][path].kind
    assert (sent(before) != sent(after), path in after.dropped) == (kind in REACHES, kind is Kind.DROPPED)


@pytest.mark.parametrize("name", DIALECT_NAMES)
def test_unknown_keys(name: str) -> None:
    """A key that the contract does not know is sent where the provider speaks the caller's language, else it is reported."""
    rendered = render(name, {**sample("seed")[0], "my_own_key": 1})
    assert (b"my_own_key" in rendered.body) != ("my_own_key" in rendered.dropped)


def test_every_field_has_a_sample() -> None:
    """No top-level field of the contract is left untried."""
    assert {path for path in FIELDS if "." not in path} == VALUES.keys() | ALWAYS
