# SPDX-License-Identifier: Apache-2.0
"""README.md keeps its word: its commands are executed as they would be pasted, `make test` aside, against the gateway that `make run` starts."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence

import pytest

from support.source_tree import ROOT

pytestmark = pytest.mark.slow

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = "make run\n"
TEST = "make test\n"
PORTS = (8080, 50051)
# The first `make run` installs.
INSTALL_S = 240
STOP_S = 40

# A word of a block -> what its output must hold.
EXPECTED: Mapping[str, Sequence[str]] = {
    "curl -N": ['"content":"Hello"', '"content":" curl"', '"usage":', "data: [DONE]"],
    "from openai import": ["Hello from the SDK\n"],
    "from anthropic import": ["Hello from Anthropic's SDK\n"],
    "from trunkline import": ["Hello over gRPC\n", " tokens\n"],
    "trunkline chat": [
        "My answer to your",
        "sim/fault",
        "Simulator serves `sim/echo` first",
        "usage: trunkline",
        "serve",
    ],
    "check-config": ["docs/example.toml"],
}


def blocks(*languages: str) -> list[str]:
    """The texts of the README's fenced blocks in some languages, but those that start the gateway or the tests."""
    found = [match["text"] for match in BLOCK.finditer(README) if match["language"] in languages]
    return [text for text in found if text not in (RUN, TEST)]


def title(block: str) -> str:
    """The word of EXPECTED that a block holds."""
    (found,) = [word for word in EXPECTED if word in block]
    return found


def plain_environment() -> dict[str, str]:
    """The environment without what an outer make and the gateway's settings put there."""
    dropped = {"ARGS", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS"}
    return {
        name: value for name, value in os.environ.items() if name not in dropped and not name.startswith("TRUNKLINE_")
    }


def is_taken(port: int) -> bool:
    """Whether somebody listens on a port of loopback, or nobody may."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def require_free_ports() -> None:
    """Skips where the README's ports are taken; in CI that is a failure."""
    taken = [port for port in PORTS if is_taken(port)]
    if not taken:
        return
    reason = f"the README's commands need port {' and '.join(map(str, taken))} of 127.0.0.1, which another program has"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def wait_until_ready(process: "subprocess.Popen[str]") -> None:
    """Waits for /readyz."""
    end_s = time.monotonic() + INSTALL_S
    while time.monotonic() < end_s:
        assert process.poll() is None, f"`make run` ended with {process.returncode}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORTS[0]}/readyz", timeout=2) as answer:
                assert answer.status == 200
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    pytest.fail(f"`make run` was not ready after {INSTALL_S} s")


def stop(process: "subprocess.Popen[str]") -> str:
    """Ends the group that `make run` is, as Ctrl-C does; gives what it said."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    try:
        return process.communicate(timeout=STOP_S)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise


@pytest.fixture(scope="module")
def served() -> Iterator[None]:
    """What `make run` serves."""
    require_free_ports()
    # A group of its own, so that Ctrl-C reaches make and what it runs, and nobody else.
    process = subprocess.Popen(
        ["bash", "-c", RUN],
        cwd=ROOT,
        env=plain_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        wait_until_ready(process)
        yield
    finally:
        said = stop(process)
    assert "Trunkline serves sim/echo" in said
    assert "Traceback" not in said
    assert [port for port in PORTS if is_taken(port)] == []
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def run(command: Sequence[str]) -> str:
    """Runs a program in the repository and gives what it printed."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=plain_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("block", blocks("sh", "bash"), ids=title)
@pytest.mark.usefixtures("served")
def test_commands_work_as_pasted(block: str) -> None:
    """A block of commands succeeds, all of them, and prints what the README says."""
    output = run(["bash", "-euo", "pipefail", "-c", block])
    assert [words for words in EXPECTED[title(block)] if words not in output] == []


@pytest.mark.parametrize("block", blocks("python"), ids=title)
@pytest.mark.usefixtures("served")
def test_snippets_work_as_pasted(block: str) -> None:
    """A Python snippet runs and prints what the README says."""
    output = run([sys.executable, "-W", "error", "-c", block])
    assert [words for words in EXPECTED[title(block)] if words not in output] == []


def test_every_block_is_executed() -> None:
    """No block is in a language that is not executed, and the README starts and tests the gateway by make."""
    assert {match["language"] for match in BLOCK.finditer(README)} == {"sh", "python"}
    assert sorted(title(block) for block in blocks("sh", "python")) == sorted(EXPECTED)
    assert [text for text in (RUN, TEST) if f"```sh\n{text}```" not in README] == []
