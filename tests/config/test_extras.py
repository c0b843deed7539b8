# SPDX-License-Identifier: Apache-2.0
"""Packages that only some providers need."""

import pytest

from support.builders import make_provider
from trunkline_server.catalog.entry import Catalog
from trunkline_server.config.extras import describe_missing


@pytest.mark.parametrize(
    ("auth", "dialect", "extra"),
    [
        ("bearer", "openai_chat", None),
        ("aws", "bedrock_converse", "bedrock"),
        ("bearer", "bedrock_converse", "bedrock"),
        ("aws", "anthropic", "bedrock"),
        ("google", "gemini", "vertex"),
        ("bearer", "xai", "xai"),
    ],
)
def test_what_is_missing(auth: str, dialect: str, extra: str | None) -> None:
    """A provider says once what to install for it; where the package is there, nothing."""
    catalog = Catalog(models={}, providers={"p": make_provider("p", auth=auth, dialect=dialect)})
    told = describe_missing(catalog, lambda _package: False)
    assert [f"trunkline[server,{extra}]" in sentence for sentence in told] == ([] if extra is None else [True])
    assert describe_missing(catalog, lambda _package: True) == []


def test_this_python() -> None:
    """The packages of all extras are installed for tests."""
    providers = {auth: make_provider(auth, auth=auth) for auth in ("aws", "google")}
    providers["xai"] = make_provider("xai", dialect="xai")
    assert describe_missing(Catalog(models={}, providers=providers)) == []
