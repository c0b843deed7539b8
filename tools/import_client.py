# SPDX-License-Identifier: Apache-2.0
"""Import the client and every generated module, and print the versions it runs on: `make client-floor`."""

import importlib
import pkgutil
from importlib.metadata import version

import trunkline


def main() -> None:
    """Import all modules below trunkline; whatever they raise ends the program."""
    names = sorted(module.name for module in pkgutil.walk_packages(trunkline.__path__, "trunkline."))
    for name in names:
        importlib.import_module(name)
    print(f"{len(names)} modules import on grpcio {version('grpcio')} and protobuf {version('protobuf')}")


if __name__ == "__main__":
    main()
