# SPDX-License-Identifier: Apache-2.0
"""What every test can use: the golden files and the settings of Hypothesis."""

import gc
import os
from pathlib import Path

import hypothesis
import pytest

from support.golden import Golden
from trunkline_server.catalog.load import list_builtin, read_builtin

# A time limit per example fails on a busy machine and finds nothing. CI draws the same examples on every run.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.register_profile("fuzz", deadline=None, max_examples=20_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "house"))

# A key of the person who runs the tests would put its provider's models on offer, and let a test reach it.
for _name in list_builtin():
    for _row in read_builtin(_name, models=False)["providers"]:
        for _variable in (*_row.get("key_variables", ()), *_row.get("account_variables", ())):
            os.environ.pop(_variable, None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the flag of `make golden`."""
    parser.addoption(
        "--update-golden", action="store_true", help="write tests/golden anew instead of comparing with it"
    )


def pytest_collection_finish() -> None:
    """Set what collecting has made aside from garbage collection: tests that look for what is left collect often, and there are thousands of tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def golden(pytestconfig: pytest.Config) -> Golden:
    """The golden files of tests/golden."""
    folder = Path(__file__).resolve().parent / "golden"
    return Golden(folder=folder, update=bool(pytestconfig.getoption("--update-golden")))
