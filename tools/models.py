# SPDX-License-Identifier: Apache-2.0
"""Make the model rows of the catalog from the shipped price lists and the PyPI package genai-prices, or check that the committed ones are what it would make.

Runs after tools/prices.py, in the same environment. A list of data/price_lists.toml with a `provider` gives data/models/PROVIDER.toml: the models of its standard
rows that are not withdrawn and that answer chats. A row names slug, endpoint, source and date; prices and lengths come from the list when the gateway starts.

The slug of an author's own model is `author/name`. What somebody else sells has the author's slug where the name says which model it is: it is the same as an
author's, or as one in OpenRouter's list, but for the spellings below. Otherwise the provider stands in the author's place, so that nothing is taken for
something else.
"""

import argparse
import json
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from genai_prices.data import providers
from genai_prices.types import Provider

ROOT: Final = Path(__file__).resolve().parent.parent
DATA: Final = ROOT / "server" / "trunkline_server" / "catalog" / "data"
FOLDER: Final = DATA / "models"
SLUGS: Final = "openrouter"
"""The list whose names are slugs."""

_HEAD: Final = """\
# SPDX-License-Identifier: Apache-2.0
# Made by tools/models.py: `make generate` writes it anew. Prices and lengths: data/prices/{name}.toml.
"""
# Words in names of what is no chat: other APIs (OpenAI's Responses alone serve "pro", "codex" and "deep-research"), sounds, pictures, texts to numbers.
_NO_CHAT: Final = re.compile(
    r"(^|[-_/.])(ada|babbage|codex|computer-use|curie|davinci|decider|deep-research|embed\w*|guard\w*|image|instruct-\d+|live|lyria|moderation|ocr\w*|omni"
    r"|orpheus|realtime|search|sonic|speech|streaming|titan-embed|transcri\w+|translate|tts|voice|whisper)([-_/.]|$)"
)
_NO_CHAT_OF: Final = {
    "anthropic": re.compile(r"^claude-(\d$|v\d)"),
    "openai": re.compile(r"-pro$|^gpt-oss|-instruct$|-cyber$|^gpt-3\.5-0301$|:"),
    # Only what the list's host serves; the package's provider is all of Google.
    "google": re.compile(r"^(?!gemini-\d|gemma-)|-maas$|robotics"),
    # A profile of one region must be switched on there; the global ones are the same everywhere.
    "aws": re.compile(r"^(?!global\.(amazon|anthropic)\.)"),
    "perplexity": re.compile(r"^perplexity/|^llama|^r1|^pplx"),
    "mistral": re.compile(r"^(deepseek|zai)|:"),
    "groq": re.compile(r"prompt-guard"),
    "openrouter": re.compile(r":"),
    "x-ai": re.compile(r"multi-agent"),
    "cohere": re.compile(r"^command(-light)?$"),
}
# Authors as sellers write them, and as the slugs do.
_AUTHORS: Final = {
    "deepseek-ai": "deepseek",
    "meta-models": "meta",
    "minimaxai": "minimax",
    "ricursive-ai": "ricursiveai",
    "xiaomimimo": "xiaomi",
    "zai-org": "z-ai",
}
_FIREWORKS: Final = re.compile(r"^accounts/fireworks/models/")
_POINT: Final = re.compile(r"(?<=\d)p(?=\d)")
# Anthropic's own names have "-" where the slugs have a point: claude-sonnet-4-5 is anthropic/claude-sonnet-4.5. A day is no version.
_VERSION: Final = re.compile(r"(?<=-)(\d{1,2})-(\d{1,2})(?=-|$)")
_BEDROCK: Final = re.compile(r"^global\.(?P<author>[a-z]+)\.(?P<name>.+?)(-\d{8})?(-v\d+:\d+)?$")
# Fireworks takes its models' names with the path, Cohere with the month.
_FULL_NAME: Final = re.compile(r"^accounts/|^command-.*-\d{2}-\d{4}$")


def main() -> int:
    """Return the exit status: 1 when --check finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when the committed rows differ")
    options = parser.parse_args()
    wanted = dict(render_all())
    differing = [path for path in FOLDER.glob("*.toml") if path.name not in wanted and _is_made(path)]
    for path in differing:
        if not options.check:
            path.unlink()
    for name, text in wanted.items():
        path = FOLDER / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            differing.append(path)
            if not options.check:
                path.write_text(text, encoding="utf-8")
                print(f"wrote   {path.relative_to(ROOT).as_posix()}")
    if options.check:
        for path in differing:
            print(
                f"{path.relative_to(ROOT).as_posix()} is not what the lists give: run `make generate` and commit the result"
            )
    return 1 if options.check and differing else 0


def render_all() -> Iterator[tuple[str, str]]:
    """Each file's name and text."""
    lists = tomllib.loads((DATA / "price_lists.toml").read_text(encoding="utf-8"))["price_lists"]
    by_id = {provider.id: provider for provider in providers}
    own = {slug for row in lists if "author" in row for _, slug in _own_models(row, by_id[row["name"]])}
    known = own | {model.id for model in by_id[SLUGS].models if ":" not in model.id}
    for row in lists:
        if "provider" not in row:
            continue
        package = by_id[row["name"]]
        models = (
            _own_models(row, package)
            if "author" in row
            else [(price, _slug_of(row, price, known)) for price in _prices(row, package)]
        )
        yield f"{row['provider']}.toml", _render(row, dict(reversed([(slug, price) for price, slug in models])))


def _prices(row: Mapping[str, Any], package: Provider) -> list[dict[str, Any]]:
    """The rows of a list that are models to chat with."""
    path = DATA / "prices" / f"{row['name']}.toml"
    rows = tomllib.loads(path.read_text(encoding="utf-8")).get("prices", [])
    no_chat = _NO_CHAT_OF.get(row["name"])
    found = []
    for price in rows:
        name = price["names"][0]
        model = package.find_model(name)
        withdrawn = model is None or model.deprecated
        chats = not _NO_CHAT.search(name.lower()) and (no_chat is None or not no_chat.search(name))
        if chats and not withdrawn and "service_tier" not in price:
            found.append(price)
    return found


def _own_models(row: Mapping[str, Any], package: Provider) -> list[tuple[dict[str, Any], str]]:
    return [(price, f"{row['author']}/{_own_name(row, price)}") for price in _prices(row, package)]


def _own_name(row: Mapping[str, Any], price: Mapping[str, Any]) -> str:
    name: str = price["names"][0]
    return _dotted(name) if row["author"] == "anthropic" else name


def _dotted(name: str) -> str:
    """A Claude's name with a point in its version; a zero after it says nothing, nor does `-latest`."""
    return _VERSION.sub(r"\1.\2", name.removesuffix("-latest")).removesuffix(".0")


def _slug_of(row: Mapping[str, Any], price: Mapping[str, Any], known: set[str]) -> str:
    """The slug of a model that its seller did not make."""
    name = _upstream_name(price)
    if row["name"] == SLUGS:
        return name
    if row["name"] == "aws" and (match := _BEDROCK.match(name)):
        short = _dotted(match["name"]) if match["author"] == "anthropic" else match["name"]
        candidate = f"{match['author']}/{short}"
    else:
        candidate = _POINT.sub(".", _FIREWORKS.sub("", name).lower())
        author, stroke, rest = candidate.partition("/")
        candidate = f"{_AUTHORS.get(author, author)}{stroke}{rest}"
    if candidate in known:
        return candidate
    alike = Counter(slug.partition("/")[2] for slug in known)
    if alike[candidate] == 1:
        return next(slug for slug in known if slug.partition("/")[2] == candidate)
    return f"{row['provider']}/{candidate.rpartition('/')[2]}"


def _upstream_name(price: Mapping[str, Any]) -> str:
    """The name that the API takes, of those that the list knows."""
    names: list[str] = [name for name in price["names"] if "YYYY" not in name]
    wanted = [name for name in names if _FULL_NAME.search(name)]
    return (wanted or names)[0]


def _render(row: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]]) -> str:
    parts = [_HEAD.format(name=row["name"])]
    for slug, price in sorted(models.items()):
        keys: dict[str, Any] = {"slug": slug}
        own = f"{row.get('author')}/{price['names'][0]}"
        if "author" in row and own != slug:
            keys["canonical_slug"] = own
        endpoint = {"provider": row["provider"], "upstream_model": _upstream_name(price)}
        keys |= {"source": price["source"], "date": price["date"], "endpoints": [endpoint]}
        parts.append("[[models]]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in keys.items()))
    return "\n".join(parts)


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return value.isoformat() if isinstance(value, date) else json.dumps(value)


def _is_made(path: Path) -> bool:
    return "Made by tools/models.py" in path.read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
