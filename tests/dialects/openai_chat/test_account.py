# SPDX-License-Identifier: Apache-2.0
"""What a plain OpenAI server gets, held against OpenAI's own package."""

from openai.types.chat import completion_create_params as params

from trunkline_server.dialects.account import Kind
from trunkline_server.dialects.openai_chat.account import ACCOUNT, SAMPLING_EXTENSIONS

OPENAIS = frozenset(params.CompletionCreateParamsBase.__annotations__) | {"stream"}
SENT = frozenset(path for path, entry in ACCOUNT.items() if entry.kind is Kind.SENT and "." not in path)


def test_openai_knows_what_is_sent() -> None:
    """Every field that is sent as it is stands in OpenAI's package, save those that many other servers take."""
    assert SAMPLING_EXTENSIONS.keys() == SENT - OPENAIS


def test_nothing_that_openai_knows_is_kept_back() -> None:
    """A field of the contract that OpenAI's package has is sent."""
    assert OPENAIS & ACCOUNT.keys() <= SENT | {"model"}


def test_what_openai_does_not_take_says_so() -> None:
    """The reason stands beside each field that some servers take and OpenAI refuses."""
    assert all("OpenAI refuses it" in entry.why for entry in SAMPLING_EXTENSIONS.values())
