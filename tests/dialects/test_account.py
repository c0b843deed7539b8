# SPDX-License-Identifier: Apache-2.0
"""What an account is."""

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.dialects.account import FIELDS, SENT, Kind, clamped, dropped, gateway, missing, refused, renamed


def test_every_field_of_the_contract_is_listed() -> None:
    """The list has each field of the request but its unknown keys, and what messages, parts, tools and forms hold."""
    top = {field.name for field in ChatCompletionRequest.DESCRIPTOR.fields} - {"extra"}
    assert {path for path in FIELDS if "." not in path} == top
    inner = {
        "messages.reasoning_details",
        "messages.tool_call_id",
        "messages.content.input_audio",
        "messages.content.cache_control",
        "tools.function",
        "tools.openrouter:*",
        "response_format.json_schema",
        "reasoning.max_tokens",
    }
    assert inner <= set(FIELDS)


def test_what_an_account_lacks_is_found() -> None:
    """A field that stands in no account is missing from it."""
    account = dict.fromkeys(FIELDS, SENT)
    assert missing(account) == ()
    del account["seed"]
    assert missing(account) == ("seed",)


def test_refused() -> None:
    """Refused is what is dropped at the top; parts of messages are no parameters."""
    account = {
        "seed": dropped("it has none"),
        "messages.name": dropped("it has none"),
        "provider": gateway("it routes"),
        "stop": renamed("stop_sequences"),
        "temperature": clamped("0 to 1"),
        "model": SENT,
    }
    assert refused(account) == {"seed"}
    assert [account["stop"].kind, account["stop"].word, account["seed"].why] == [
        Kind.RENAMED,
        "stop_sequences",
        "it has none",
    ]
