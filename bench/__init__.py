# SPDX-License-Identifier: Apache-2.0
"""What the gateway costs, measured beside proxies and other gateways: `make bench`, `make bench-quick`. README.md says how to read it."""
