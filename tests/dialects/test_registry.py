# SPDX-License-Identifier: Apache-2.0
"""The register of dialects."""

import pytest

from support.answer_cuts import make_codec
from support.builders import make_provider
from trunkline_server.dialects.account import FIELDS, Kind, missing
from trunkline_server.dialects.registry import ACCOUNTS, DIALECT_NAMES, make_dialects, refused_parameters


def test_dialects_stand_under_their_names() -> None:
    """Each dialect is found by the name that it gives itself."""
    dialects = make_dialects(make_codec())
    assert {name: dialect.name for name, dialect in dialects.items()} == {name: name for name in DIALECT_NAMES}


def test_every_dialect_has_its_account() -> None:
    """Each dialect says what it does with each field of a request, and no account stands for none."""
    assert set(ACCOUNTS) == set(DIALECT_NAMES)


@pytest.mark.parametrize("name", DIALECT_NAMES)
def test_every_field_is_accounted_for(name: str) -> None:
    """A field of the contract that a dialect does not account for would be lost in silence."""
    assert missing(ACCOUNTS[name]) == ()


@pytest.mark.parametrize("name", DIALECT_NAMES)
def test_nothing_is_kept_back_without_a_reason(name: str) -> None:
    """What a provider does not get has a word why."""
    kept_back = {Kind.DROPPED, Kind.GATEWAY}
    assert [path for path, entry in ACCOUNTS[name].items() if entry.kind in kept_back and not entry.why] == []


@pytest.mark.parametrize("name", DIALECT_NAMES)
def test_accounts_name_fields_that_there_are(name: str) -> None:
    """No account has a row that the contract has no field for."""
    assert set(ACCOUNTS[name]) == set(FIELDS)


def test_refused_parameters() -> None:
    """A provider does not get what its dialect drops and what its row refuses, unless it takes everything."""
    plain = make_provider("plain", refuses=frozenset({"seed"}))
    assert refused_parameters(plain) == {"image_config", "seed"}
    assert refused_parameters(make_provider("wide", takes_extensions=True)) == set()
