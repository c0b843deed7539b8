# SPDX-License-Identifier: Apache-2.0
"""docs/providers.md, made from the shipped rows. A test compares; `make golden` writes it anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from trunkline_server.catalog.load import list_builtin, list_rows, read_builtin
from trunkline_server.catalog.rows import ProviderRow

_INTRODUCTION: Final = """\
# Providers

The providers that ship with the gateway. Setting the variable of a provider's key, under the name that the provider itself gives it, is enough to have its models:

```console
$ OPENAI_API_KEY=... trunkline serve
$ OPENAI_API_KEY=... trunkline check-config
```

- The environment is read once, at the start; an empty variable counts as not set. The key goes to the provider's own address alone, and stands in no log. `check-config`, `models --config` and
  the lines at the start name the variables that were found, never what they hold.
- `environment_keys = false` ([configuration.md](configuration.md)) leaves the environment alone. An `api_key` in the settings file does the same as the variable, and wins over it.
- A row of the file with the slug of a shipped provider adds to it: time-outs, values, a proxy. With a `base_url` at another host it is another provider: it has neither the
  shipped key's variable nor the models.
- A provider on this machine needs no key. It has no shipped models: name it in an endpoint, and it is there.

  ```toml
  [[models]]
  slug = "local/llama"
  endpoints = [{ provider = "ollama", upstream_model = "llama3.2" }]
  ```

- Addresses with a value, such as Azure's `resource`, have it from the variable below or from `values = { resource = "..." }` in a row of the file; without it the provider is off.
- `amazon-bedrock` needs the extra `[bedrock]`, `google-vertex` the extra `[vertex]`. Where the keys of an account stand elsewhere than in variables, a row of the file switches the provider
  on, and AWS's and Google's own tools find them.
- `amazon-bedrock-anthropic` and `google-vertex-anthropic` are for Claude in Anthropic's own language, `google-vertex-global` for Vertex's location `global`, which has a host of its own. They have
  no shipped models, and are there as soon as an endpoint names them.
- [transports.md](transports.md) has the ways of showing a key, clouds, certificates, proxies and what is fetched for a provider.
- Models and prices come from the PyPI package `genai-prices`, at `make generate`: nobody types them, and nothing is fetched at run time ([decisions/0008](decisions/0008-catalog.md)).
  Two providers of one model are two endpoints of it, where the names say surely that it is the same; else the model is called `provider/name`. What is missing takes four
  lines in the settings file.
- What a provider does with prompts was not looked up: unless said otherwise it may train on them and keep them, so `data_collection: "deny"` and `zdr` keep requests away. A row of
  the file says better (`trains_on_prompts`, `keeps_prompts`).

Each row stands in `server/trunkline_server/catalog/data/providers/`, with its source and the day on which that was opened. This page is made from them.
"""
_UNSEEN: Final = """\
## What could not be seen

No page of the provider was found that says it, so it is in no row.

- **Azure**: a variable with the resource's name (`AZURE_OPENAI_ENDPOINT` holds a whole address). Its models are deployments with names of their own.
- **Google Vertex**: prices and models for it alone; the source counts both of Google's services as one.
- **Amazon Bedrock**: which profiles of a region an account may use; its shipped models are the global ones of Anthropic and Amazon.
- **DeepInfra, Nebius, SambaNova**: models and prices; the source has none.
- **Ollama**: `OLLAMA_HOST` on a page of its own: write `base_url` for another address.
- **SGLang, LM Studio**: a variable with the key.
- **llama.cpp**: which release changes the port from 8080 to 9931; the row has the newer one.
- **Cerebras**: the list of parameters that it refuses; the page that was opened ends before it.
- **DeepInfra, Fireworks, Moonshot AI, Nebius, Novita, Perplexity, SambaNova, Together**: parameters that they refuse. Nothing is taken out for them.
- **DeepInfra**: whether it reads `max_completion_tokens` beside `max_tokens`; callers' own name is sent.
- **Groq**: it refuses `name` in messages too, which a row cannot say.
- **OpenAI**: models that its Responses API alone serves are not among the shipped ones, since the row speaks chat completions.
"""


def render_providers_page() -> str:
    """The whole page."""
    rows = [row for name in list_builtin() for row in _rows(name) if row.transport == "http"]
    return "\n".join([_INTRODUCTION, *_table(rows), "", *_quirks(rows), "", _UNSEEN])


def _rows(name: str) -> Iterator[ProviderRow]:
    for _, row in list_rows(read_builtin(name, models=False), "providers"):
        yield ProviderRow.model_validate(row)


def _table(rows: list[ProviderRow]) -> Iterator[str]:
    yield "## The rows\n"
    yield "| provider | slug | dialect | key | values | models | source | date |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        account = " and ".join(f"`{name}`" for name in row.account_variables)
        keys = " or ".join([*(f"`{name}`" for name in row.key_variables), *([account] if account else [])])
        keys = keys or ("an account" if row.auth in {"aws", "google"} else "none")
        values = ", ".join(f"{name}: `{variable}`" for name, variable in sorted(row.value_variables.items()))
        models = sum(1 for _ in list_rows(read_builtin(row.slug), "models"))
        yield (
            f"| {row.name} | `{row.slug}` | `{row.dialect}` | {keys} | {values or '-'} | {models or '-'} "
            f"| {_link(row.source)} | {row.date} |"
        )


def _quirks(rows: list[ProviderRow]) -> Iterator[str]:
    yield "## Quirks\n"
    yield "What the rows say beyond that; their comments name the pages.\n"
    yield "| provider | renamed | left out and reported | other |"
    yield "|---|---|---|---|"
    for row in rows:
        renames = ", ".join(f"`{name}`: `{word}`" for name, word in sorted(row.renames.items()))
        refuses = ", ".join(f"`{name}`" for name in row.refuses)
        other = ["takes every field of the contract"] if row.takes_extensions else []
        other += [] if row.takes_developer_role else ["messages of the role `developer` become `system`"]
        other += ["takes images in tools' results"] if row.takes_images_in_results else []
        other += [f"tools: {', '.join(f'`{kind}`' for kind in row.tool_types)}"] if row.tool_types else []
        other += [f"ids of tool calls: `{row.tool_ids}`"] if row.tool_ids else []
        other += [f"forms: {', '.join(f'`{kind}`' for kind in row.forms)}"] if row.forms is not None else []
        if renames or refuses or other:
            yield f"| {row.name} | {renames or '-'} | {refuses or '-'} | {'; '.join(other) or '-'} |"


def _link(source: str | None) -> str:
    """A link that shows the page's host."""
    text = source or ""
    return f"[{text.partition('://')[2].partition('/')[0]}]({text})"
