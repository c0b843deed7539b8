# SPDX-License-Identifier: Apache-2.0
"""Make requirements/*.txt from pyproject.toml and requirements/*.in, for every platform at once, with hashes.

Versions that are locked already stay unless --upgrade is given. No index address is written.
Runs in the environment of requirements/generate.txt (`make lock`).
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

EXTRAS = ("--extra=server", "--extra=docs", "--extra=bedrock", "--extra=vertex", "--extra=xai")
# What is locked -> the arguments that say from what. The order matters: test is held to the versions of run, bench to those of test.
LOCKS = {
    "run": ["pyproject.toml", "requirements/run.in", *EXTRAS],
    "test": [
        "pyproject.toml",
        "requirements/run.in",
        "requirements/test.in",
        *EXTRAS,
        "--constraints=requirements/run.txt",
    ],
    # Installed into the same environment as test.
    "bench": ["requirements/bench.in", "--constraints=requirements/test.txt"],
    "peers-litellm": ["requirements/peers-litellm.in"],
    "generate": ["requirements/generate.in"],
    # The client alone, at the lowest versions that it allows.
    "floor": ["pyproject.toml", "--resolution=lowest-direct"],
}
COMMON = [
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--custom-compile-command=make lock",
    "--quiet",
]


def main() -> int:
    """Return the exit status of the first lock that fails, else 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that the bounds allow")
    upgrade = ["--upgrade"] if parser.parse_args().upgrade else []
    uv = Path(sys.executable).parent / "uv"
    for name, inputs in LOCKS.items():
        output = f"requirements/{name}.txt"
        command = [str(uv), "pip", "compile", *inputs, *COMMON, *upgrade, f"--output-file={output}"]
        status = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode
        if status != 0:
            return status
        print(f"locked {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
