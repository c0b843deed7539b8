# SPDX-License-Identifier: Apache-2.0
"""The program `trunkline`, and `python -m trunkline_server`.

`pip install trunkline` is the client alone, but it brings this script too. So nothing of the server is imported here until
its libraries were looked for: without them the script says what to install.
"""

import gc
import sys
from collections.abc import Callable
from importlib.util import find_spec

# Import names of the extra [server] of pyproject.toml. uvloop is not among them: Windows has none.
_SERVER_LIBRARIES = ("aiohttp", "grpc_health", "grpc_reflection", "orjson", "pydantic")


def main(find: Callable[[str], object | None] = find_spec) -> int:
    """Run the command line and return its exit status: 1 when the libraries of the server are not installed.

    find tells whether a module can be imported (None: it cannot). Looking instead of catching ImportError keeps a real
    fault in an import visible.
    """
    missing = [name for name in _SERVER_LIBRARIES if find(name) is None]
    if missing:
        print(
            f"trunkline: this is the client alone; the gateway and its command line also need {', '.join(missing)}.\n"
            'Install them with: pip install "trunkline[server]"',
            file=sys.stderr,
        )
        return 1
    # What imports make stays, so looking for garbage meanwhile finds nothing, at a twentieth of the time to start.
    gc.disable()
    from trunkline_server import cli  # noqa: PLC0415 - the look above comes first

    gc.enable()
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
