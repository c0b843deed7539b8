# SPDX-License-Identifier: Apache-2.0
"""Finding the model that a request names."""

import pytest

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.catalog.entry import Catalog, Endpoint, Model, Provider
from trunkline_server.catalog.query import ROUTING_VARIANTS, brief_slug, check_variant, find_model, split_variant
from trunkline_server.core.errors import GatewayError

PROVIDER = Provider(slug="p", name="P")


def make_model(slug: str, *, takes_query: bool = False, canonical_slug: str | None = None) -> Model:
    """A model with one endpoint, whose provider knows it by the name after the stroke."""
    endpoint = Endpoint(model=slug, provider=PROVIDER, upstream_model=slug.partition("/")[2], tag="p")
    canonical = canonical_slug or slug
    return Model(slug=slug, canonical_slug=canonical, name=slug, takes_query=takes_query, endpoints=(endpoint,))


MODELS = [
    make_model("acme/large"),
    make_model("acme/small"),
    make_model("acme/small:free"),
    make_model("acme/new", canonical_slug="acme/new-2026-05"),
    make_model("sim/fault", takes_query=True),
]
CATALOG = Catalog(models={model.slug: model for model in MODELS}, providers={"p": PROVIDER})


@pytest.mark.parametrize(
    ("slug", "found", "upstream_model"),
    [
        ("acme/large", "acme/large", "large"),
        ("acme/large:nitro", "acme/large", "large"),
        ("acme/large:free", "acme/large", "large"),
        ("acme/large:exacto", "acme/large", "large"),
        ("acme/small:free", "acme/small:free", "small:free"),
        ("acme/new-2026-05", "acme/new", "new"),
        ("acme/new-2026-05:nitro", "acme/new", "new"),
        ("sim/fault", "sim/fault", "fault"),
        ("sim/fault?status=503&after=2", "sim/fault", "fault?status=503&after=2"),
        ("sim/fault:floor?status=503", "sim/fault", "fault?status=503"),
        ("sim/fault?text=a:b?c", "sim/fault", "fault?text=a:b?c"),
        ("sim/fault?", "sim/fault", "fault?"),
    ],
)
def test_a_known_model(slug: str, found: str, upstream_model: str) -> None:
    """A canonical slug finds its model; variants are set aside; a query travels in the provider's name of the model."""
    model = find_model(CATALOG, slug)
    assert (model.slug, model.endpoints[0].upstream_model) == (found, upstream_model)


@pytest.mark.parametrize(
    ("slug", "reason", "fallbacks"),
    [
        ("acme/larg", ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, ["acme/large"]),
        ("large", ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, ["acme/large"]),
        ("", ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, []),
        ("zzz/qqq", ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, []),
        ("acme/large:turbo", ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, ["acme/large"]),
        ("acme/large?status=503", ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, ["acme/large"]),
        ("acme/large:thinking", ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, ["acme/large"]),
        ("acme/large:extended", ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, ["acme/large"]),
    ],
)
def test_an_unknown_model(slug: str, reason: ErrorReason, fallbacks: list[str]) -> None:
    """The failure names what was asked for and what comes closest."""
    with pytest.raises(GatewayError) as caught:
        find_model(CATALOG, slug)
    details = caught.value.unavailability
    assert caught.value.reason == reason
    assert details is not None
    assert (list(details.requested_models), list(details.fallback_models)) == ([slug], fallbacks)


def test_a_name_of_megabytes() -> None:
    """A name that no model can have is refused without being searched for or repeated."""
    with pytest.raises(GatewayError, match="a name of 3000000 characters") as caught:
        find_model(CATALOG, "x" * 3_000_000)
    details = caught.value.unavailability
    assert caught.value.reason == ErrorReason.ERROR_REASON_MODEL_NOT_FOUND
    assert details is not None
    assert list(details.requested_models) == ["x" * 255 + "…"]


def test_a_brief_slug() -> None:
    """What fits stands as it is."""
    assert (brief_slug("acme/one"), len(brief_slug("x" * 300))) == ("acme/one", 256)


def test_a_variant_that_needs_a_plugin() -> None:
    """`:online` is the web plugin, which is refused by its name and not dropped."""
    with pytest.raises(GatewayError, match="web plugin") as caught:
        find_model(CATALOG, "acme/large:online")
    assert caught.value.reason == ErrorReason.ERROR_REASON_FEATURE_UNAVAILABLE


@pytest.mark.parametrize(
    ("variant", "says"), [("thinking", '"reasoning"'), ("extended", "whole context"), ("turbo", "no variant `turbo`")]
)
def test_a_variant_that_is_none(variant: str, says: str) -> None:
    """Of a variant that once was, the failure says what serves in its place."""
    with pytest.raises(GatewayError) as caught:
        check_variant(CATALOG, "acme/large", variant, f"acme/large:{variant}")
    assert says in caught.value.message


@pytest.mark.parametrize("variant", [None, *sorted(ROUTING_VARIANTS)])
def test_a_variant_that_routes(variant: str | None) -> None:
    """Those that routing knows pass."""
    check_variant(CATALOG, "acme/large", variant, "acme/large")


@pytest.mark.parametrize(
    ("slug", "split"),
    [
        ("acme/large", ("acme/large", None)),
        ("acme/large:nitro", ("acme/large", "nitro")),
        ("acme/small:free", ("acme/small:free", None)),
        ("acme/small:free:floor", ("acme/small:free", "floor")),
        ("acme/new-2026-05:floor", ("acme/new-2026-05", "floor")),
        ("openrouter/auto:floor", ("openrouter/auto", "floor")),
    ],
)
def test_splitting_a_variant(slug: str, split: tuple[str, str | None]) -> None:
    """A suffix that the catalog lists is part of the slug."""
    assert split_variant(CATALOG, slug) == split
