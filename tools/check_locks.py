# SPDX-License-Identifier: Apache-2.0
"""Check that requirements/*.txt pin with a hash all that the inputs ask for, at versions they allow, without an address.

Needs no network: whether a transitive requirement is missing shows when pip installs with --require-hashes.
"""

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
# Lock -> its inputs, the words "base", "server" and so on meaning the lists of pyproject.toml.
INPUTS = {
    "run": ("base", "server", "docs", "bedrock", "vertex", "xai", "run.in"),
    "test": ("base", "server", "docs", "bedrock", "vertex", "xai", "run.in", "test.in"),
    "bench": ("bench.in",),
    "peers-litellm": ("peers-litellm.in",),
    "generate": ("generate.in",),
    "floor": ("base",),
}
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)")


def asked_for(source: str) -> list[Requirement]:
    """Return the requirements of one input."""
    if source.endswith(".in"):
        lines = (REQUIREMENTS / source).read_text(encoding="utf-8").splitlines()
        return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = project["dependencies"] if source == "base" else project["optional-dependencies"][source]
    return [Requirement(text) for text in listed]


def entries(lock: str) -> list[str]:
    """Return the entries of a lock file, each with its continuation lines, comments left out."""
    lines = (REQUIREMENTS / f"{lock}.txt").read_text(encoding="utf-8").splitlines()
    kept = "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith("#"))
    return kept.replace("\\\n", " ").splitlines()


def faults(lock: str) -> list[str]:
    """Return what is wrong with one lock file, as sentences."""
    found = []
    pins: dict[str, str] = {}
    for entry in entries(lock):
        pin = _PIN.match(entry)
        if pin is None or "--hash=sha256:" not in entry:
            found.append(f"not a pin with a hash: {entry[:80]}")
        else:
            pins[canonicalize_name(pin["name"])] = pin["version"]
    if "://" in (REQUIREMENTS / f"{lock}.txt").read_text(encoding="utf-8"):
        found.append("holds an address")
    for requirement in (wanted for source in INPUTS[lock] for wanted in asked_for(source)):
        version = pins.get(canonicalize_name(requirement.name))
        if version is None:
            found.append(f"lacks {requirement.name}")
        elif not requirement.specifier.contains(version, prereleases=True):
            found.append(f"pins {requirement.name} {version}, the input asks for {requirement.specifier}")
    return found


def main() -> int:
    """Return 1 when a lock file has a fault."""
    found = [f"requirements/{lock}.txt {fault}: run `make lock`" for lock in INPUTS for fault in faults(lock)]
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
