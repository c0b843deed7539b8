# SPDX-License-Identifier: Apache-2.0
"""What every test can use: the golden files and the settings of Hypothesis."""

import os
from pathlib import Path

import hypothesis
import pytest

from support.golden import Golden

# A time limit per example fails on a busy machine and finds nothing. CI draws the same examples on every run.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.register_profile("fuzz", deadline=None, max_examples=20_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "house"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the flag of `make golden`."""
    parser.addoption(
        "--update-golden", action="store_true", help="write tests/golden anew instead of comparing with it"
    )


@pytest.fixture(scope="session")
def golden(pytestconfig: pytest.Config) -> Golden:
    """The golden files of tests/golden."""
    folder = Path(__file__).resolve().parent / "golden"
    return Golden(folder=folder, update=bool(pytestconfig.getoption("--update-golden")))
