# SPDX-License-Identifier: Apache-2.0
"""File, variables and flags, merged."""

from typing import Any

import pytest

from trunkline_server.config.faults import SettingsError
from trunkline_server.config.scalars import find_scalars
from trunkline_server.config.sources import SettingsFile, Written, read_sources

SCALARS = tuple(find_scalars())


def read(
    text: str | None = None, environment: dict[str, str] | None = None, flags: dict[str, Any] | None = None
) -> Written:
    """All sources of a test."""
    file = None if text is None else SettingsFile(name="g.toml", text=text)
    return read_sources(file=file, environment=environment or {}, flags=flags or {}, scalars=SCALARS)


VARIABLE = {"TRUNKLINE_DRAIN__GRACE_S": "2"}
FLAG = {"--drain-grace-s": "3"}


@pytest.mark.parametrize(
    ("environment", "flags", "value", "where"),
    [
        ({}, {}, 1, "g.toml:2"),
        (VARIABLE, {}, 2.0, "TRUNKLINE_DRAIN__GRACE_S"),
        ({}, FLAG, 3.0, "--drain-grace-s"),
        (VARIABLE, FLAG, 3.0, "--drain-grace-s"),
        ({"TRUNKLINE_DRAIN__GRACE_S": ""}, {}, 1, "g.toml:2"),
    ],
)
def test_the_later_source_wins(environment: dict[str, str], flags: dict[str, Any], value: float, where: str) -> None:
    """File, then variable, then flag; a fault is placed where the value came from."""
    written = read("[drain]\ngrace_s = 1\n", environment, flags)
    assert written.value_at(("drain", "grace_s")) == value
    assert written.fault_at(("drain", "grace_s"), "x").where == where


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a = 1\nb = [\n", "g.toml:2: not valid TOML: Invalid value"),
        ("a = 1\na = 2\n", "g.toml:2: not valid TOML: Cannot overwrite a value"),
        ("[x]\n[x]\n", "g.toml:2: not valid TOML: Cannot declare ('x',) twice"),
        ("a = \n", "g.toml:1: not valid TOML: Invalid value"),
    ],
)
def test_a_file_that_is_no_toml(text: str, fault: str) -> None:
    """The fault has its line, and nothing else is looked at."""
    with pytest.raises(SettingsError) as caught:
        read(text)
    assert str(caught.value) == fault


def test_variables_in_texts() -> None:
    """Each `${NAME}` is replaced wherever a text stands; `$${` is the way to write `${`."""
    text = 'a = "x${A}y${B_2}"\nb = [{ c = "$${A}" }]\nd = 5\n'
    assert read(text, {"A": "1", "B_2": "${A}"}).tree == {"a": "x1y${A}", "b": [{"c": "${A}"}], "d": 5}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            '\n[[providers]]\napi_key = "${KEY}"',
            "g.toml:3: providers[0].api_key: the environment variable KEY is not set",
        ),
        ('a = "${EMPTY}"', "g.toml:1: a: the environment variable EMPTY is not set"),
        ('a = "${}"', "g.toml:1: a: `${` begins the name of a variable, as in `${NAME}`; write `$${` for the text"),
        ('a = "${A-B}"', "g.toml:1: a: `${` begins the name of a variable, as in `${NAME}`; write `$${` for the text"),
    ],
)
def test_a_variable_that_cannot_be_replaced(text: str, fault: str) -> None:
    """The fault names the variable and the line."""
    assert [str(found) for found in read(text, {"EMPTY": ""}).faults] == [fault]


@pytest.mark.parametrize(
    ("name", "value", "faults"),
    [
        ("TRUNKLINE_HTTP_LISTEN", "x:1", ["no setting has this variable. Did you mean `TRUNKLINE_HTTP__LISTEN`?"]),
        ("TRUNKLINE_HTTP_PORT", "9000", ["no setting has this variable. Did you mean `TRUNKLINE_HTTP__LISTEN`?"]),
        ("TRUNKLINE_HTTP_PORT", "tcp://10.0.0.1:9000", []),
        ("TRUNKLINE_PORT_8080_TCP", "tcp://10.0.0.1:8080", []),
        ("TRUNKLINE_PORT_8080_TCP_ADDR", "10.0.0.1", []),
        ("TRUNKLINE_SERVICE_HOST", "10.0.0.1", []),
        ("TRUNKLINE_SERVICE_PORT_HTTP", "8080", []),
        ("TRUNKLINE_API_KEY", "tk-x", []),
        ("TRUNKLINE_CONFIG", "x.toml", []),
        ("TRUNKLINE_MODEL", "sim/echo", []),
        ("OTHER", "x", []),
    ],
)
def test_unknown_variables(name: str, value: str, faults: list[str]) -> None:
    """A mistyped variable is a fault; those that Kubernetes and the command line use are not."""
    assert [fault.message for fault in read(None, {name: value}).faults] == faults


def test_a_fault_of_a_missing_key_is_placed_at_its_table() -> None:
    """The nearest line above that is known."""
    written = read("\n[[keys]]\nname = 'a'\n")
    assert written.fault_at(("keys", 0, "sha256"), "is missing").where == "g.toml:2"


def test_a_thing_in_the_way_stays() -> None:
    """A file that gives a section a number is refused later, not here."""
    assert read("drain = 5\n", VARIABLE).tree == {"drain": 5}
