# SPDX-License-Identifier: Apache-2.0
"""Log probabilities."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.simulator import ask, ask_stream
from trunkline_server.upstream.simulator.logprobs import token_logprob


@given(token=st.text(min_size=1, max_size=5) | st.just(" amber"), count=st.integers(0, 20))
def test_entries_are_a_distribution(token: str, count: int) -> None:
    """Alternatives are as many as asked, differ, fall, begin with the token and leave no more than 1."""
    entry = token_logprob(token, count)
    ranked = entry["top_logprobs"]
    assert len({item["token"] for item in ranked}) == len(ranked) == count
    assert [item["logprob"] for item in ranked] == sorted((item["logprob"] for item in ranked), reverse=True)
    assert sum(math.exp(item["logprob"]) for item in ranked) <= 1.0001
    assert bytes(entry["bytes"]).decode() == entry["token"] == token
    assert [item["token"] for item in ranked[:1]] in ([], [token])


@pytest.mark.parametrize("model", ["sim/echo", "sim/json", "sim/reasoner", "sim/image"])
def test_content_tokens_have_them_and_nothing_else(model: str) -> None:
    """The tokens of logprobs join to the content; chunks without content have null."""
    choice = ask(model, logprobs=True)["choices"][0]
    assert "".join(item["token"] for item in choice["logprobs"]["content"]) == choice["message"]["content"]
    chunks = [choice for chunk in ask_stream(model, logprobs=True)[:-1] for choice in chunk["choices"]]
    assert {bool(chunk["delta"].get("content")) == bool(chunk["logprobs"]) for chunk in chunks} == {True}


@pytest.mark.parametrize("keys", [{}, {"logprobs": False}, {"top_logprobs": 5}])
def test_without_asking_there_are_none(keys: dict[str, object]) -> None:
    """The key is there and null, also where only alternatives were asked for."""
    assert ask("sim/echo", **keys)["choices"][0]["logprobs"] is None
