# SPDX-License-Identifier: Apache-2.0
"""Other gateways that can be measured beside ours, each where it is installed."""
