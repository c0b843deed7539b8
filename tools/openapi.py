# SPDX-License-Identifier: Apache-2.0
"""Write the OpenAPI document of the HTTP edge from the descriptor set, or check that the committed one is what it would write.

Runs in the environment of the tests, since it needs the server's libraries (`make generate` and `make check` see to that).
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The checkout's packages, whatever is installed.
sys.path[:0] = [str(ROOT / "clients" / "python"), str(ROOT / "server")]

from trunkline_server.edge.http.openapi import make_openapi  # noqa: E402 - after the path above
from trunkline_server.edge.http.pages import DOCUMENT_FILE  # noqa: E402 - after the path above

TARGET = ROOT / "server" / "trunkline_server" / "edge" / "http" / DOCUMENT_FILE


def main() -> int:
    """Return the exit status: 1 when --check finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when the committed file differs")
    options = parser.parse_args()
    made = make_openapi()
    if TARGET.exists() and TARGET.read_bytes() == made:
        return 0
    name = TARGET.relative_to(ROOT).as_posix()
    if options.check:
        print(f"{name} is not what proto/ gives: run `make generate` and commit the result")
        return 1
    TARGET.write_bytes(made)
    print(f"wrote   {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
