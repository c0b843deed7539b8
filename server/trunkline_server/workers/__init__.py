# SPDX-License-Identifier: Apache-2.0
"""Several processes on the same ports, and the supervisor that starts, restarts and reloads them. Nothing here imports grpc or aiohttp."""
