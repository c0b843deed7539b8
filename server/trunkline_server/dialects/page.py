# SPDX-License-Identifier: Apache-2.0
"""docs/dialects.md, made from the dialects' accounts. A test compares; `make golden` writes it anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from trunkline_server.dialects.account import FIELDS, Account, Accounts, Kind

_INTRODUCTION: Final = """\
# Dialects

A dialect is a JSON language in which providers are spoken to. A request is read once, into the contract
([chat_request.proto](../proto/trunkline/v1/chat_request.proto)), and written in the dialect of each provider that is tried. This page is made from the accounts
that the dialects give (`server/trunkline_server/dialects/*/account.py`): a field of the contract that one of them does not account for fails the tests.

## How losses are told

- Nothing is dropped in silence. Callers who send `x-openrouter-metadata: enabled` get a stage of `openrouter_metadata.pipeline`:
  `{"type": "dialect", "name": <the dialect>, "summary": <a sentence>, "data": {"dropped": [<path>, ...], "changed": {<path>: <what was done>}}}`. It tells of the
  provider that was tried last, and is left out where that one got everything. The log has the same paths as `unsent` and `changed`.
- `provider.require_parameters: true` keeps a request from providers that would not get one of its top-level fields. `excluded_by` says `require_parameters` then.
- Content that a provider cannot read is no parameter: it is an error, or the endpoint is passed over because of its model's `input_modalities`.
- Keys that the contract does not know go to providers of the dialect `openai_chat` alone, from whose JSON they came; elsewhere they are dropped and reported.
  What Anthropic's Messages API alone knows (`is_error`, `context_management`, ...) goes to `anthropic` alone.
- A provider whose row has `takes_extensions` gets every field. `renames`, `refuses`, `forms`, `tool_ids`, `tool_types`, `takes_images_in_results` and `cache_marks` are the quirks of one provider or endpoint;
  [configuration.md](configuration.md) has them.
- Of a caller's headers one goes to providers: `x-anthropic-beta` (or `anthropic-beta`), to those that are spoken to in `anthropic`.
- `trunkline` is the contract itself, spoken to another gateway over gRPC: [federation.md](federation.md).

## Words

| word | means |
|---|---|
| sent | under its own name, with its own meaning |
| renamed | under another name, in another place or form, with the same meaning |
| clamped | within a narrower range; a value beyond it is changed, and reported |
| gateway | not sent, because the gateway itself does what it asks for |
| dropped | not sent and not done; reported |
"""

_HEADINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "": "Fields of the request",
        "messages": "Messages",
        "messages.content": "Parts of a message's content",
        "tools": "Tools",
        "response_format": "Forms of the answer",
        "reasoning": "Reasoning",
    }
)
"""The tables in their order, by what the paths in them begin with."""


def render_page(accounts: Mapping[str, Accounts]) -> str:
    """The page, of the dialects' accounts by name."""
    return "\n".join([_INTRODUCTION, *_tables(accounts)])


def _tables(accounts: Mapping[str, Accounts]) -> Iterator[str]:
    for prefix, heading in _HEADINGS.items():
        yield f"## {heading}\n"
        yield f"| field | {' | '.join(accounts)} |"
        yield f"|---|{'---|' * len(accounts)}"
        for path in FIELDS:
            if path.rpartition(".")[0] == prefix:
                cells = [_cell(account[path]) for account in accounts.values()]
                yield f"| `{path.removeprefix(prefix).removeprefix('.')}` | {' | '.join(cells)} |"
        yield ""


def _cell(entry: Account) -> str:
    """What becomes of one field, in a cell."""
    said = entry.kind.value
    if entry.word and entry.kind is Kind.CLAMPED:
        said += f" to {entry.word}"
    elif entry.word:
        said += f": `{entry.word}`"
    if entry.why:
        said += f"; {entry.why}" if entry.word else f": {entry.why}"
    return said.replace("|", "\\|").replace("\n", " ")
