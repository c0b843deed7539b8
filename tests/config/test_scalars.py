# SPDX-License-Identifier: Apache-2.0
"""Settings of one value, as flags and variables."""

import pytest

from trunkline_server.config.scalars import Scalar, find_scalars
from trunkline_server.config.settings import Settings

SCALARS = {scalar.name: scalar for scalar in find_scalars()}


@pytest.mark.parametrize(
    ("name", "flag", "variable", "kind", "default"),
    [
        ("insecure", "--insecure", "TRUNKLINE_INSECURE", "switch", "false"),
        ("default_model", "--default-model", "TRUNKLINE_DEFAULT_MODEL", "text", None),
        ("http.listen", "--http", "TRUNKLINE_HTTP__LISTEN", "text", '"127.0.0.1:8080"'),
        ("grpc.listen", "--grpc", "TRUNKLINE_GRPC__LISTEN", "text", '"127.0.0.1:50051"'),
        ("drain.grace_s", "--drain-grace-s", "TRUNKLINE_DRAIN__GRACE_S", "number", "30"),
        (
            "grpc.max_connection_age_s",
            "--grpc-max-connection-age-s",
            "TRUNKLINE_GRPC__MAX_CONNECTION_AGE_S",
            "number",
            None,
        ),
        (
            "calls.max_body_bytes",
            "--calls-max-body-bytes",
            "TRUNKLINE_CALLS__MAX_BODY_BYTES",
            "whole number",
            "33554432",
        ),
        ("log.format", "--log-format", "TRUNKLINE_LOG__FORMAT", "choice", '"text"'),
    ],
)
def test_a_scalar(name: str, flag: str, variable: str, kind: str, default: str | None) -> None:
    """Flag, variable, kind and default follow from the field."""
    scalar = SCALARS[name]
    assert (scalar.flag, scalar.variable, scalar.kind, scalar.default) == (flag, variable, kind, default)


def test_names_are_unique() -> None:
    """No two settings share a flag or a variable, and none takes a flag that the command has besides."""
    flags = [scalar.flag for scalar in SCALARS.values()]
    variables = [scalar.variable for scalar in SCALARS.values()]
    assert len(set(flags)) == len(flags)
    assert len(set(variables)) == len(variables)
    assert not {"--config", "--help"} & set(flags)


def test_every_setting_is_found() -> None:
    """What is no scalar is a list, and stands in the file alone."""
    found = {scalar.path[0] for scalar in SCALARS.values()}
    assert set(Settings.model_fields) - found == {"keys", "providers", "models"}


def test_choices_are_known() -> None:
    """A choice names its words, for help and docs."""
    assert SCALARS["log.level"].choices == ("debug", "info", "warning", "error")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("switch", "true", True),
        ("switch", "YES", True),
        ("switch", "0", False),
        ("switch", "maybe", "maybe"),
        ("whole number", "12", 12),
        ("whole number", "1.5", "1.5"),
        ("number", "1.5", 1.5),
        ("number", "soon", "soon"),
        ("text", "12", "12"),
        ("choice", "json", "json"),
    ],
)
def test_reading_a_text(kind: str, text: str, value: object) -> None:
    """A text of the kind becomes its value; another stays, for the check to refuse."""
    scalar = Scalar(path=("x",), kind=kind, default=None, sentence="")  # type: ignore[arg-type] # a table of kinds
    assert scalar.read(text) == value
