# SPDX-License-Identifier: Apache-2.0
"""A text that nobody prints by accident."""

import pickle

import pytest

from trunkline_server.core.secret import Secret


@pytest.mark.parametrize(
    "shown",
    [
        repr(Secret("sk-canary")),
        str(Secret("sk-canary")),
        f"{Secret('sk-canary')}",
        f"{Secret('sk-canary'):>20}",
        f"{Secret('sk-canary')!r}",
        repr([Secret("sk-canary")]),
    ],
)
def test_a_secret_does_not_show(shown: str) -> None:
    """No way of writing a secret writes its text."""
    assert "canary" not in shown


def test_a_secret_is_revealed_on_purpose_only() -> None:
    """`reveal` gives the text; pickling is refused."""
    assert Secret("sk-canary").reveal() == "sk-canary"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Secret("sk-canary"))


def test_equal_secrets_are_equal() -> None:
    """Secrets compare and hash by their texts, and equal nothing else."""
    assert Secret("a") == Secret("a")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a") != "a"
